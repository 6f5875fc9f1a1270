import { ConfigError, KmsError, type KmsErrorKind } from '../../src/errors.ts'

/** What the token was asked to do. */
export type Pkcs11Operation = 'open' | 'wrap' | 'unwrap'

/** Return values of PKCS#11 v2.40 (pkcs11t.h) and what they mean here. */
const CODES: Readonly<Record<number, readonly [KmsErrorKind, string]>> = {
  3: ['misconfigured', 'the slot does not exist'],
  7: ['misconfigured', 'the token refuses the parameters of the mechanism: try another hash'],
  32: ['invalid-ciphertext', 'the wrapped key is damaged or was wrapped under another context or key'],
  33: ['invalid-ciphertext', 'the wrapped key has a length that the key does not make'],
  48: ['unavailable', 'the device failed'],
  50: ['unavailable', 'the device was removed'],
  53: ['invalid-ciphertext', 'the wrapped key is damaged or was wrapped under another context or key'],
  64: ['invalid-ciphertext', 'the wrapped key is damaged or was wrapped under another context or key'],
  65: ['invalid-ciphertext', 'the wrapped key has a length that the key does not make'],
  98: ['misconfigured', 'the size of the key is not allowed for this mechanism'],
  99: ['misconfigured', 'the type of the key does not fit the mechanism'],
  104: ['misconfigured', 'the key does not permit this: CKA_ENCRYPT and CKA_DECRYPT must be true'],
  112: ['misconfigured', 'the token does not have this mechanism'],
  113: ['misconfigured', 'the token refuses the parameters of the mechanism: try another hash'],
  160: ['denied', 'the PIN is wrong'],
  161: ['denied', 'the PIN is not valid'],
  163: ['denied', 'the PIN has expired'],
  164: ['denied', 'the PIN is locked'],
  177: ['throttled', 'the token has no session left'],
  224: ['unavailable', 'the token is not present'],
  225: ['unavailable', 'the token was not recognised'],
  258: ['denied', 'the token has no user PIN'],
}

/** By these several tokens, SoftHSM among them, report a tag or a length that does not fit: general error, function failed, arguments bad, buffer too small. */
const UNFIT: ReadonlySet<unknown> = new Set([5, 6, 7, 336])

/** Session, login or library went away: opening anew may help. */
const LOST: ReadonlySet<unknown> = new Set([48, 50, 96, 130, 176, 179, 224, 225, 257, 400])

/** The PIN is wrong or locked: trying it again brings the lock nearer. */
const REFUSED_PIN: ReadonlySet<unknown> = new Set([160, 161, 163, 164])

export function isLost(error: unknown): boolean {
  return error instanceof Error && (LOST.has(codeOf(error)) || error.message.startsWith('the worker thread'))
}

export function isRefusedPin(error: unknown): boolean {
  return REFUSED_PIN.has(codeOf(error))
}

/** Whether a return value says that what was asked for is already so: initialised, or logged in. */
export function isAlready(error: unknown): boolean {
  return codeOf(error) === 401 || codeOf(error) === 256
}

/** Maps what pkcs11js threw; it names a return value and no data. */
export function pkcs11Error(provider: string, error: unknown, operation: Pkcs11Operation): Error {
  if (error instanceof KmsError || error instanceof ConfigError) return error
  const code = codeOf(error)
  const name = error instanceof Error ? error.message.split('\n')[0] : typeof error
  if (operation === 'unwrap' && UNFIT.has(code)) {
    const message = `the wrapped key is damaged or was wrapped under another context or key (${name})`
    return new KmsError(provider, 'invalid-ciphertext', message, { cause: error })
  }
  const [kind, meaning] = (typeof code === 'number' && CODES[code]) || [undefined, undefined]
  if (kind) return new KmsError(provider, kind, `${meaning} (${name})`, { cause: error })
  if (typeof code === 'number' && code > 0) return new KmsError(provider, 'unavailable', `${name}`, { cause: error })
  return new KmsError(provider, 'misconfigured', `the library cannot be used: ${name}`, { cause: error })
}

function codeOf(error: unknown): unknown {
  return Object(error).code
}
