import { codeOf, keyStoreError, type Meaning, networkMeaning, tableError } from '../../src/sql/faults.ts'

/** By SQLSTATE, or by its class of two characters. PostgreSQL manual, appendix A. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '08': ['unavailable', 'the connection failed'],
  '22': ['input', 'a value that the database cannot hold'],
  '23': ['input', 'a record that breaks a constraint of the table'],
  '25006': ['unavailable', 'the server is read-only: connect to the primary'],
  '28': ['misconfigured', 'the login was refused'],
  '3D': ['misconfigured', 'the database does not exist'],
  '3F': ['misconfigured', 'the schema does not exist'],
  '40': ['conflict', 'others kept changing the same keys'],
  '42': ['misconfigured', 'the tables are not those of this release'],
  '42501': ['misconfigured', 'the role lacks a grant: see docs/providers/postgres.md'],
  '42P01': ['misconfigured', 'the tables do not exist: make them with `strongroom keys tables --create`'],
  '53': ['unavailable', 'the server is out of resources'],
  '55P03': ['locked', 'another process held the keys for too long'],
  '57': ['unavailable', 'the server stopped the query or is shutting down'],
  '58': ['unavailable', 'the server met an error of its system'],
  XX: ['unavailable', 'the server failed inside'],
  XX001: ['corrupt', 'the server found damaged data'],
  XX002: ['corrupt', 'the server found a damaged index'],
}

/** The error for whatever the driver threw. */
export function postgresError(place: string, error: unknown): Error {
  return keyStoreError(place, error, meaningOf)
}

/** The same for the table of an application, whose meaning of missing tables and constraints is another. */
export function postgresTableError(place: string, error: unknown): Error {
  return tableError(place, error, (thrown) => {
    const code = codeOf(thrown)
    return TABLE_MEANINGS[code] ?? TABLE_MEANINGS[code.slice(0, 2)] ?? meaningOf(thrown)
  })
}

const TABLE_MEANINGS: Readonly<Record<string, Meaning>> = {
  '22001': ['misconfigured', 'a column is too narrow for its ciphertext: see `strongroom doctor`'],
  '23': ['misconfigured', 'a constraint of the table refuses the new value'],
  '40': ['locked', 'others kept changing the same rows'],
  '42': ['misconfigured', 'the table does not have the columns that were asked for'],
  '42501': ['misconfigured', 'the role lacks a grant: see docs/providers/postgres.md'],
  '42P01': ['misconfigured', 'a table does not exist'],
  '55P03': ['locked', 'another transaction held the rows for too long'],
}

function meaningOf(error: unknown): Meaning {
  const code = codeOf(error)
  const known =
    MEANINGS[code] ?? (/^[0-9A-Z]{5}$/.test(code) ? MEANINGS[code.slice(0, 2)] : undefined) ?? networkMeaning(code)
  if (known !== undefined) return known
  // The driver itself gives no code when a connection ends or a time runs out.
  const text = error instanceof Error ? error.message : ''
  return /terminated|timeout|timed out|ended|closed/i.test(text)
    ? ['unavailable', 'the connection ended or did not answer in time']
    : ['misconfigured', 'the driver refused: see the cause']
}
