import { Buffer } from 'node:buffer'
import { ConfigError } from '../../errors.ts'
import type { LegacyScheme, StoredHash } from '../stored-hash.ts'

const FORMAT = /^\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/
const MIN_COST = 4
const MAX_COST = 16
const SALT_LENGTH = 22
const MAX_BYTES = 72

/**
 * bcrypt `$2a$`, `$2b$` and `$2y$`: PHP's `password_hash`, Laravel, Rails, and most of Node.
 * Trap: it reads 72 bytes of the password and ends at a NUL; a password with a NUL is refused, the rest is cut as the
 * original did. `$2x$`, the hashes of a broken implementation, are refused.
 */
export const bcrypt: LegacyScheme = {
  name: 'bcrypt',
  parse: (stored) => parseBcrypt(stored, 'bcrypt', stored, (password) => password),
}

/**
 * A bcrypt hash that another scheme carries, over a form of the password that `prepare` makes.
 *
 * @param text the bcrypt part, at the end of `stored`
 */
export function parseBcrypt(
  text: string,
  scheme: string,
  stored: string,
  prepare: (password: Buffer) => Buffer,
): StoredHash | undefined {
  const match = FORMAT.exec(text)
  const cost = Number(match?.[1])
  if (match === null || cost < MIN_COST || cost > MAX_COST) return undefined
  const digest = match[3] as string
  const salt = text.slice(0, -digest.length)
  return {
    scheme,
    cost: `cost=${cost}`,
    memoryKiB: 8,
    digest: Buffer.from(digest, 'latin1'),
    settings: stored.slice(0, -digest.length) + '.'.repeat(digest.length),
    compute: async (password) => {
      const prepared = prepare(password)
      if (prepared.includes(0)) return undefined
      const compute = await loadLibrary()
      return Buffer.from((await compute(prepared, salt)).slice(-digest.length), 'latin1')
    },
  }
}

/** @param settings `$2b$10$` and the 22 characters of the salt */
type Bcrypt = (password: Buffer, settings: string) => Promise<string>

/** Node keeps what it imported, so this costs little after the first time. */
async function loadLibrary(): Promise<Bcrypt> {
  const native = await import('@node-rs/bcrypt').catch(() => undefined)
  if (native !== undefined) {
    return (password, settings) => {
      // The salt as bytes: old libraries wrote stray bits into its last character, which are refused as text.
      const salt = parseSalt(settings.slice(-SALT_LENGTH))
      return native.hash(password.subarray(0, MAX_BYTES), { cost: Number(settings.slice(4, 6)), salt })
    }
  }
  const plain = await import('bcryptjs').then(
    (module) => module.default,
    () => undefined,
  )
  if (plain !== undefined) return (password, settings) => plain.hash(password.toString('utf8'), settings)
  throw new ConfigError('bcrypt hashes need a library: install @node-rs/bcrypt or bcryptjs')
}

/** bcrypt's base64 is the standard one with another alphabet. */
function parseSalt(text: string): Buffer {
  const standard = [...text].map((character) => STANDARD[BCRYPT.indexOf(character)]).join('')
  return Buffer.from(standard, 'base64').subarray(0, 16)
}

const BCRYPT = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
