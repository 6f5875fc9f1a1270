import { assertDate, assertMethods, assertObject, assertText } from '../bytes.ts'
import { FIELD_FORMAT, HEADER_LENGTH, keyIdOfHead, TEXT_HEAD_LENGTH, TEXT_PREFIX } from '../format/field.ts'
import type { KeyState, KeyStore } from '../key-store.ts'
import { indexVersion } from '../keys/index-key.ts'
import { compileRecord } from '../records/compiled-record.ts'
import type { AnyRecord } from '../records/record-types.ts'
import { RowIdentifier } from '../records/row-identity.ts'
import type { HeadCount, Table } from '../table.ts'

/** Rows of one column that hold the same thing. */
export interface CensusCount {
  readonly record: string
  readonly column: string
  /** `foreign` is neither a ciphertext nor a tag of ours: plaintext, or another library's value. */
  readonly holds: 'ciphertext' | 'tag' | 'null' | 'foreign'
  /** The key that a ciphertext names. */
  readonly keyId?: string
  /** Of that key; `unknown` when the key store has no such key. */
  readonly state?: KeyState | 'unknown'
  /** Of the index key that a tag was made under. */
  readonly version?: number
  /** Whether that is the version that its scope writes now. */
  readonly current?: boolean
  readonly rows: number
}

/** What a table holds, counted. */
export interface Census {
  readonly record: string
  /** What messages call the table. */
  readonly table: string
  /** When the counting began, ISO 8601. */
  readonly at: string
  readonly counts: readonly CensusCount[]
  /** Values that are under no active key: ciphertexts and tags under other keys, and values that are not ours. */
  readonly outdated: number
  /** Indexes over more rows than they were planned for. */
  readonly outgrown: readonly OutgrownIndex[]
}

/** An index whose searches return many rows that do not match: plan it again with more `rows`. */
export interface OutgrownIndex {
  readonly column: string
  /** Rows with a tag; of the largest tenant where each has an index key of its own. */
  readonly rows: number
  /** Four times the `rows` of its plan, above which it should be planned again. */
  readonly warnAtRows: number
}

/** What a census needs besides a table. */
export interface CensusOptions {
  /** The name of the Strongroom. */
  readonly app: string
  /** Where the states of keys stand; they are taken as they are written, so that no KMS is needed. */
  readonly store: Pick<KeyStore, 'get' | 'findActive'>
  /** What the census gives as the time of counting; the clock of this machine by default. */
  readonly now?: Date
}

/**
 * Counts the rows of a table by the key that each encrypted column names. The database does it from the first characters:
 * nothing is decrypted, no key is needed, and no row is changed.
 *
 * @throws TableError (`ERR_TABLE`), KeyStoreError (`ERR_KEY_STORE`), InvalidInputError (`ERR_INVALID_INPUT`)
 */
export async function census(schema: AnyRecord, table: Table, options: CensusOptions): Promise<Census> {
  assertMethods(table, ['describe', 'page', 'write', 'countHeads'], 'table')
  assertObject(options, 'the options')
  assertMethods(options.store, ['get', 'findActive'], 'store')
  assertText(options.app, 'app')
  assertDate(options.now, 'now')
  const { columns, indexes, name } = compileRecord(schema)
  const { app, store, now = new Date() } = options
  const { tenant } = schema.options
  const scopes = new RowIdentifier(app, name, schema.options)
  const counted: CensusCount[] = []
  const outgrown: OutgrownIndex[] = []
  for (const column of columns.values()) {
    if (column.state === 'plaintext') continue
    const query = column.binary
      ? { prefix: Uint8Array.of(FIELD_FORMAT), length: HEADER_LENGTH }
      : { prefix: TEXT_PREFIX, length: TEXT_HEAD_LENGTH }
    const heads = await table.countHeads({ column: column.name, ...query })
    counted.push(...fieldCounts(name, column.name, heads))
  }
  for (const { column, binary, global, warnAtRows = Number.POSITIVE_INFINITY } of indexes) {
    const query = binary ? { prefix: new Uint8Array(), length: 1 } : { prefix: '', length: 2 }
    const by = global || tenant === undefined ? {} : { by: tenant }
    const heads = await table.countHeads({ column, ...query, ...by })
    const scopeOf = (head: HeadCount) => (head.by === null || global ? '' : scopes.tenantScope(head.by))
    const versions = await activeVersions(store, [...new Set(heads.map(scopeOf))])
    counted.push(...tagCounts(name, column, heads, (head) => versions.get(scopeOf(head))))
    const rows = mostInOneScope(heads, scopeOf)
    if (rows > warnAtRows) outgrown.push({ column, rows, warnAtRows })
  }
  const states = await findStates(store, [...new Set(counted.flatMap(({ keyId }) => keyId ?? []))])
  const counts = counted.map((count) =>
    count.keyId === undefined ? count : { ...count, state: states.get(count.keyId) ?? ('unknown' as const) },
  )
  const outdated = counts
    .filter(({ holds, state, current }) => {
      return holds === 'foreign' || (holds === 'ciphertext' && state !== 'active') || (holds === 'tag' && !current)
    })
    .reduce((sum, { rows }) => sum + rows, 0)
  return { record: name, table: table.name, at: now.toISOString(), counts, outdated, outgrown }
}

