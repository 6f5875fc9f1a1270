import type { Buffer } from 'node:buffer'
import type { JsonWebKey } from 'node:crypto'
import { constants, createPrivateKey, createPublicKey, KeyObject, privateDecrypt, publicEncrypt } from 'node:crypto'
import { assertObject, describe } from '../../src/checks.ts'
import { contextPairs } from '../../src/crypto/context-pairs.ts'
import { ClosedError, InvalidInputError, KmsError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider, WrappedKey } from '../../src/kms.ts'
import { assertAccepted, checkedKms } from '../../src/kms-checks.ts'
import { KEY_LENGTHS, type RawRsaHash, rsaLayout } from './layout.ts'
import { assertNames } from './names.ts'

const MIN_MODULUS_BITS = 2048
const MAX_MODULUS_BITS = 16_384

/** An RSA key as PEM text, as JWK, or as a `KeyObject`. */
export type RsaKeyInput = string | JsonWebKey | KeyObject

/** An RSA key pair, or the public half of one. */
export interface RawRsaOptions {
  /** Provider id of its wrapped keys: 1 to 64 characters, not starting with `aws-kms`. */
  readonly namespace: string
  /** Name of this key within the namespace, 1 to 2,048 characters. */
  readonly name: string
  /** Needed to wrap; taken from the private key when left out. 2,048 to 16,384 bits. */
  readonly publicKey?: RsaKeyInput
  /** Needed to unwrap. Unencrypted PEM or JWK, or a `KeyObject` made from an encrypted one. */
  readonly privateKey?: RsaKeyInput
  /** Must be the same on both sides. Default `sha256`. */
  readonly hash?: RawRsaHash
}

/**
 * Wraps keys with RSA-OAEP (RFC 8017 section 7.1) under a key pair that you hold, as the raw RSA keyring of the AWS
 * Encryption SDK does. A process that has the public key alone can wrap, and its `unwrap` is refused as `denied`.
 *
 * This layout binds nothing to the context: in a sealed message the header does that. And whoever knows the public key can
 * wrap a key of their own, so a wrapped key proves nothing about who made it. Use it for messages and recovery copies;
 * wrap the root key of a key store with `rawAes` or a KMS.
 *
 * @throws InvalidInputError
 */
export function rawRsa(options: RawRsaOptions): KmsProvider {
  assertObject(options, 'the options')
  const { namespace, name, hash = 'sha256' } = options
  assertNames(namespace, name)
  if (!HASHES.includes(hash)) throw new InvalidInputError(`hash must be one of ${HASHES.join(', ')}`)
  let pair: KeyPair | undefined = keyPair(options)
  const held = (): KeyPair => {
    if (pair === undefined) throw new ClosedError(`raw RSA key ${name}`)
    return pair
  }
  const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }

  const accepts = (wrapped: WrappedKey): boolean => wrapped.provider === namespace && wrapped.keyId === name

  return checkedKms({
    name: namespace,
    keyId: name,
    recipient: rsaLayout(namespace),

    async wrap(key: Uint8Array, { context, signal }: KmsCall): Promise<WrappedKey> {
      signal?.throwIfAborted()
      contextPairs(context) // nothing is bound to it, but what other providers would refuse is refused here too
      if (hash === 'sha1') throw new KmsError(namespace, 'misconfigured', 'sha1 is for opening existing messages alone')
      const ciphertext = publicEncrypt({ key: held().publicKey, ...padding }, key)
      return { provider: namespace, keyId: name, ciphertext }
    },

    async unwrap(wrapped: WrappedKey, { signal }: KmsCall): Promise<Uint8Array> {
      signal?.throwIfAborted()
      assertAccepted({ name: namespace, accepts }, wrapped)
      const { privateKey } = held()
      if (privateKey === undefined) {
        throw new KmsError(
          namespace,
          'denied',
          `only the public half of ${name} is configured: it can wrap, not unwrap`,
        )
      }
      // OpenSSL takes a ciphertext without its leading zero byte for the same number; RFC 8017, 7.1.2 refuses it.
      if (wrapped.ciphertext.byteLength !== Math.ceil(modulusBits(privateKey) / 8)) throw refused(namespace)
      let key: Buffer
      try {
        key = privateDecrypt({ key: privateKey, ...padding }, wrapped.ciphertext)
      } catch {
        throw refused(namespace)
      }
      if (KEY_LENGTHS.includes(key.byteLength)) return key
      key.fill(0)
      throw refused(namespace)
    },

    accepts,

    async close(): Promise<void> {
      pair = undefined
    },
  })
}

interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject | undefined
}

const HASHES: readonly RawRsaHash[] = ['sha256', 'sha384', 'sha512', 'sha1']

function keyPair(options: RawRsaOptions): KeyPair {
  const privateKey = options.privateKey === undefined ? undefined : parse(options.privateKey, 'privateKey')
  const given = options.publicKey === undefined ? undefined : parse(options.publicKey, 'publicKey')
  const derived = privateKey === undefined ? undefined : createPublicKey(privateKey)
  const publicKey = given ?? derived
  if (publicKey === undefined) throw new InvalidInputError('publicKey or privateKey must be given')
  if (derived !== undefined && !derived.equals(publicKey)) {
    throw new InvalidInputError('publicKey and privateKey must be halves of one pair')
  }
  return { publicKey, privateKey }
}

function parse(input: RsaKeyInput, half: 'publicKey' | 'privateKey'): KeyObject {
  const key = input instanceof KeyObject ? input : fromText(input, half)
  const type = half === 'publicKey' ? 'public' : 'private'
  if (key.type !== type) throw new InvalidInputError(`${half} must be a ${type} key, received a ${key.type} key`)
  if (key.asymmetricKeyType !== 'rsa') {
    throw new InvalidInputError(`${half} must be an RSA key, received ${key.asymmetricKeyType}`)
  }
  const bits = modulusBits(key)
  if (bits < MIN_MODULUS_BITS || bits > MAX_MODULUS_BITS) {
    throw new InvalidInputError(`${half} must have ${MIN_MODULUS_BITS} to ${MAX_MODULUS_BITS} bits, received ${bits}`)
  }
  return key
}

function fromText(input: string | JsonWebKey, half: 'publicKey' | 'privateKey'): KeyObject {
  if (typeof input !== 'string' && (typeof input !== 'object' || input === null)) {
    throw new InvalidInputError(`${half} must be PEM text, a JWK or a KeyObject, received ${describe(input)}`)
  }
  const create = half === 'publicKey' ? createPublicKey : createPrivateKey
  if (half === 'publicKey' && holdsPrivateKey(input)) {
    throw new InvalidInputError('publicKey must be a public key, received a private key')
  }
  try {
    return typeof input === 'string' ? create(input) : create({ key: input, format: 'jwk' })
  } catch {
    // OpenSSL's own message can quote the input.
    throw new InvalidInputError(`${half} must be unencrypted PEM text or a JWK of an RSA key`)
  }
}

/** `createPublicKey` silently takes the public half of a private key: a secret where none should be. */
function holdsPrivateKey(input: string | JsonWebKey): boolean {
  return typeof input === 'string' ? input.includes('PRIVATE KEY') : input.d !== undefined
}

function modulusBits(key: KeyObject): number {
  return key.asymmetricKeyDetails?.modulusLength ?? 0
}

function refused(provider: string): KmsError {
  return new KmsError(provider, 'invalid-ciphertext', 'the wrapped key was changed or belongs to another key')
}
