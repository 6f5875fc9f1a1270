import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { assertBytes, equalBytes, wipe } from '../bytes.ts'
import { InvalidInputError, KmsError } from '../errors.ts'
import { type EncryptionContext, encodeContext } from './context.ts'

const KEY_BYTES = 32
const DIGEST_BYTES = 32

/** The length of a bound key. */
export const BOUND_KEY_BYTES: number = KEY_BYTES + DIGEST_BYTES

/**
 * Binds a key to a context where the service that wraps it has no associated data: the key, then the SHA-256 of the
 * encoded context. Both are wrapped as one.
 *
 * @param key 32 bytes
 * @returns 64 bytes, which the caller wipes
 * @throws InvalidInputError on another key length or a bad context
 */
export function bindKey(key: Uint8Array, context: EncryptionContext): Buffer {
  assertBytes(key, 'key')
  if (key.byteLength !== KEY_BYTES) {
    throw new InvalidInputError(`key must be ${KEY_BYTES} bytes, received ${key.byteLength}`)
  }
  const bound = Buffer.alloc(BOUND_KEY_BYTES)
  bound.set(key)
  bound.set(contextDigest(context), KEY_BYTES)
  return bound
}

/**
 * Takes a bound key apart and compares the context in constant time. `bound` is wiped.
 *
 * @param provider the provider id for the error
 * @returns the 32 bytes of the key, in memory of their own
 * @throws KmsError `invalid-ciphertext` on another length, `context-mismatch` when it was bound to another context
 */
export function openBoundKey(bound: Uint8Array, context: EncryptionContext, provider: string): Buffer {
  try {
    if (bound.byteLength !== BOUND_KEY_BYTES) {
      throw new KmsError(provider, 'invalid-ciphertext', 'the wrapped key does not hold a key of ours')
    }
    if (!equalBytes(bound.subarray(KEY_BYTES), contextDigest(context))) {
      throw new KmsError(provider, 'context-mismatch', 'the key was wrapped under another context')
    }
    const key = Buffer.alloc(KEY_BYTES)
    key.set(bound.subarray(0, KEY_BYTES))
    return key
  } finally {
    wipe(bound)
  }
}

/** SHA-256 of the encoded context. */
export function contextDigest(context: EncryptionContext): Buffer {
  return createHash('sha256').update(encodeContext(context)).digest()
}