function fieldCounts(record: string, column: string, heads: readonly HeadCount[]): CensusCount[] {
  const counts = new Map<string, CensusCount>()
  for (const { head, rows } of heads) {
    const keyId = head === null ? undefined : keyIdOfHead(head)
    const holds = head === null ? 'null' : keyId === undefined ? 'foreign' : 'ciphertext'
    // The last character of a head holds bits of the nonce: one key can have several heads.
    add(counts, { record, column, holds, ...(keyId !== undefined && { keyId }), rows })
  }
  return [...counts.values()].sort(byRows)
}

function tagCounts(
  record: string,
  column: string,
  heads: readonly HeadCount[],
  versionNow: (head: HeadCount) => number | undefined,
): CensusCount[] {
  const counts = new Map<string, CensusCount>()
  for (const one of heads) {
    const { head, rows } = one
    const version = head === null ? undefined : versionOf(head)
    if (version === undefined) add(counts, { record, column, holds: head === null ? 'null' : 'foreign', rows })
    else add(counts, { record, column, holds: 'tag', version, current: version === versionNow(one), rows })
  }
  return [...counts.values()].sort(byRows)
}

function mostInOneScope(heads: readonly HeadCount[], scopeOf: (head: HeadCount) => string): number {
  const rows = new Map<string, number>()
  for (const head of heads) {
    if (head.head !== null) rows.set(scopeOf(head), head.rows + (rows.get(scopeOf(head)) ?? 0))
  }
  return [...rows.values()].reduce((most, one) => Math.max(most, one), 0)
}

const PAGE = 1000

async function findStates(store: CensusOptions['store'], ids: readonly string[]): Promise<Map<string, KeyState>> {
  const states = new Map<string, KeyState>()
  for (let at = 0; at < ids.length; at += PAGE) {
    for (const { id, state } of await store.get(ids.slice(at, at + PAGE))) states.set(id, state)
  }
  return states
}

async function activeVersions(store: CensusOptions['store'], scopes: readonly string[]): Promise<Map<string, number>> {
  const versions = new Map<string, number>()
  for (let at = 0; at < scopes.length; at += PAGE) {
    for (const { scope, generation } of await store.findActive('index', scopes.slice(at, at + PAGE))) {
      versions.set(scope, indexVersion(generation))
    }
  }
  return versions
}

function versionOf(head: string | Uint8Array): number | undefined {
  if (typeof head !== 'string') return head[0]
  return /^[0-9a-f]{2}$/.test(head) ? Number.parseInt(head, 16) : undefined
}

function add(counts: Map<string, CensusCount>, count: CensusCount): void {
  const name = `${count.holds} ${count.keyId ?? count.version ?? ''} ${count.current ?? ''}`
  counts.set(name, { ...count, rows: count.rows + (counts.get(name)?.rows ?? 0) })
}

function byRows(a: CensusCount, b: CensusCount): number {
  return b.rows - a.rows
}
