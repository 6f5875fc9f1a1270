import { wipe } from '../bytes.ts'
import { InvalidInputError, KeyStoreError } from '../errors.ts'
import type { KeyPurpose, KeyRecord, KeyStore, ShredLedger } from '../key-store.ts'
import { type Change, stateChange } from './key-change.ts'
import { keyPages } from './key-pages.ts'
import { commitSize, type KeyParts, readKeys } from './key-parts.ts'
import { unwrapSecret } from './open-key.ts'
import { REPORTS_BUCKET, reportsScope } from './report-proof.ts'
import { canonicalScope, describeScope, encodeScope, type KeyScope } from './scope.ts'
import {
  isProven,
  nextShredEntries,
  restoredKeys,
  ShredLedgerReader,
  type ShredStatement,
  shredProof,
} from './shred-ledger.ts'

/** How to shred. */
export interface ShredKeysOptions {
  /** For the record; at most 1,000 characters. */
  readonly reason?: string
  /** Says which keys it would be, and changes nothing. */
  readonly dryRun?: boolean
  /** Stops between two batches; running again goes on where it stopped. */
  readonly signal?: AbortSignal
  /** Told the keys done so far, after each batch. */
  readonly onProgress?: (keys: number) => void
}

/** A key that is gone, or would be. */
export interface ShreddedKey {
  readonly id: string
  readonly purpose: KeyPurpose
  /** In words; a subject is shown as its hash. */
  readonly scope: string
  readonly generation: number
  /** When it was destroyed, ISO 8601; null for a dry run. */
  readonly destroyedAt: string | null
  /** The root key whose wrap of it may stand in backups of the store. */
  readonly root: string | null
}

const BATCH = 500
const TRIES = 20
const ROUNDS = 20

/** Canonical texts that a scope stands for: keys of exactly this scope, and of every scope within it. */
export function scopesWithin(scope: KeyScope, name: string): { readonly exact: string; readonly prefix: string } {
  const exact = encodeScope(scope, name)
  if (exact === '') {
    throw new InvalidInputError(
      'a scope to shred must name a tenant, a subject or a bucket: the empty scope is everybody',
    )
  }
  if (exact === reportsScope(name)) {
    throw new InvalidInputError(
      `the bucket ${REPORTS_BUCKET} cannot be shredded: no report or receipt could be verified any more`,
    )
  }
  return { exact, prefix: `${exact};` }
}

/**
 * Destroys every key of a scope and of the scopes within it, until a listing finds no other: whoever makes a key at the same
 * moment makes it in vain.
 *
 * @throws KeyStoreError `conflict` when others keep making keys
 */
export async function shredScope(
  parts: KeyParts,
  ledger: ShredLedger | undefined,
  scope: KeyScope,
  options: ShredKeysOptions,
): Promise<ShreddedKey[]> {
  const shredded = new Map<string, ShreddedKey>()
  for (let round = 0; round < ROUNDS; round++) {
    const before = shredded.size
    const found = (await idsWithin(parts, scope)).filter((id) => !shredded.has(id))
    if (found.length === 0) return [...shredded.values()]
    const onProgress = (keys: number) => options.onProgress?.(before + keys)
    for (const key of await shredIds(parts, ledger, found, { ...options, onProgress })) shredded.set(key.id, key)
    if (options.dryRun) return [...shredded.values()]
  }
  throw new KeyStoreError(
    'conflict',
    'keys are made for this scope as fast as they are destroyed: stop what encrypts under it, and shred again',
  )
}

/** Ids are in the scopes of rows in one text; `room.encrypt` takes a scope as it is given. */
async function idsWithin({ store, name }: KeyParts, scope: KeyScope): Promise<string[]> {
  const ids = new Set<string>()
  for (const one of [scope, canonicalScope(scope)]) {
    const { exact, prefix } = scopesWithin(one, name)
    for (const id of await idsOf(store, { scope: exact })) ids.add(id)
    for (const id of await idsOf(store, { scopePrefix: prefix })) ids.add(id)
  }
  return [...ids]
}

/** Destroys every key whose end has come. */
export async function shredExpired(
  parts: KeyParts,
  ledger: ShredLedger | undefined,
  options: ShredKeysOptions,
): Promise<ShreddedKey[]> {
  const now = parts.clock.date().toISOString()
  const isOver = ({ expiresAt, state }: KeyRecord) => expiresAt !== null && expiresAt <= now && state !== 'destroyed'
  return shredIds(parts, ledger, await idsOf(parts.store, {}, isOver), options)
}

/**
 * Destroys again what the ledger names and an old copy of the store brought back, a key that waits to be destroyed too. Each entry must have been made with
 * the key that it names: a ledger that somebody wrote into destroys nothing.
 *
 * @throws KeyStoreError `corrupt` for a ledger that was changed
 */
