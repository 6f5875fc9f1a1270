import { InvalidInputError, KeyStoreError, type KeyStoreFault, StrongroomError, TableError } from '../../src/errors.ts'

type Meaning = readonly [fault: KeyStoreFault | 'input', message: string]

/** By SQLSTATE, by its class of two characters, or by the code of Node. PostgreSQL manual, appendix A. */
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
  ECONNREFUSED: ['unavailable', 'the connection was refused'],
  ECONNRESET: ['unavailable', 'the connection was cut'],
  EPIPE: ['unavailable', 'the connection was cut'],
  ETIMEDOUT: ['unavailable', 'the server did not answer in time'],
  EHOSTUNREACH: ['unavailable', 'the host cannot be reached'],
  ENETUNREACH: ['unavailable', 'the network cannot be reached'],
  ENOTFOUND: ['unavailable', 'the host name is unknown'],
  EAI_AGAIN: ['unavailable', 'the host name cannot be looked up now'],
}

/** The error for whatever the driver threw; what is ours already stays as it is. */
export function postgresError(place: string, error: unknown): Error {
  if (error instanceof StrongroomError || error instanceof InvalidInputError) return error
  const [fault, meaning] = meaningOf(error)
  const message = `${place}: ${meaning}`
  return fault === 'input' ? new InvalidInputError(message) : new KeyStoreError(fault, message, { cause: error })
}

/** The same for the table of an application, whose meaning of missing tables and constraints is another. */
export function tableError(place: string, error: unknown): Error {
  if (error instanceof StrongroomError || error instanceof InvalidInputError) return error
  const code = codeOf(error)
  const [fault, meaning] = TABLE_MEANINGS[code] ?? TABLE_MEANINGS[code.slice(0, 2)] ?? meaningOf(error)
  const kind = fault === 'locked' || fault === 'unavailable' ? fault : 'misconfigured'
  return new TableError(kind, `${place}: ${meaning}`, { cause: error })
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

/** The SQLSTATE or Node code of an error, empty when it has none. */
export function codeOf(error: unknown): string {
  const { code, errors } = (error ?? {}) as { code?: unknown; errors?: readonly unknown[] }
  if (typeof code === 'string') return code
  // Node tried several addresses of one name.
  return Array.isArray(errors) && errors.length > 0 ? codeOf(errors[0]) : ''
}

function meaningOf(error: unknown): Meaning {
  const code = codeOf(error)
  const known = MEANINGS[code] ?? (/^[0-9A-Z]{5}$/.test(code) ? MEANINGS[code.slice(0, 2)] : undefined)
  if (known !== undefined) return known
  if (/^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_SSL)/.test(code)) {
    return ['misconfigured', `its certificate or TLS is refused: ${code}`]
  }
  // The driver itself gives no code when a connection ends or a time runs out.
  const text = error instanceof Error ? error.message : ''
  return /terminated|timeout|timed out|ended|closed/i.test(text)
    ? ['unavailable', 'the connection ended or did not answer in time']
    : ['misconfigured', 'the driver refused: see the cause']
}
