import { assertBytes, assertObject, describe } from './checks.ts'
import { InvalidInputError, KmsError } from './errors.ts'
import type { KmsProvider, WrappedKey } from './kms.ts'

/** Size of every key that Strongroom wraps, in bytes. */
export const WRAPPED_KEY_LENGTH = 32

/** Refuses anything but 32 bytes: the first line of a provider's `wrap`. @throws InvalidInputError */
export function assertKeyToWrap(key: unknown): asserts key is Uint8Array {
  if (key instanceof Uint8Array && key.byteLength === WRAPPED_KEY_LENGTH) return
  const received = key instanceof Uint8Array ? `${key.byteLength} bytes` : describe(key)
  throw new InvalidInputError(`a key to wrap must be ${WRAPPED_KEY_LENGTH} bytes, received ${received}`)
}

/** Refuses a wrapped key that names a key which is not configured, before any call: the first line of a provider's `unwrap`. @throws KmsError */
export function assertAccepted(provider: Pick<KmsProvider, 'name' | 'accepts'>, wrapped: WrappedKey): void {
  assertObject(wrapped, 'a wrapped key')
  assertBytes(wrapped.ciphertext, 'the ciphertext of a wrapped key')
  if (provider.accepts(wrapped)) return
  throw new KmsError(provider.name, 'key-not-found', 'the wrapped key names a key that is not configured')
}
