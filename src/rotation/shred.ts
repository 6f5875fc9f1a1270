import { assertDate, assertMethods, assertObject } from '../bytes.ts'
import type { ShredLedger } from '../key-store.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import type { Proved } from '../keys/report-proof.ts'
import { canonicalScope, describeScope, encodeScope, type KeyScope } from '../keys/scope.ts'
import type { ShreddedKey } from '../keys/shred-keys.ts'
import type { AnyRecord } from '../records/record-types.ts'
import type { Table } from '../table.ts'
import { type ClearedTable, clearTags, hasRowsOf } from './clear-tags.ts'
import { assertBackups } from './days.ts'
import { assertErased } from './erased.ts'
import { assertParts } from './parts.ts'
import type { BackupPolicy } from './retire-checks.ts'

/** What shredding needs of a configuration. */
export interface ShredParts {
  readonly name: string
  readonly records?: Readonly<Record<string, AnyRecord>>
  readonly tables?: Readonly<Record<string, Table | undefined>>
  readonly backups?: BackupPolicy
  readonly shredLedger?: ShredLedger
}

/** How to shred. */
export interface ShredOptions {
  /** For the record and the receipt; at most 1,000 characters. */
  readonly reason?: string
  /** Says what it would do, and changes nothing. */
  readonly dryRun?: boolean
  /** Stops between two batches; running again goes on where it stopped. */
  readonly signal?: AbortSignal
  /** Told the keys done so far, after each batch. */
  readonly onProgress?: (keys: number) => void
  /** The time of this machine, for tests. */
  readonly now?: Date
}

/** When nobody can read the data any more, whatever backup they hold. */
export interface Finality {
  readonly status: 'scheduled' | 'final'
  /** When it is final, ISO 8601; null when nobody said how long backups of the key store are kept. */
  readonly final: string | null
  /** Why, in plain words. */
  readonly because: string
}

/** What was shredded: goes to whoever asked for the erasure, and into the files. */
export interface ShredReceipt {
  readonly kind: 'shred'
  readonly format: 1
  readonly store: string
  readonly at: string
  /** In words; a subject is shown as its hash. `expired keys` and `ledger` where no scope was named. */
  readonly scope: string
  readonly reason: string | null
  readonly dryRun: boolean
  readonly keys: readonly ShreddedKey[]
  readonly tables: readonly ClearedTable[]
  /** Records that can have rows of the scope and have no table: nobody looked at them. */
  readonly unseen: readonly string[]
  readonly ledger: string | null
  /** What this did not reach, in plain words. */
  readonly remains: readonly string[]
  readonly finality: Finality
}

const EXPIRED = 'expired keys'
const LEDGER = 'ledger'
const DAY_MS = 86_400_000

/**
 * Erases a tenant, a person or a bucket: destroys every key of the scope and of those within it, writes them into the
 * shred ledger, and empties the index columns of the rows in the configured tables. Killed at any moment and run again, it
 * finishes; run once more, it changes nothing and gives a receipt again.
 *
 * @param parts the configuration
 * @param keys `room.keys`
 * @returns a receipt, with its proof
 * @throws InvalidInputError for the empty scope, and for the bucket `strongroom.reports`, whose key proves receipts
 * @throws KeyRecordError, KeyStoreError, TableError (`ERR_TABLE`)
 */
export async function shred(
  parts: ShredParts,
  keys: KeyManager,
  scope: KeyScope,
  options: ShredOptions = {},
): Promise<Proved<ShredReceipt>> {
  assertArguments(parts, keys, options)
  const shredded = await keys.shred(scope, options)
  const gone = { ...options, shredded: new Set(shredded.map(({ id }) => id)) }
  const tables: ClearedTable[] = []
  const unseen: string[] = []
  const own = canonicalScope(scope)
  for (const [name, schema] of Object.entries(parts.records ?? {})) {
    if (!hasRowsOf(schema, scope)) continue
    const table = parts.tables?.[name]
    if (table !== undefined) tables.push(await clearTags(parts.name, schema, table, own, gone))
    else unseen.push(name)
  }
  const found = { scope: describeScope(encodeScope(own, parts.name)), keys: shredded, tables, unseen, missed: [] }
  return receipt(parts, keys, found, options)
}

/** Shreds every key whose `expiresAt` has come. @returns a receipt, with its proof @throws as `KeyManager.shredExpired`; the signal's reason */
export async function shredExpired(
  parts: ShredParts,
  keys: KeyManager,
  options: ShredOptions = {},
): Promise<Proved<ShredReceipt>> {
  assertArguments(parts, keys, options)
  const shredded = await keys.shredExpired(options)
  return receipt(parts, keys, { scope: EXPIRED, keys: shredded, tables: [], unseen: [], missed: [] }, options)
}

/** Shreds again what an old copy of the key store brought back. @returns a receipt, with its proof @throws as `KeyManager.replayShreds`; the signal's reason */
export async function replayShreds(
  parts: ShredParts,
  keys: KeyManager,
  options: ShredOptions = {},
): Promise<Proved<ShredReceipt>> {
  assertArguments(parts, keys, options)
  const shredded = await keys.replayShreds(options)
  const missed =
    shredded.length === 0
      ? []
      : ['index columns that a restored backup of the data brought back: shred the scope again']
  return receipt(parts, keys, { scope: LEDGER, keys: shredded, tables: [], unseen: [], missed }, options)
}

