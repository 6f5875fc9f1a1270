import type { webcrypto } from 'node:crypto'
import { ConfigError } from '../../src/errors.ts'

/** A WebCrypto key, in a browser and in Node. */
export interface WebKey {
  readonly type: string
  readonly extractable: boolean
  readonly algorithm: { readonly name: string }
  readonly usages: readonly string[]
}

/** What the platform calls its key; `WebKey` is the part of it that both platforms agree on. */
export type PlatformKey = webcrypto.CryptoKey

/** The platform's cryptography. @throws ConfigError where there is none */
export function subtle(): webcrypto.SubtleCrypto {
  const found: webcrypto.SubtleCrypto | undefined = globalThis.crypto?.subtle
  if (found !== undefined) return found
  throw new ConfigError('crypto.subtle is missing: a page has it only when it was loaded over https or from localhost')
}

/** Fresh random bytes. */
export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length))
}

/** Whether a value is a key of this platform. */
export function isWebKey(value: unknown): value is WebKey {
  return Object.prototype.toString.call(value) === '[object CryptoKey]'
}
