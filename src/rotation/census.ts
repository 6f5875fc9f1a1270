import { FIELD_FORMAT, HEADER_LENGTH, keyIdOfHead, TEXT_HEAD_LENGTH, TEXT_PREFIX } from '../format/field.ts'
import type { KeyState } from '../key-store.ts'
import { compileRecord } from '../records/compiled-record.ts'
import type { AnyRecord } from '../records/record-types.ts'
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
  /** Values that are under no active key: ciphertexts under other keys, and values that are not ours. */
  readonly outdated: number
}

/** Finds the states of keys by their ids; keys that do not exist are left out. */
export type FindStates = (ids: readonly string[]) => Promise<ReadonlyMap<string, KeyState>>

/**
 * Counts the rows of a table by the key that each encrypted column names. The database does it from the first characters:
 * nothing is decrypted, no key is needed, and no row is changed.
 *
 * @throws TableError (`ERR_TABLE`)
 */
export async function census(schema: AnyRecord, table: Table, findStates: FindStates, now: Date): Promise<Census> {
  const { columns, indexes, name } = compileRecord(schema)
  const counted: CensusCount[] = []
  for (const column of columns.values()) {
    if (column.state === 'plaintext') continue
    const query = column.binary
      ? { prefix: Uint8Array.of(FIELD_FORMAT), length: HEADER_LENGTH }
      : { prefix: TEXT_PREFIX, length: TEXT_HEAD_LENGTH }
    const heads = await table.countHeads({ column: column.name, ...query })
    counted.push(...fieldCounts(name, column.name, heads))
  }
  for (const { column, binary } of indexes) {
    const query = binary ? { prefix: new Uint8Array(), length: 1 } : { prefix: '', length: 2 }
    const heads = await table.countHeads({ column, ...query })
    counted.push(...tagCounts(name, column, heads))
  }
  const states = await findStates([...new Set(counted.flatMap(({ keyId }) => keyId ?? []))])
  const counts = counted.map((count) =>
    count.keyId === undefined ? count : { ...count, state: states.get(count.keyId) ?? ('unknown' as const) },
  )
  const outdated = counts
    .filter(({ holds, state }) => holds === 'foreign' || (holds === 'ciphertext' && state !== 'active'))
    .reduce((sum, { rows }) => sum + rows, 0)
  return { record: name, table: table.name, at: now.toISOString(), counts, outdated }
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

function tagCounts(record: string, column: string, heads: readonly HeadCount[]): CensusCount[] {
  const counts = new Map<string, CensusCount>()
  for (const { head, rows } of heads) {
    const version = head === null ? undefined : versionOf(head)
    const holds = head === null ? 'null' : version === undefined ? 'foreign' : 'tag'
    add(counts, { record, column, holds, ...(version !== undefined && { version }), rows })
  }
  return [...counts.values()].sort(byRows)
}

function versionOf(head: string | Uint8Array): number | undefined {
  if (typeof head !== 'string') return head[0]
  return /^[0-9a-f]{2}$/.test(head) ? Number.parseInt(head, 16) : undefined
}

function add(counts: Map<string, CensusCount>, count: CensusCount): void {
  const name = `${count.holds} ${count.keyId ?? count.version ?? ''}`
  counts.set(name, { ...count, rows: count.rows + (counts.get(name)?.rows ?? 0) })
}

function byRows(a: CensusCount, b: CensusCount): number {
  return b.rows - a.rows
}
