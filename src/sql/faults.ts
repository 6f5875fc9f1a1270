import { InvalidInputError, KeyStoreError, type KeyStoreFault, StrongroomError, TableError } from '../errors.ts'

/** What an error of a driver means; `input` is the mistake of the caller. */
export type Meaning = readonly [fault: KeyStoreFault | 'input', message: string]

/** By the code of Node. */
const NETWORK_MEANINGS: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: ['unavailable', 'the connection was refused'],
  ECONNRESET: ['unavailable', 'the connection was cut'],
  EPIPE: ['unavailable', 'the connection was cut'],
  ETIMEDOUT: ['unavailable', 'the server did not answer in time'],
  EHOSTUNREACH: ['unavailable', 'the host cannot be reached'],
  ENETUNREACH: ['unavailable', 'the network cannot be reached'],
  ENOTFOUND: ['unavailable', 'the host name is unknown'],
  EAI_AGAIN: ['unavailable', 'the host name cannot be looked up now'],
}

/** The error of a key store for whatever a driver threw; what is ours already stays as it is. */
export function keyStoreError(place: string, error: unknown, meaningOf: (error: unknown) => Meaning): Error {
  if (error instanceof StrongroomError || error instanceof InvalidInputError) return error
  const [fault, meaning] = meaningOf(error)
  const message = `${place}: ${meaning}`
  return fault === 'input' ? new InvalidInputError(message) : new KeyStoreError(fault, message, { cause: error })
}

/** The same for the table of an application, where nothing is the mistake of the caller. */
export function tableError(place: string, error: unknown, meaningOf: (error: unknown) => Meaning): Error {
  if (error instanceof StrongroomError || error instanceof InvalidInputError) return error
  const [fault, meaning] = meaningOf(error)
  const kind = fault === 'locked' || fault === 'unavailable' ? fault : 'misconfigured'
  return new TableError(kind, `${place}: ${meaning}`, { cause: error })
}

/** What a code of Node's network or TLS means, or undefined. */
export function networkMeaning(code: string): Meaning | undefined {
  if (NETWORK_MEANINGS[code] !== undefined) return NETWORK_MEANINGS[code]
  return /^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_SSL)/.test(code)
    ? ['misconfigured', `its certificate or TLS is refused: ${code}`]
    : undefined
}

/** The code of an error, empty when it has none. */
export function codeOf(error: unknown): string {
  const { code, errors } = (error ?? {}) as { code?: unknown; errors?: readonly unknown[] }
  if (typeof code === 'string') return code
  // Node tried several addresses of one name.
  return Array.isArray(errors) && errors.length > 0 ? codeOf(errors[0]) : ''
}
