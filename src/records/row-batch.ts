import {
  DecryptionError,
  KeyNotResidentError,
  KeyRecordError,
  KeyStoreError,
  KeyUnavailableError,
  KmsError,
  SystemicFailureError,
} from '../errors.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import type { Keyring } from '../keys/keyring.ts'
import type { SlowTags } from './record-index.ts'
import type { UnknownRow } from './row-identity.ts'
import { keyIdsOf } from './row-keys.ts'

/** The result of one row, as `Promise.allSettled` gives it. */
export type Settled<Value> =
  | { readonly status: 'fulfilled'; readonly value: Value }
  | { readonly status: 'rejected'; readonly reason: unknown }

/** The scopes, as canonical text, of the keys that a row is written under. */
export interface RowScopes {
  readonly data: string
  readonly index: ReadonlySet<string>
}

/** What was made for a row before the work on it. */
export interface ReadyRow {
  readonly tags: SlowTags
  /** The row decrypted, where it had to be for its tags. */
  readonly plain?: UnknownRow
}

/** What a batch needs to know of its rows. */
export interface Batch {
  readonly work: (row: UnknownRow, ready?: ReadyRow) => UnknownRow
  /** What `work` needs of a row and cannot do synchronously. */
  readonly prepare?: ((row: UnknownRow) => Promise<ReadyRow | undefined>) | undefined
  readonly keyring: Keyring
  readonly keys: KeyManager
  readonly columns: readonly string[]
  readonly scopesOf: (row: UnknownRow) => RowScopes
  readonly readsCiphertexts?: boolean
  /** Refuses a row that `work` would refuse, without a key. */
  readonly check?: (row: UnknownRow) => void
}

/** Rows between two turns of the event loop, so that a large batch does not hold up other requests. */
const SLICE = 50
/** Rows whose keys are loaded together. */
const CHUNK = 10_000
const FEWEST_FOR_SYSTEMIC = 4

/** Encrypts rows in order; every key is loaded, or made, once. @throws the first error; nothing is returned then */
export async function encryptRows(rows: readonly UnknownRow[], batch: Batch): Promise<UnknownRow[]> {
  const out: UnknownRow[] = []
  // Everything that can be wrong with the rows is found before the first key is made.
  const scopes = rows.map((row) => batch.scopesOf(row))
  for (const [at, row] of rows.entries()) {
    if (!batch.keyring.holds('data', scopes[at]?.data as string)) batch.check?.(row)
  }
  for (let at = 0; at < rows.length; at += CHUNK) {
    const load = async (from: number, to: number) => {
      await loadActive(scopes.slice(from, to), batch)
      if (batch.readsCiphertexts) await batch.keyring.load(keyIdsOf(rows.slice(from, to), batch.columns))
    }
    const end = Math.min(at + CHUNK, rows.length)
    await load(at, end)
    for (let index = at; index < end; index++) {
      if (index % SLICE === 0 && index > 0) await nextTurn()
      const row = rows[index] as UnknownRow
      const again = () => load(index, index + 1)
      const ready = batch.prepare && (await prepared(batch.prepare, row, again))
      // A promise for every row would cost as much as a field of it.
      out.push(worked(row, batch, ready) ?? (await workedAgain(row, batch, ready, again)))
    }
  }
  return out
}

/** Decrypts rows in order, each with its own result; every key is loaded once. @throws SystemicFailureError */
export async function decryptRows(rows: readonly UnknownRow[], batch: Batch): Promise<Settled<UnknownRow>[]> {
  const out: Settled<UnknownRow>[] = []
  for (let at = 0; at < rows.length; at += CHUNK) {
    const chunk = rows.slice(at, at + CHUNK)
    await loadGood(keyIdsOf(chunk, batch.columns), batch)
    for (let from = 0; from < chunk.length; from += SLICE) {
      if (out.length > 0) await nextTurn()
      for (const row of chunk.slice(from, from + SLICE)) out.push(settledNow(row, batch) ?? (await settle(row, batch)))
    }
  }
  assertNotSystemic(out)
  return out
}

/**
 * Rewrites rows in order, each with its own result: a row whose scope can no longer be written, or that is damaged, fails
 * alone. Every key is loaded, or made, once. @throws SystemicFailureError
 */
export async function rewriteRows(rows: readonly UnknownRow[], batch: Batch): Promise<Settled<UnknownRow>[]> {
  const { scopes, refused } = scopesOf(rows, batch)
  const closed = await closedScopes(
    [...new Set(scopes)].filter((scope) => scope !== undefined),
    batch,
  )
  await loadGood(keyIdsOf(rows, batch.columns), batch)
  const out: Settled<UnknownRow>[] = []
  for (let at = 0; at < rows.length; at++) {
    if (at % SLICE === 0 && at > 0) await nextTurn()
    const row = rows[at] as UnknownRow
    const scope = scopes[at]
    const reason = scope === undefined ? refused.get(at) : closed.get(scope.data)
    if (reason !== undefined) out.push({ status: 'rejected', reason })
    else out.push(settledNow(row, batch) ?? (await settle(row, batch, scope === undefined ? [] : [scope])))
  }
  assertNotSystemic(out, isErased)
  return out
}

