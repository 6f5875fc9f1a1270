import { assertObject, describe } from '../../src/checks.ts'
import { contextPairs } from '../../src/crypto/context-pairs.ts'
import { ClosedError, InvalidInputError, KmsError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider, WrappedKey } from '../../src/kms.ts'
import { assertAccepted, checkedKms } from '../../src/kms-checks.ts'
import { KEY_LENGTHS, type RawRsaHash, rsaLayout } from '../raw/layout.ts'
import { assertNames } from '../raw/names.ts'
import { importRsa, type RsaKeyInput } from './rsa-key.ts'
import { type PlatformKey, subtle } from './subtle.ts'

/** An RSA key pair, or the public half of one. */
export interface RawRsaOptions {
  /** Provider id of its wrapped keys: 1 to 64 characters, not starting with `aws-kms`. */
  readonly namespace: string
  /** Name of this key within the namespace, 1 to 2,048 characters. */
  readonly name: string
  /** Needed to wrap. PEM (`BEGIN PUBLIC KEY`), JWK, or a key of WebCrypto. 2,048 to 16,384 bits. */
  readonly publicKey?: RsaKeyInput
  /** Needed to unwrap. Unencrypted PEM (`BEGIN PRIVATE KEY`), JWK, or a key of WebCrypto. */
  readonly privateKey?: RsaKeyInput
  /** Must be the same on both sides. Default `sha256`. */
  readonly hash?: RawRsaHash
}

/**
 * `rawRsa` of `strongroom/raw` on WebCrypto: what one wraps, the other unwraps. A page that has the public key alone
 * seals what it cannot open again.
 *
 * @throws InvalidInputError for keys and names of the wrong type; a key that turns out to be no RSA key is a KmsError
 *   of kind `misconfigured` when it is used first
 */
export function rawRsa(options: RawRsaOptions): KmsProvider {
  assertObject(options, 'the options')
  const { namespace, name, publicKey, privateKey, hash = 'sha256' } = options
  assertNames(namespace, name)
  const hashName = HASHES.get(hash)
  if (hashName === undefined) throw new InvalidInputError(`hash must be one of ${[...HASHES.keys()].join(', ')}`)
  if (publicKey === undefined && privateKey === undefined) {
    throw new InvalidInputError(`publicKey or privateKey must be given, received ${describe(publicKey)}`)
  }
  let keys: KeyPair | undefined = {
    public: publicKey === undefined ? undefined : importRsa(publicKey, 'publicKey', hashName, namespace),
    private: privateKey === undefined ? undefined : importRsa(privateKey, 'privateKey', hashName, namespace),
  }
  const held = (half: keyof KeyPair, missing: string): Promise<PlatformKey> => {
    if (keys === undefined) throw new ClosedError(`raw RSA key ${name}`)
    const key = keys[half]
    if (key === undefined) throw new KmsError(namespace, 'denied', `only the ${missing}`)
    return key
  }
  const accepts = (wrapped: WrappedKey): boolean => wrapped.provider === namespace && wrapped.keyId === name

  return checkedKms({
    name: namespace,
    keyId: name,
    recipient: rsaLayout(namespace),

    async wrap(dataKey: Uint8Array, { context, signal }: KmsCall): Promise<WrappedKey> {
      signal?.throwIfAborted()
      contextPairs(context) // nothing is bound to it, but what other providers would refuse is refused here too
      if (hash === 'sha1') throw new KmsError(namespace, 'misconfigured', 'sha1 is for opening existing messages alone')
      const copy = new Uint8Array(dataKey)
      try {
        const key = await held('public', `private half of ${name} is configured: wrapping takes the public one`)
        const ciphertext = new Uint8Array(await subtle().encrypt({ name: 'RSA-OAEP' }, key, copy))
        return { provider: namespace, keyId: name, ciphertext }
      } finally {
        copy.fill(0)
      }
    },

    async unwrap(wrapped: WrappedKey, { signal }: KmsCall): Promise<Uint8Array> {
      signal?.throwIfAborted()
      assertAccepted({ name: namespace, accepts }, wrapped)
      const ciphertext = new Uint8Array(wrapped.ciphertext)
      const key = await held('private', `public half of ${name} is configured: it can wrap, not unwrap`)
      // Some platforms take a ciphertext without its leading zero byte for the same number; RFC 8017, 7.1.2 refuses it.
      const { modulusLength } = key.algorithm as { modulusLength?: number }
      if (ciphertext.byteLength !== Math.ceil((modulusLength ?? 0) / 8)) throw refused(namespace)
      let dataKey: Uint8Array
      try {
        dataKey = new Uint8Array(await subtle().decrypt({ name: 'RSA-OAEP' }, key, ciphertext))
      } catch {
        throw refused(namespace)
      }
      if (KEY_LENGTHS.includes(dataKey.byteLength)) return dataKey
      dataKey.fill(0)
      throw refused(namespace)
    },

    accepts,

    async close(): Promise<void> {
      keys = undefined
    },
  })
}

interface KeyPair {
  readonly public: Promise<PlatformKey> | undefined
  readonly private: Promise<PlatformKey> | undefined
}

const HASHES: ReadonlyMap<string, string> = new Map([
  ['sha256', 'SHA-256'],
  ['sha384', 'SHA-384'],
  ['sha512', 'SHA-512'],
  ['sha1', 'SHA-1'],
])

function refused(provider: string): KmsError {
  return new KmsError(provider, 'invalid-ciphertext', 'the wrapped key was changed or belongs to another key')
}
