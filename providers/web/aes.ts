import { assertBytes, assertObject } from '../../src/checks.ts'
import { contextPairs, type EncryptionContext, encodePairs, MAX_CONTEXT } from '../../src/crypto/context-pairs.ts'
import { ClosedError, InvalidInputError, KmsError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider, WrappedKey } from '../../src/kms.ts'
import { assertAccepted, checkedKms } from '../../src/kms-checks.ts'
import { aesLayout, IV_LENGTH, KEY_LENGTHS, TAG_LENGTH } from '../raw/layout.ts'
import { assertNames } from '../raw/names.ts'
import { isWebKey, type PlatformKey, randomBytes, subtle, type WebKey } from './subtle.ts'

/** An AES key that the page holds. */
export interface RawAesOptions {
  /** Provider id of its wrapped keys: 1 to 64 characters, not starting with `aws-kms`. */
  readonly namespace: string
  /** Name of this key within the namespace, 1 to 2,048 characters. Another key needs another name. */
  readonly name: string
  /** 32 bytes, which are copied, or a key for AES-GCM. Browsers have no keys of 24 bytes. */
  readonly key: Uint8Array | WebKey
}

/**
 * `rawAes` of `strongroom/raw` on WebCrypto: what one wraps, the other unwraps. A key that was imported or made as not
 * extractable can be used by the page and not read by it.
 *
 * @throws InvalidInputError
 */
export function rawAes(options: RawAesOptions): KmsProvider {
  assertObject(options, 'the options')
  const { namespace, name, key } = options
  assertNames(namespace, name)
  let held: Promise<PlatformKey> | undefined = importAes(key, namespace)
  held.catch(() => {}) // whoever uses the key is told
  const imported = (): Promise<PlatformKey> => {
    if (held === undefined) throw new ClosedError(`raw AES key ${name}`)
    return held
  }
  const accepts = (wrapped: WrappedKey): boolean => wrapped.provider === namespace && wrapped.keyId === name

  return checkedKms({
    name: namespace,
    keyId: name,
    recipient: aesLayout(namespace),

    async wrap(dataKey: Uint8Array, { context, signal }: KmsCall): Promise<WrappedKey> {
      signal?.throwIfAborted()
      const iv = randomBytes(IV_LENGTH)
      const algorithm = gcm(iv, context)
      const copy = new Uint8Array(dataKey) // not `slice`, which for a Buffer is the same memory
      try {
        const body = new Uint8Array(await subtle().encrypt(algorithm, await imported(), copy))
        const ciphertext = new Uint8Array(IV_LENGTH + body.length)
        ciphertext.set(iv)
        ciphertext.set(body, IV_LENGTH)
        return { provider: namespace, keyId: name, ciphertext }
      } finally {
        copy.fill(0)
      }
    },

    async unwrap(wrapped: WrappedKey, { context, signal }: KmsCall): Promise<Uint8Array> {
      signal?.throwIfAborted()
      assertAccepted({ name: namespace, accepts }, wrapped)
      const sealed = wrapped.ciphertext
      if (!KEY_LENGTHS.includes(sealed.byteLength - TAG_LENGTH - IV_LENGTH)) throw refused(namespace)
      const algorithm = gcm(new Uint8Array(sealed.subarray(0, IV_LENGTH)), context)
      const body = new Uint8Array(sealed.subarray(IV_LENGTH))
      const secret = await imported()
      try {
        return new Uint8Array(await subtle().decrypt(algorithm, secret, body))
      } catch {
        throw refused(namespace)
      }
    },

    accepts,

    async close(): Promise<void> {
      held = undefined
    },
  })
}

function gcm(iv: Uint8Array, context: EncryptionContext) {
  return {
    name: 'AES-GCM',
    iv,
    additionalData: encodePairs(contextPairs(context), MAX_CONTEXT),
    tagLength: TAG_LENGTH * 8,
  }
}

function importAes(key: Uint8Array | WebKey, namespace: string): Promise<PlatformKey> {
  if (isWebKey(key)) {
    if (key.algorithm.name !== 'AES-GCM') {
      throw new InvalidInputError(`key must be a key for AES-GCM, received one for ${key.algorithm.name}`)
    }
    return Promise.resolve(key as PlatformKey)
  }
  assertBytes(key, 'key')
  if (!KEY_LENGTHS.includes(key.byteLength)) {
    throw new InvalidInputError(`key must be 16, 24 or 32 bytes, received ${key.byteLength}`)
  }
  const copy = new Uint8Array(key)
  return subtle()
    .importKey('raw', copy, 'AES-GCM', false, ['encrypt', 'decrypt'])
    .catch(() => {
      throw new KmsError(namespace, 'misconfigured', `this browser has no AES keys of ${copy.byteLength} bytes`)
    })
    .finally(() => copy.fill(0))
}

/** A wrong key, a wrong context and a changed wrap look alike to AES-GCM. */
function refused(provider: string): KmsError {
  return new KmsError(
    provider,
    'invalid-ciphertext',
    'the wrapped key was changed or belongs to another context or key',
  )
}
