import { KeyStoreError } from '../../src/errors.ts'
import type { KeyLogEntry, KeyRecord } from '../../src/key-store.ts'

type Row = Readonly<Record<string, unknown>>

/** Columns as text, so that no type parser of the user's pool changes what is read. */
export const RECORD_COLUMNS = `id, commitment, store, purpose, scope, generation::text as generation, parent, created_at,
  expires_at, wraps::text as wraps, state, state_at, reason, rev::text as rev, mac`
export const LOG_COLUMNS = 'seq::text as seq, at, action, changes::text as changes, previous, hash, root, mac'

/** What `json_to_recordset` reads from `recordRow`. */
export const ROW_TYPE = `id text, commitment text, store text, purpose text, scope text, generation bigint, parent text,
  created_at text, expires_at text, wraps jsonb, state text, state_at text, reason text, rev bigint, mac text`
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
