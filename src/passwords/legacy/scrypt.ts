import type { Buffer } from 'node:buffer'
import { scrypt as derive, type ScryptOptions } from 'node:crypto'
import { promisify } from 'node:util'
import type { StoredHash } from '../stored-hash.ts'

const MAX_KIB = 1_048_576
const MAX_WORK = 2 ** 26
const MAX_SALT = 256
const MIN_DIGEST = 16
const MAX_DIGEST = 64
const deriveAsync = promisify<Buffer, Buffer, number, ScryptOptions, Buffer>(derive)

/** What scrypt is given, RFC 7914. */
export interface ScryptInput {
  readonly scheme: string
  /** `N`, a power of two. */
  readonly cost: number | undefined
  /** `r` */
  readonly blockSize: number | undefined
  /** `p` */
  readonly parallelism: number | undefined
  readonly salt: Buffer | undefined
  /** 16 to 64 bytes. */
  readonly digest: Buffer | undefined
  readonly settings: string
  /** Length of the derived key when the digest is something else made from it. */
  readonly keyLength?: number
}

/**
 * The scrypt that several schemes write each in their own letters.
 *
 * @returns undefined when a value is out of range: at most 1 GiB of memory, and of N · r · p at most 2^26
 */
export function scryptHash(input: ScryptInput): StoredHash | undefined {
  const { scheme, cost: N, blockSize: r, parallelism: p, salt, digest, settings } = input
  if (N === undefined || r === undefined || p === undefined) return undefined
  if (N < 2 || !Number.isInteger(Math.log2(N)) || r < 1 || p < 1 || N * r * p > MAX_WORK) return undefined
  const memoryKiB = Math.ceil((128 * r * (N + p)) / 1024)
  if (memoryKiB > MAX_KIB || salt === undefined || salt.byteLength > MAX_SALT) return undefined
  if (digest === undefined || digest.byteLength < MIN_DIGEST || digest.byteLength > MAX_DIGEST) return undefined
  const keyLength = input.keyLength ?? digest.byteLength
  return {
    scheme,
    cost: `N=${N},r=${r},p=${p}`,
    memoryKiB,
    digest,
    settings,
    compute: (password) => deriveAsync(password, salt, keyLength, { N, r, p, maxmem: (memoryKiB + 64) * 1024 }),
  }
}