export async function replayShreds(
  parts: KeyParts,
  ledger: ShredLedger,
  options: ShredKeysOptions,
): Promise<ShreddedKey[]> {
  const restored = await restoredKeys(ledger, parts.store, parts.name, ['destroyed'])
  const ids = restored.map(({ record }) => record.id)
  const records = await readKeys(parts, ids)
  for (const [at, { entry }] of restored.entries()) {
    const secret = await secretOf(parts, records[at] as KeyRecord)
    const proven = isProven(secret, entry)
    wipe(secret)
    if (!proven) {
      throw new KeyStoreError(
        'corrupt',
        `entry ${entry.seq} of the shred ledger names key ${entry.keyId} and was not made with it: nothing was destroyed`,
      )
    }
  }
  return shredIds(parts, ledger, ids, options)
}

/**
 * Takes the keys out of use, writes them into the ledger, destroys them: in this order, a batch at a time. Between any two steps
 * the process may die, and running again goes on: what is out of use stays so, what the ledger names is not written twice.
 */
async function shredIds(
  parts: KeyParts,
  ledger: ShredLedger | undefined,
  ids: readonly string[],
  options: ShredKeysOptions,
): Promise<ShreddedKey[]> {
  const shredded: ShreddedKey[] = []
  const batch = commitSize(parts.store, BATCH)
  const named = ledger && new NamedKeys(parts, ledger)
  for (let at = 0; at < ids.length; at += batch) {
    options.signal?.throwIfAborted()
    const part = ids.slice(at, at + batch)
    if (!options.dryRun) {
      await moveTo(parts, part, 'destroy_scheduled', options.reason)
      await named?.add(part)
      await moveTo(parts, part, 'destroyed', options.reason)
    }
    shredded.push(...(await readKeys(parts, part)).map(asShredded))
    options.onProgress?.(shredded.length)
  }
  return shredded
}

async function moveTo(
  parts: KeyParts,
  ids: readonly string[],
  state: 'destroy_scheduled' | 'destroyed',
  reason: string | undefined,
): Promise<void> {
  await parts.writer.write('shred', async () => {
    const change: Change[] = []
    for (const before of await readKeys(parts, ids)) {
      if (before.state === 'destroyed' || before.state === state) continue
      const signer = await parts.keyring.root(before.parent as string)
      change.push(stateChange(parts, before, state, reason ?? before.reason ?? undefined, signer))
    }
    return { change }
  })
}

/** What the ledger names of this Strongroom; each batch reads what was added to it, and not all of it again. */
class NamedKeys {
  readonly #parts: KeyParts
  readonly #ledger: ShredLedger
  readonly #reader: ShredLedgerReader
  readonly #ids = new Set<string>()

  constructor(parts: KeyParts, ledger: ShredLedger) {
    this.#parts = parts
    this.#ledger = ledger
    this.#reader = new ShredLedgerReader(ledger)
  }

  /** Writes into the ledger what it does not name yet. */
  async add(ids: readonly string[]): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      for (const { store, keyId } of await this.#reader.read()) if (store === this.#parts.name) this.#ids.add(keyId)
      const statements = await this.#statements(ids.filter((id) => !this.#ids.has(id)))
      if (statements.length === 0) return
      if (await this.#ledger.append(nextShredEntries(this.#reader.last, statements))) return
    }
    throw new KeyStoreError('conflict', 'could not write the shred ledger: other processes were first every time')
  }

  async #statements(ids: readonly string[]): Promise<(ShredStatement & { proof: string })[]> {
    const { name, clock } = this.#parts
    const statements = []
    for (const key of await readKeys(this.#parts, ids)) {
      if (key.state === 'destroyed') continue // destroyed before there was a ledger: its proof can no longer be made
      const statement = { at: clock.date().toISOString(), store: name, keyId: key.id }
      const secret = await secretOf(this.#parts, key)
      statements.push({ ...statement, proof: shredProof(secret, statement) })
      wipe(secret)
    }
    return statements
  }
}

async function secretOf(parts: KeyParts, record: KeyRecord): Promise<Uint8Array> {
  return unwrapSecret(await parts.keyring.root(record.parent as string), record)
}

async function idsOf(
  store: KeyStore,
  query: { readonly scope?: string; readonly scopePrefix?: string },
  wanted: (record: KeyRecord) => boolean = () => true,
): Promise<string[]> {
  const ids: string[] = []
  for await (const page of keyPages(store, query)) {
    ids.push(...page.filter((record) => record.purpose !== 'root' && wanted(record)).map(({ id }) => id))
  }
  return ids
}

function asShredded({ id, purpose, scope, generation, state, stateAt, parent }: KeyRecord): ShreddedKey {
  const destroyedAt = state === 'destroyed' ? stateAt : null
  return { id, purpose, scope: describeScope(scope), generation, destroyedAt, root: parent }
}
