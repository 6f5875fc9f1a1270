import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { parseDecimal } from '../phc.ts'
import type { LegacyScheme, StoredHash } from '../stored-hash.ts'
import { parseBcrypt } from './bcrypt.ts'
import { parseBase64, parseHex, zerosBase64 } from './encodings.ts'
import { pbkdf2Hash } from './pbkdf2.ts'
import { scryptHash } from './scrypt.ts'

const MAX_SALT = 128

/** By the word before the first `$`; `rest` is what follows it. */
const FORMATS = new Map<string, (rest: string, stored: string) => StoredHash | undefined>([
  ['pbkdf2_sha256', (rest, stored) => pbkdf2('sha256', rest, stored)],
  ['pbkdf2_sha1', (rest, stored) => pbkdf2('sha1', rest, stored)],
  ['bcrypt', (rest, stored) => parseBcrypt(rest, 'django-bcrypt', stored, (password) => password)],
  ['bcrypt_sha256', (rest, stored) => parseBcrypt(rest, 'django-bcrypt_sha256', stored, sha256Hex)],
  ['scrypt', scrypt],
  ['sha1', (rest, stored) => salted('sha1', rest, stored)],
  ['md5', (rest, stored) => salted('md5', rest, stored)],
])

/**
 * Django's `pbkdf2_sha256$260000$salt$base64` and its other hashers; `argon2$…` is read as Argon2, and an unusable
 * password (`!…`) by nothing.
 * Trap: the salt is used as text, whatever it looks like.
 */
export const django: LegacyScheme = {
  name: 'django',
  parse: (stored) => {
    const end = stored.indexOf('$')
    return FORMATS.get(stored.slice(0, Math.max(end, 0)))?.(stored.slice(end + 1), stored)
  },
}

function pbkdf2(hash: string, rest: string, stored: string): StoredHash | undefined {
  const [iterations, salt, text, ...more] = rest.split('$')
  const digest = parseBase64(text ?? '')
  if (iterations === undefined || salt === undefined || digest === undefined || more.length > 0) return undefined
  const settings = blank(stored, digest)
  return pbkdf2Hash({ scheme: `django-pbkdf2_${hash}`, hash, iterations, salt: Buffer.from(salt), digest, settings })
}

function scrypt(rest: string, stored: string): StoredHash | undefined {
  const [cost, salt, blockSize, parallelism, text, ...more] = rest.split('$')
  const digest = parseBase64(text ?? '')
  if (salt === undefined || digest === undefined || more.length > 0) return undefined
  return scryptHash({
    scheme: 'django-scrypt',
    cost: parseDecimal(cost ?? ''),
    blockSize: parseDecimal(blockSize ?? ''),
    parallelism: parseDecimal(parallelism ?? ''),
    salt: Buffer.from(salt),
    digest,
    settings: blank(stored, digest),
  })
}

function salted(hash: 'sha1' | 'md5', rest: string, stored: string): StoredHash | undefined {
  const [salt, hex, ...more] = rest.split('$')
  const digest = parseHex(hex ?? '')
  if (salt === undefined || salt.length > MAX_SALT || more.length > 0) return undefined
  if (digest?.byteLength !== (hash === 'sha1' ? 20 : 16)) return undefined
  return {
    scheme: `django-${hash}`,
    cost: '',
    memoryKiB: 0,
    digest,
    settings: stored.slice(0, -2 * digest.byteLength) + '0'.repeat(2 * digest.byteLength),
    compute: async (password) => createHash(hash).update(salt).update(password).digest(),
  }
}

function sha256Hex(password: Buffer): Buffer {
  return Buffer.from(createHash('sha256').update(password).digest('hex'), 'latin1')
}

function blank(stored: string, digest: Buffer): string {
  const zeros = zerosBase64(digest.byteLength)
  return stored.slice(0, -zeros.length) + zeros
}
