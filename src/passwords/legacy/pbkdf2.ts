import type { Buffer } from 'node:buffer'
import { pbkdf2 as derive } from 'node:crypto'
import { promisify } from 'node:util'
import { parseDecimal } from '../phc.ts'
import type { StoredHash } from '../stored-hash.ts'

const MAX_ITERATIONS = 10_000_000
const MAX_SALT = 256
const MIN_DIGEST = 16
const MAX_DIGEST = 64
const HASHES: readonly string[] = ['sha1', 'sha224', 'sha256', 'sha384', 'sha512']
const deriveAsync = promisify(derive)

/**
 * The PBKDF2 that several schemes write each in their own letters. RFC 8018 section 5.2.
 *
 * @param iterations a number, or its decimal text: 1 to 10,000,000
 * @param digest 16 to 64 bytes: fewer could be found by guessing
 * @returns undefined when a value is out of range or `hash` is no SHA-1 or SHA-2
 */
export function pbkdf2Hash(input: {
  readonly scheme: string
  readonly hash: string
  readonly iterations: number | string
  readonly salt: Buffer | undefined
  readonly digest: Buffer | undefined
  readonly settings: string
}): StoredHash | undefined {
  const { scheme, hash, salt, digest, settings } = input
  const iterations = typeof input.iterations === 'string' ? parseDecimal(input.iterations) : input.iterations
  if (iterations === undefined || iterations < 1 || iterations > MAX_ITERATIONS) return undefined
  if (salt === undefined || salt.byteLength > MAX_SALT || !HASHES.includes(hash)) return undefined
  if (digest === undefined || digest.byteLength < MIN_DIGEST || digest.byteLength > MAX_DIGEST) return undefined
  const { byteLength } = digest
  return {
    scheme,
    cost: `iterations=${iterations}`,
    memoryKiB: 0,
    digest,
    settings,
    compute: (password) => deriveAsync(password, salt, iterations, byteLength, hash),
  }
}