/** The scopes of rows; for those that have none, why. */
function scopesOf(rows: readonly UnknownRow[], batch: Batch) {
  const refused = new Map<number, unknown>()
  const scopes = rows.map((row, at) => {
    try {
      return batch.scopesOf(row)
    } catch (reason) {
      refused.set(at, reason)
      return undefined
    }
  })
  return { scopes, refused }
}

/** Rows of a tenant or person who was erased say nothing about the others. */
function isErased(reason: unknown): boolean {
  return reason instanceof KeyUnavailableError && reason.state === 'destroyed'
}

/** Makes and loads the active keys; for those scopes that have keys and none in use, why. */
async function closedScopes(scopes: readonly RowScopes[], batch: Batch): Promise<Map<string, unknown>> {
  const closed = new Map<string, unknown>()
  try {
    await loadActive(scopes, batch)
  } catch (error) {
    if (!(error instanceof KeyUnavailableError)) throw error
    for (const scope of new Map(scopes.map((one) => [one.data, one])).values()) {
      await loadActive([scope], batch).catch((reason) => {
        if (!(reason instanceof KeyUnavailableError)) throw reason
        closed.set(scope.data, reason)
      })
    }
  }
  return closed
}

/** @param saysNothing whether a failure is one of a row that is not counted at all */
function assertNotSystemic(results: readonly Settled<unknown>[], saysNothing = (_: unknown) => false): void {
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  const apart = reasons.filter(saysNothing).length
  const [failed, all] = [reasons.length - apart, results.length - apart]
  if (all >= FEWEST_FOR_SYSTEMIC && failed * 2 > all) throw new SystemicFailureError(failed, all)
}

/** Loads keys. One whose record is refused fails the rows that need it, when they ask for it again, and no others. */
async function loadGood(ids: ReadonlySet<string>, batch: Batch): Promise<void> {
  try {
    await batch.keyring.load(ids)
  } catch (error) {
    if (!(error instanceof KeyRecordError)) throw error
  }
}

/** The result of a row whose keys are in memory and that needs nothing made before; undefined for others. */
function settledNow(row: UnknownRow, batch: Batch): Settled<UnknownRow> | undefined {
  if (batch.prepare !== undefined) return undefined
  try {
    const value = worked(row, batch, undefined)
    return value && { status: 'fulfilled', value }
  } catch (reason) {
    return { status: 'rejected', reason }
  }
}

/** @param written the scopes that the row is written under, where it is written */
async function settle(row: UnknownRow, batch: Batch, written: readonly RowScopes[] = []): Promise<Settled<UnknownRow>> {
  const again = async () => {
    if (written.length > 0) await loadActive(written, batch)
    await batch.keyring.load(keyIdsOf([row], batch.columns))
  }
  try {
    const ready = batch.prepare && (await prepared(batch.prepare, row, again))
    return { status: 'fulfilled', value: worked(row, batch, ready) ?? (await workedAgain(row, batch, ready, again)) }
  } catch (error) {
    // A service or a store that fails says nothing of the row.
    if (error instanceof KmsError || error instanceof KeyStoreError) throw error
    // Everything that exists was loaded: a key that is still not in memory does not exist.
    return { status: 'rejected', reason: error instanceof KeyNotResidentError ? new DecryptionError() : error }
  }
}

/** The row with the work done; undefined when a key is not in memory. */
function worked(row: UnknownRow, batch: Batch, ready: ReadyRow | undefined): UnknownRow | undefined {
  try {
    return batch.work(row, ready)
  } catch (error) {
    if (error instanceof KeyNotResidentError) return undefined
    throw error
  }
}

/** A batch with more keys than fit into memory, or one beside others, can lose a key before it is used. */
async function workedAgain(
  row: UnknownRow,
  batch: Batch,
  ready: ReadyRow | undefined,
  load: () => Promise<void>,
): Promise<UnknownRow> {
  await load()
  return batch.work(row, ready)
}

async function prepared(prepare: NonNullable<Batch['prepare']>, row: UnknownRow, load: () => Promise<void>) {
  try {
    return await prepare(row)
  } catch (error) {
    if (!(error instanceof KeyNotResidentError)) throw error
    await load()
    return prepare(row)
  }
}

async function loadActive(scopes: readonly RowScopes[], batch: Batch): Promise<void> {
  const data = new Set(scopes.map((scope) => scope.data))
  const index = new Set(scopes.flatMap((scope) => [...scope.index]))
  await batch.keys.ensureActive('data', [...data])
  if (index.size > 0) await batch.keys.ensureActive('index', [...index])
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
