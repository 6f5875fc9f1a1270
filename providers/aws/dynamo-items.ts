import { createHash } from 'node:crypto'
import { KeyStoreError } from '../../src/errors.ts'
import type { KeyLogEntry, KeyPurpose, KeyRecord } from '../../src/key-store.ts'
import type { Item } from './dynamo-client.ts'

/** The partitions of the table: key records by id, what each purpose and scope holds, and the log by number. */
export const RECORDS = 'record'
export const SCOPES = 'scope'
export const LOG = 'log'

/** What one purpose and scope holds; its `version` grows with every change, so that a transaction can insist on it. */
export interface ScopeItem {
  readonly version: number
  readonly active: string | undefined
  readonly generations: readonly number[]
  /** The ids of all its keys, so that they are found without reading those of every other scope. */
  readonly ids: readonly string[]
}

export type ItemKey = { pk: { S: string }; sk: { S: string } }

export function itemKey(partition: string, sort: string): ItemKey {
  return { pk: { S: partition }, sk: { S: sort } }
}

/** A hash, because a sort key holds 1,024 bytes and a scope can be longer. */
export function scopeSort(purpose: KeyPurpose, scope: string): string {
  return createHash('sha256').update(`${purpose} ${scope}`).digest('hex')
}

/** Numbers in the order of their texts. */
export function logSort(seq: number): string {
  return String(seq).padStart(16, '0')
}

export function recordItem(record: KeyRecord) {
  return {
    ...itemKey(RECORDS, record.id),
    rev: { N: String(record.rev) },
    purpose: { S: record.purpose },
    state: { S: record.state },
    scope: { S: record.scope },
    ...(record.parent !== null && { parent: { S: record.parent } }),
    json: { S: JSON.stringify(record) },
  }
}

export function scopeItem(sort: string, { version, active, generations, ids }: ScopeItem) {
  return {
    ...itemKey(SCOPES, sort),
    version: { N: String(version) },
    generations: { NS: generations.map(String) },
    ...(ids.length > 0 && { ids: { SS: [...ids] } }), // DynamoDB has no empty sets
    ...(active !== undefined && { active: { S: active } }),
  }
}

export function logItem(entry: KeyLogEntry) {
  return { ...itemKey(LOG, logSort(entry.seq)), json: { S: JSON.stringify(entry) } }
}

/** @throws KeyStoreError when the item was not written by this provider */
export function parseRecord(item: Item): KeyRecord {
  return parseJson(item) as KeyRecord
}

/** @throws KeyStoreError when the item was not written by this provider */
export function parseEntry(item: Item): KeyLogEntry {
  return parseJson(item) as KeyLogEntry
}

export function parseScope(item: Item): ScopeItem {
  return {
    version: Number(item.version?.N),
    active: item.active?.S,
    generations: (item.generations?.NS ?? []).map(Number),
    ids: item.ids?.SS ?? [],
  }
}

function parseJson(item: Item): unknown {
  try {
    return JSON.parse(item.json?.S ?? '')
  } catch {
    throw new KeyStoreError('corrupt', `item ${item.pk?.S} ${item.sk?.S} is not one of a key store`)
  }
}
