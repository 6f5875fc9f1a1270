import { codeOf, keyStoreError, type Meaning, tableError } from '../../src/sql/faults.ts'

/** By the primary result code. https://sqlite.org/rescode.html */
const MEANINGS: Readonly<Record<number, Meaning>> = {
  3: ['misconfigured', 'the file may not be opened'],
  5: ['locked', 'another connection held the database for too long'],
  6: ['locked', 'another connection held the database for too long'],
  7: ['unavailable', 'there is no memory left'],
  8: ['misconfigured', 'the file may not be written'],
  9: ['unavailable', 'the statement was interrupted'],
  10: ['unavailable', 'the file could not be read or written'],
  11: ['corrupt', 'the file is damaged'],
  13: ['unavailable', 'the disk is full'],
  14: ['misconfigured', 'the file cannot be opened'],
  15: ['unavailable', 'the locks of the file could not be taken'],
  18: ['input', 'a value that the database cannot hold'],
  19: ['input', 'a record that breaks a constraint of the table'],
  20: ['input', 'a value of another type than that of its column'],
  26: ['corrupt', 'the file is no database'],
}

const TABLE_MEANINGS: Readonly<Record<number, Meaning>> = {
  18: ['misconfigured', 'a value is larger than the database takes'],
  19: ['misconfigured', 'a constraint of the table refuses the new value'],
  20: ['misconfigured', 'a column cannot hold the new value'],
}

/** better-sqlite3 gives the name of a code, node:sqlite its number; both may be extended. */
const NAMES: Readonly<Record<string, number>> = {
  PERM: 3,
  BUSY: 5,
  LOCKED: 6,
  NOMEM: 7,
  READONLY: 8,
  INTERRUPT: 9,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  PROTOCOL: 15,
  TOOBIG: 18,
  CONSTRAINT: 19,
  MISMATCH: 20,
  NOTADB: 26,
}

const CONSTRAINT = 19

/** The error for whatever the driver threw. */
export function sqliteError(place: string, error: unknown): Error {
  return keyStoreError(place, error, (thrown) => {
    if (isMissing(thrown))
      return ['misconfigured', 'the tables do not exist: make them with `strongroom keys tables --create`']
    return meaningOf(thrown)
  })
}

/** The same for the table of an application. */
export function sqliteTableError(place: string, error: unknown): Error {
  return tableError(place, error, (thrown) => {
    if (isMissing(thrown)) return ['misconfigured', 'a table does not exist']
    if (/^error in (view|trigger|index|table)|after drop column/.test(messageOf(thrown)))
      return ['misconfigured', 'a view, trigger, index or constraint uses a column: change it first, see the cause']
    return TABLE_MEANINGS[resultCode(thrown)] ?? meaningOf(thrown)
  })
}

/** Whether another connection, or a transaction of the application on this one, is in the way. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error)
  return code === 5 || code === 6 || /within a transaction|inside a transaction/.test(messageOf(error))
}

/** Whether a table does not exist. */
export function isMissing(error: unknown): boolean {
  return /no such table/.test(messageOf(error))
}

/** The columns of the unique constraint that a row breaks, as `table.column, …`. */
export function brokenUnique(error: unknown): string | undefined {
  if (resultCode(error) !== CONSTRAINT) return undefined
  return /UNIQUE constraint failed: (.*)$/.exec(messageOf(error))?.[1]
}

function resultCode(error: unknown): number {
  const { errcode } = (error ?? {}) as { errcode?: unknown }
  if (typeof errcode === 'number') return errcode & 0xff
  return NAMES[/^SQLITE_([A-Z]+)/.exec(codeOf(error))?.[1] ?? ''] ?? 0
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}

function meaningOf(error: unknown): Meaning {
  const known = MEANINGS[resultCode(error)]
  if (known !== undefined) return known
  if (isBusy(error)) return ['locked', 'a transaction of the application is open on the same connection']
  return /no such column|has no column/.test(messageOf(error))
    ? ['misconfigured', 'the tables are not those of this release']
    : ['misconfigured', 'the driver refused: see the cause']
}
