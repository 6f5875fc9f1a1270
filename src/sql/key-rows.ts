import { KeyStoreError } from '../errors.ts'
import type { KeyLogEntry, KeyRecord } from '../key-store.ts'

type Row = Readonly<Record<string, unknown>>

/** The columns of a key record, in the order in which every SQL key store has them. */
export const ROW_NAMES = [
  'id',
  'commitment',
  'store',
  'purpose',
  'scope',
  'generation',
  'parent',
  'created_at',
  'expires_at',
  'wraps',
  'state',
  'state_at',
  'reason',
  'rev',
  'mac',
] as const

/** A record by the names of its columns. */
export function recordRow(record: KeyRecord): Record<(typeof ROW_NAMES)[number], unknown> {
  const { format: _format, createdAt, expiresAt, stateAt, ...rest } = record
  return { ...rest, created_at: createdAt, expires_at: expiresAt, state_at: stateAt }
}

/** The record in a row. What it says is not checked here: its MAC is checked by those who use it. */
export function parseRecord(row: Row): KeyRecord {
  const { created_at, expires_at, state_at, generation, rev, wraps, ...rest } = row
  const record = {
    format: 1,
    ...rest,
    generation: parseCount(generation),
    rev: parseCount(rev),
    wraps: parseJson(wraps),
    createdAt: created_at,
    expiresAt: expires_at,
    stateAt: state_at,
  }
  return record as unknown as KeyRecord
}

/** The log entry in a row. */
export function parseEntry(row: Row): KeyLogEntry {
  const entry = { ...row, seq: parseCount(row.seq), changes: parseJson(row.changes) }
  return entry as unknown as KeyLogEntry
}

function parseCount(value: unknown): number {
  const count = Number(value)
  if (!Number.isSafeInteger(count)) throw new KeyStoreError('corrupt', 'a number in the key tables is out of range')
  return count
}

function parseJson(value: unknown): unknown[] {
  const list: unknown = JSON.parse(String(value))
  if (!Array.isArray(list)) throw new KeyStoreError('corrupt', 'a list in the key tables is no list')
  return list
}
