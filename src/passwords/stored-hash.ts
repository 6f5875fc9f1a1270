import type { Buffer } from 'node:buffer'

/** A stored hash that was read, with what it takes to compute it again. */
export interface StoredHash {
  /** The scheme, for an audit: `bcrypt`, `django-pbkdf2_sha256`, `argon2id`. */
  readonly scheme: string
  /** What it costs, for an audit: `cost=10`. Empty when the scheme has no cost. */
  readonly cost: string
  /** Memory that `compute` takes, in KiB. */
  readonly memoryKiB: number
  /** Threads that `compute` takes; one when left out. */
  readonly threads?: number
  /** What the password bytes must give. */
  readonly digest: Buffer
  /** The stored text with a digest of zeros: what `compute` needs and no more, for `wrapLegacy`. */
  readonly settings: string
  /**
   * The digest for these password bytes, or undefined when the original system would have refused them.
   * Never depends on `digest`.
   */
  compute(password: Buffer): Promise<Buffer | undefined>
}

/**
 * A way in which another system stored passwords. Read and verified, never written.
 *
 * `parse` returns undefined for text that is not of this scheme or asks for more work than is reasonable; it bounds
 * every number before use, and throws nothing.
 */
export interface LegacyScheme {
  readonly name: string
  parse(stored: string): StoredHash | undefined
}

/** A scheme whose `parse` is given text alone: what is no text is of no scheme. */
export function ofText({ name, parse }: LegacyScheme): LegacyScheme {
  return { name, parse: (stored) => (typeof stored === 'string' ? parse(stored) : undefined) }
}