/**
 * When an erasure holds against backups of the key store. A backup from before it has the wrapped key and the root key
 * that opens it, wrapped by the KMS: as long as such a backup and that KMS key exist, somebody with both can read.
 *
 * @throws InvalidInputError when the receipt is none
 */
export function finality(
  receipt: Pick<ShredReceipt, 'scope' | 'keys' | 'tables' | 'unseen'>,
  backups: BackupPolicy | undefined,
  now: Date,
): Finality {
  assertObject(receipt, 'the receipt')
  assertBackups(backups)
  assertDate(now ?? null, 'now')
  assertErased(receipt)
  const { scope, keys, tables, unseen } = receipt
  const open = unfinished(tables, unseen)
  if (keys.length === 0 && scope !== EXPIRED && scope !== LEDGER) {
    open.unshift('no key of this scope was found: nothing was erased')
  }
  if (open.length > 0) return { status: 'scheduled', final: null, because: open.join('; ') }
  const times = keys.map(({ destroyedAt }) => (destroyedAt === null ? Number.NaN : Date.parse(destroyedAt)))
  if (times.some(Number.isNaN)) return { status: 'scheduled', final: null, because: 'keys are not destroyed yet' }
  if (times.length === 0) return { status: 'final', final: now.toISOString(), because: 'there was no key' }
  const days = backups?.keyStoreKeepDays ?? backups?.keepDays
  if (days === undefined) {
    const because =
      'the configuration does not say how long backups of the key store are kept (`backups`): final when those from before are gone'
    return { status: 'scheduled', final: null, because }
  }
  const until = new Date(Math.max(...times) + days * DAY_MS)
  const status = now >= until ? 'final' : 'scheduled'
  const because =
    status === 'final'
      ? `every backup of the key store that held the keys is older than ${days} days`
      : `backups of the key store from before are kept for ${days} days; sooner only if the KMS key that wrapped the root key of then is destroyed`
  return { status, final: until.toISOString(), because }
}

/** What is to be done before an erasure is one, in plain words. */
function unfinished(tables: readonly ClearedTable[], unseen: readonly string[]): string[] {
  const open = tables
    .filter(({ readable }) => readable > 0)
    .map(({ table, readable }) => `${readable} rows of ${table}`)
  const full = tables
    .filter(({ rows, left, kept }) => left > 0 || (rows > 0 && kept.length > 0))
    .map(({ table, rows, left, kept }) => `${kept.length > 0 ? rows : left} rows of ${table}`)
  return [
    ...(open.length === 0
      ? []
      : [`${open.join(', ')} still hold values that are not under these keys: delete or re-encrypt them`]),
    ...(full.length === 0
      ? []
      : [`${full.join(', ')} still have filled index columns: delete them, or let them be null and shred again`]),
    ...(unseen.length === 0 ? [] : [`nobody looked at rows of ${unseen.join(', ')}: name a table and shred again`]),
  ]
}

/** What was found and done, and what else is to be said. */
type Found = Pick<ShredReceipt, 'scope' | 'keys' | 'tables' | 'unseen'> & { readonly missed: readonly string[] }

async function receipt(
  parts: ShredParts,
  keys: KeyManager,
  { missed, ...found }: Found,
  { now = new Date(), reason = null, dryRun = false }: { now?: Date; reason?: string | null; dryRun?: boolean },
): Promise<Proved<ShredReceipt>> {
  const remains = [
    ...missed,
    ...found.unseen.map(
      (name) => `record ${name} has no table: its rows were not looked at, and its index columns not emptied`,
    ),
    ...found.tables.flatMap(({ table, kept }) =>
      kept.map((column) => `${table}.${column} must hold a value: it was not emptied`),
    ),
    ...found.tables
      .filter(({ left }) => left > 0)
      .map(({ table, left }) => `others kept filling index columns of ${left} rows of ${table}`),
    ...(parts.shredLedger === undefined
      ? ['there is no shredLedger: a restored backup of the key store brings the keys back unnoticed']
      : []),
    'what was never encrypted: logs, exports, search engines, and columns that no record declares',
  ]
  const body = {
    kind: 'shred',
    format: 1,
    store: parts.name,
    at: now.toISOString(),
    scope: found.scope,
    reason,
    dryRun,
    keys: found.keys,
    tables: found.tables,
    unseen: found.unseen,
    ledger: parts.shredLedger?.name ?? null,
    remains,
    finality: finality(found, parts.backups, now),
  } as const
  // A proof may have to make its key first, and a dry run changes nothing.
  return dryRun ? { ...body, proof: '' } : keys.proveReport(body)
}

/** Before a key is destroyed: what fails behind that leaves nobody a receipt. */
function assertArguments(parts: ShredParts, keys: KeyManager, options: ShredOptions): void {
  assertParts(parts)
  assertMethods(keys, ['shred', 'shredExpired', 'replayShreds', 'proveReport'], 'keys')
  assertObject(options, 'the options')
  assertDate(options.now, 'now')
}
