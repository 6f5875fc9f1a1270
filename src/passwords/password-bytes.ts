import { Buffer } from 'node:buffer'
import { assertText, describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'

/** How a password's Unicode is made one form before it is hashed. SP 800-63B-4 section 3.1.1.2 asks for NFC. */
export type PasswordNormalization = 'NFC' | 'NFKC' | 'none'

/** The longest password, in UTF-8 bytes after normalization. Longer ones are refused, never cut. */
export const MAX_PASSWORD_BYTES = 1024

// Decomposed text is longer than composed text, so the text is bounded loosely before it is normalized.
const MAX_UNITS = 4 * MAX_PASSWORD_BYTES

/**
 * The bytes that are hashed for a new password.
 *
 * @returns 1 to 1,024 bytes in memory of their own, for the caller to wipe
 * @throws InvalidInputError on another type, an empty password, a lone surrogate, or more than 1,024 bytes
 */
export function passwordBytes(password: unknown, normalization: PasswordNormalization): Buffer {
  assertText(password, 'password')
  if (password === '') throw new InvalidInputError('password must not be empty')
  const bytes = password.length > MAX_UNITS ? undefined : encode(normalize(password, normalization))
  if (bytes === undefined || bytes.byteLength > MAX_PASSWORD_BYTES) {
    bytes?.fill(0)
    throw new InvalidInputError(`password must be at most ${MAX_PASSWORD_BYTES} bytes`)
  }
  return bytes
}

/**
 * The byte forms under which a password may have been hashed, by us or by the system it was imported from: our
 * normalization first, then NFC, as typed, and NFKC, each once and none above 1,024 bytes. Plain ASCII has one form.
 *
 * @returns none when the text could never have been hashed: empty, too long, not well-formed
 * @throws InvalidInputError when `password` is not a string
 */
export function passwordCandidates(password: unknown, normalization: PasswordNormalization): Buffer[] {
  if (typeof password !== 'string') {
    throw new InvalidInputError(`password must be a string, received ${describe(password)}`)
  }
  if (password === '' || password.length > MAX_UNITS || !password.isWellFormed()) return []
  const first = normalize(password, normalization)
  if (Buffer.byteLength(first, 'utf8') > MAX_PASSWORD_BYTES) return []
  const forms = new Set([first, password.normalize('NFC'), password, password.normalize('NFKC')])
  return [...forms].filter((form) => Buffer.byteLength(form, 'utf8') <= MAX_PASSWORD_BYTES).map(encode)
}

function normalize(password: string, normalization: PasswordNormalization): string {
  return normalization === 'none' ? password : password.normalize(normalization)
}

/** In memory of its own: `Buffer.from` would slice a pool that other code reads. */
function encode(text: string): Buffer {
  const bytes = Buffer.alloc(Buffer.byteLength(text, 'utf8'))
  bytes.write(text, 'utf8')
  return bytes
}
