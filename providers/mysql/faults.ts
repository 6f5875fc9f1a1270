import { codeOf, keyStoreError, type Meaning, networkMeaning, tableError } from '../../src/sql/faults.ts'

const READ_ONLY: Meaning = ['unavailable', 'the server is read-only: connect to the primary']
const NO_GRANT: Meaning = ['misconfigured', 'the user lacks a grant: see docs/providers/mysql.md']
const REFUSED: Meaning = ['misconfigured', 'the login was refused']
const OTHER_TABLES: Meaning = ['misconfigured', 'the tables are not those of this release']
const BAD_VALUE: Meaning = ['input', 'a value that the database cannot hold']
const BROKEN_RULE: Meaning = ['input', 'a record that breaks a constraint of the table']
const NO_RESOURCES: Meaning = ['unavailable', 'the server is out of resources']
const STOPPED: Meaning = ['unavailable', 'the server stopped the statement or is shutting down']
const DAMAGED: Meaning = ['corrupt', 'the server found damaged data']
const TOO_LARGE: Meaning = ['misconfigured', 'a row is larger than max_allowed_packet of the server: raise it']

/** By the number of the error. MySQL Server Error Message Reference, and MariaDB's above 1900 and 4000. */
const MEANINGS: Readonly<Record<number, Meaning>> = {
  1020: ['conflict', 'others kept changing the same keys'],
  1021: NO_RESOURCES,
  1034: DAMAGED,
  1037: NO_RESOURCES,
  1040: ['unavailable', 'the server has too many connections'],
  1041: NO_RESOURCES,
  1044: NO_GRANT,
  1045: REFUSED,
  1047: ['unavailable', 'the node of the cluster is not ready'],
  1048: BROKEN_RULE,
  1049: ['misconfigured', 'the database does not exist'],
  1053: STOPPED,
  1054: OTHER_TABLES,
  1062: BROKEN_RULE,
  1114: NO_RESOURCES,
  1129: ['unavailable', 'the server blocks this host'],
  1130: REFUSED,
  1142: NO_GRANT,
  1143: NO_GRANT,
  1146: ['misconfigured', 'the tables do not exist: make them with `strongroom keys tables --create`'],
  1153: TOO_LARGE,
  1194: DAMAGED,
  1195: DAMAGED,
  1203: ['unavailable', 'the user has too many connections'],
  1205: ['locked', 'another process held the keys for too long'],
  1213: ['conflict', 'others kept changing the same keys'],
  1226: NO_RESOURCES,
  1227: NO_GRANT,
  1264: BAD_VALUE,
  1290: READ_ONLY,
  1301: TOO_LARGE,
  1317: STOPPED,
  1366: BAD_VALUE,
  1406: BAD_VALUE,
  1419: ['misconfigured', 'the server takes triggers from this user only with log_bin_trust_function_creators'],
  1665: ['misconfigured', 'binlog_format must be ROW or MIXED'],
  1698: REFUSED,
  1712: DAMAGED,
  1792: READ_ONLY,
  1836: READ_ONLY,
  1927: STOPPED,
  1969: STOPPED,
  3024: STOPPED,
  3819: BROKEN_RULE,
  4025: BROKEN_RULE,
  4031: STOPPED,
}

const IN_USE: Meaning = [
  'misconfigured',
  'a foreign key, check or generated column uses a column: change it first, see the cause',
]

const TABLE_MEANINGS: Readonly<Record<number, Meaning>> = {
  1020: ['locked', 'others kept changing the same rows'],
  1048: ['misconfigured', 'a constraint of the table refuses the new value'],
  1054: ['misconfigured', 'the table does not have the columns that were asked for'],
  1062: ['misconfigured', 'a constraint of the table refuses the new value'],
  1146: ['misconfigured', 'a table does not exist'],
  1205: ['locked', 'another transaction held the rows for too long'],
  1213: ['locked', 'others kept changing the same rows'],
  1264: ['misconfigured', 'a column cannot hold the new value'],
  1366: ['misconfigured', 'a column cannot hold the new value: look at its type and character set'],
  1406: ['misconfigured', 'a column is too narrow for its ciphertext: see `strongroom doctor`'],
  1452: ['misconfigured', 'a constraint of the table refuses the new value'],
  1553: IN_USE,
  1828: IN_USE,
  1829: IN_USE,
  3108: IN_USE,
  3819: ['misconfigured', 'a constraint of the table refuses the new value'],
  3959: IN_USE,
  4025: ['misconfigured', 'a constraint of the table refuses the new value'],
}

export const NO_SUCH_TABLE = 1146
export const TABLE_EXISTS = 1050
export const DUPLICATE_ENTRY = 1062

/** Deadlock, lost certification of a cluster, or a row newer than the snapshot: nothing was written, the same may succeed. */
const RACES = new Set([1213, 1020])

/** Whether the transaction lost to another and may be tried again. */
export function isRace(error: unknown): boolean {
  return RACES.has(numberOf(error))
}

/** The error for whatever the driver threw. */
export function mysqlError(place: string, error: unknown): Error {
  return keyStoreError(place, error, meaningOf)
}

/** The same for the table of an application, whose meaning of missing tables and constraints is another. */
export function mysqlTableError(place: string, error: unknown): Error {
  return tableError(place, error, (thrown) => TABLE_MEANINGS[numberOf(thrown)] ?? meaningOf(thrown))
}

/** The number that the server gave an error, 0 when it comes from elsewhere. */
export function numberOf(error: unknown): number {
  const { errno, sqlState } = (error ?? {}) as { errno?: unknown; sqlState?: unknown }
  // Errors of Node have a number as well.
  return typeof sqlState === 'string' && typeof errno === 'number' ? errno : 0
}

function meaningOf(error: unknown): Meaning {
  const code = codeOf(error)
  const known = MEANINGS[numberOf(error)] ?? networkMeaning(code)
  if (known !== undefined) return known
  if (/^HANDSHAKE_.*SSL/.test(code)) return ['misconfigured', `its certificate or TLS is refused: ${code}`]
  // The driver itself: a connection that ended, a time that ran out, a pool that was closed.
  const text = `${code} ${error instanceof Error ? error.message : ''}`
  return /^PROTOCOL_|timeout|timed out|closed|lost/i.test(text)
    ? ['unavailable', 'the connection ended or did not answer in time']
    : ['misconfigured', 'the driver refused: see the cause']
}
