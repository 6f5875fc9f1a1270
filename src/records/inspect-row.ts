import { DecryptionError } from '../errors.ts'
import { keyIdOf, looksEncrypted, parseField } from '../format/field.ts'
import type { DataKey } from '../keys/data-key.ts'
import type { CompiledIndex, CompiledRecord } from './compiled-record.ts'
import { tagVersion } from './record-index.ts'
import type { RowIdentity, UnknownRow } from './row-identity.ts'

/** What one stored column shows without being decrypted. */
export interface RowInspection {
  readonly column: string
  readonly holds: 'ciphertext' | 'plaintext' | 'null' | 'index'
  /** The key that a ciphertext names. */
  readonly keyId?: string
  /** The version of the index key that a tag was made under. */
  readonly indexVersion?: number
  /** Size as stored: bytes, or characters of text. */
  readonly size: number
  /** Whether `reencrypt` would change it. */
  readonly stale: boolean
}

/** What is writing now. */
export interface Current {
  readonly dataKeyId: () => string
  readonly indexVersion: (index: CompiledIndex) => number
}

/** Inspects the fields and index columns that a row has. @throws DecryptionError when a value is not ours */
export function inspectRow(record: CompiledRecord, row: UnknownRow, current: Current): RowInspection[] {
  const out: RowInspection[] = []
  for (const column of record.columns.values()) {
    if (Object.hasOwn(row, column.name)) out.push(inspectField(column, row[column.name], current))
  }
  for (const index of record.indexes) {
    if (Object.hasOwn(row, index.column)) out.push(inspectTag(index, row[index.column], current))
  }
  return out
}

/** What is writing now for a row, as keys. */
export interface Writing {
  readonly dataKey: (identity: RowIdentity) => DataKey
  readonly indexVersion: (index: CompiledIndex, identity: RowIdentity) => number
}

/**
 * Whether anything in a stored row is not under the keys that write now. What is neither ciphertext nor plaintext that may be
 * there counts as old: whoever decrypts it finds out. Only of a row that is current everything was looked at.
 *
 * @throws DecryptionError when a tag, or a value under the active key, is not one of ours
 */
export function isOldRow(record: CompiledRecord, row: UnknownRow, identity: RowIdentity, writing: Writing): boolean {
  let isOld = false
  for (const index of record.indexes) {
    if (Object.hasOwn(row, index.column) && isOldTag(index, row[index.column], identity, writing)) isOld = true
  }
  for (const column of record.columns.values()) {
    if (isOld) return true
    if (Object.hasOwn(row, column.name)) isOld = isOldField(column, row[column.name], identity, writing)
  }
  return isOld
}

function isOldField(column: Column, value: unknown, identity: RowIdentity, writing: Writing): boolean {
  if (column.state === 'plaintext' || (value === null && column.visibleNull)) return false
  if (!looksEncrypted(value)) return true
  const key = writing.dataKey(identity)
  if (typeof value === 'string' && !value.startsWith(key.textHead)) return true
  const field = parseField(value)
  if (field === undefined) throw new DecryptionError()
  return !key.names(field)
}

function isOldTag(index: CompiledIndex, value: unknown, identity: RowIdentity, writing: Writing): boolean {
  if (value === null) return index.nullTag
  return versionOf(value) !== writing.indexVersion(index, identity)
}

function versionOf(tag: unknown): number {
  const version = tagVersion(tag)
  if (version === undefined) throw new DecryptionError()
  return version
}

type Column = CompiledRecord['columns'] extends ReadonlyMap<string, infer Value> ? Value : never

function inspectField(column: Column, value: unknown, current: Current): RowInspection {
  const base = { column: column.name, size: sizeOf(value) }
  if (column.state === 'plaintext') return { ...base, holds: value === null ? 'null' : 'plaintext', stale: false }
  if (value === null && column.visibleNull) return { ...base, holds: 'null', stale: false }
  if (column.state === 'migrating' && !looksEncrypted(value)) {
    return { ...base, holds: value === null ? 'null' : 'plaintext', stale: true }
  }
  const field = parseField(value)
  if (field === undefined) throw new DecryptionError()
  const keyId = keyIdOf(field)
  return { ...base, holds: 'ciphertext', keyId, stale: keyId !== current.dataKeyId() }
}

function inspectTag(index: CompiledIndex, value: unknown, current: Current): RowInspection {
  const base = { column: index.column, size: sizeOf(value) }
  // A missing tag is stale only where every value has one.
  if (value === null) return { ...base, holds: 'null', stale: index.nullTag }
  const indexVersion = versionOf(value)
  return { ...base, holds: 'index', indexVersion, stale: indexVersion !== current.indexVersion(index) }
}

function sizeOf(value: unknown): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 0
}
