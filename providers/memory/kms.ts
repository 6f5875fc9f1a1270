import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { assertBytes, assertFilled, assertObject, lengthPrefixed } from '../../src/bytes.ts'
import { encodeContext } from '../../src/crypto/context.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { KEY_LENGTH, NONCE_LENGTH, TAG_LENGTH, Xaes256Gcm } from '../../src/crypto/xaes.ts'
import { KmsError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider, WrappedKey } from '../../src/kms.ts'
import { assertAccepted, checkedKms } from '../../src/kms-checks.ts'

/** The key, and what it is called. */
export interface MemoryKmsOptions {
  /** 32 bytes; random when left out, and then nothing it wraps outlives the process. */
  readonly key?: Uint8Array
  /** Default `memory`. */
  readonly name?: string
  /** Default: derived from the key, so that two keys have two ids. */
  readonly keyId?: string
}

/** A KMS in memory that counts its calls. */
export interface MemoryKms extends KmsProvider {
  /** Calls so far, refused ones included. */
  readonly calls: { readonly wrap: number; readonly unwrap: number }
}

/**
 * A key management service inside this process, for tests and demonstrations: it truly encrypts (XAES-256-GCM) and
 * binds the context, so wrong keys and contexts fail as they do elsewhere.
 *
 * @throws InvalidInputError when the key is not 32 bytes
 */
export function memoryKms(options: MemoryKmsOptions = {}): MemoryKms {
  assertObject(options, 'the options')
  const { key = randomBytes(KEY_LENGTH), name = 'memory' } = options
  assertBytes(key, 'key')
  const { keyId = `memory-${createHash('sha256').update('memory').update(key).digest('hex').slice(0, 16)}` } = options
  assertFilled(name, 'name')
  assertFilled(keyId, 'keyId')
  const aead = new Xaes256Gcm(key)
  const calls = { wrap: 0, unwrap: 0 }
  const aad = (call: KmsCall) => lengthPrefixed([name, keyId, encodeContext(call.context)])

  return checkedKms<MemoryKms>({
    name,
    keyId,
    calls,
    async wrap(plain, call) {
      call.signal?.throwIfAborted()
      calls.wrap++
      const ciphertext = Buffer.alloc(WRAPPED_LENGTH)
      aead.sealInto(ciphertext, 0, plain, aad(call))
      return { provider: name, keyId, ciphertext }
    },
    async unwrap(wrapped, call) {
      call.signal?.throwIfAborted()
      assertAccepted({ name, accepts }, wrapped)
      calls.unwrap++
      const sealed = Buffer.from(wrapped.ciphertext)
      const plain =
        sealed.byteLength === WRAPPED_LENGTH ? aead.decryptFrom(sealed, 0, WRAPPED_LENGTH, aad(call)) : undefined
      if (plain === undefined)
        throw new KmsError(name, 'invalid-ciphertext', 'the wrapped key was changed, or wrapped under another context')
      const own = Buffer.alloc(KEY_LENGTH)
      own.set(plain)
      plain.fill(0)
      return own
    },
    accepts,
    async close() {
      aead.wipe()
    },
  })

  function accepts(wrapped: WrappedKey): boolean {
    return wrapped.provider === name && wrapped.keyId === keyId
  }
}

const WRAPPED_LENGTH = NONCE_LENGTH + KEY_LENGTH + TAG_LENGTH
