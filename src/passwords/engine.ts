import type { Buffer } from 'node:buffer'
import type { Argon2Parameters } from './argon2-parameters.ts'

/** The three kinds of Argon2. New passwords are always `argon2id`. */
export type Argon2Type = 'argon2id' | 'argon2i' | 'argon2d'

/** 19 is version 1.3, the one of RFC 9106; 16 is the version 1.0 of old hashes. */
export type Argon2Version = 16 | 19

/** One hash to compute. */
export interface Argon2Request extends Argon2Parameters {
  readonly type: Argon2Type
  readonly version: Argon2Version
  /** Length of the result in bytes. */
  readonly hashLength: number
  /** The `P` of RFC 9106. */
  readonly password: Uint8Array
  /** The `S` of RFC 9106. */
  readonly salt: Uint8Array
  /** The `K` of RFC 9106, used by the self-test. */
  readonly secret?: Uint8Array
  /** The `X` of RFC 9106. */
  readonly associatedData?: Uint8Array
}

/** Computes Argon2 off the main thread. All engines give the same bytes for the same request. */
export interface Argon2Engine {
  /** For messages. */
  readonly name: string
  /** Whether it can compute this kind, version and associated data; what it cannot, the `argon2` package computes. */
  supports(request: Argon2Request): boolean
  /** Computes one hash. @returns `hashLength` bytes */
  hash(request: Argon2Request): Promise<Buffer>
}
