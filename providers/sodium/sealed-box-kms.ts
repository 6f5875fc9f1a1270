import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import sodium from 'libsodium-wrappers'
import { assertObject, describe, equalBytes, lengthPrefixed } from '../../src/bytes.ts'
import { encodeContext } from '../../src/crypto/context.ts'
import { ClosedError, InvalidInputError, KmsError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider } from '../../src/kms.ts'
import { assertAccepted, checkedKms } from '../../src/kms-checks.ts'
import { encodeKeyText, type KeyKind, parseKeyText } from './key-text.ts'

/** An X25519 key pair as text, each with a prefix and a checksum. */
export interface SealedBoxKeys {
  /** `sr_xp1_…`: may be known to everybody. */
  readonly publicKey: string
  /** `sr_xs1_…`: opens everything that was ever wrapped for the public key. */
  readonly privateKey: string
}

/** A key pair of `createSealedBoxKeys`, or the public half of one. */
export interface SealedBoxKmsOptions {
  /** `sr_xp1_…`, or 32 bytes. */
  readonly publicKey: string | Uint8Array
  /** `sr_xs1_…`, or 32 bytes. Without it this process can wrap and cannot unwrap. */
  readonly privateKey?: string | Uint8Array
}

const NAME = 'sealed-box'
const LABEL = 'strongroom/v1/sealed-box'
const KEY_LENGTH = 32
const DIGEST_LENGTH = 32
const SEALED_LENGTH = 48 + KEY_LENGTH + DIGEST_LENGTH

/** Makes an X25519 key pair for `sealedBoxKms`. @returns both halves as text; the private one is kept nowhere else */
export async function createSealedBoxKeys(): Promise<SealedBoxKeys> {
  await sodium.ready
  const pair = sodium.crypto_box_keypair()
  const keys = {
    publicKey: encodeKeyText('sealedBoxPublic', pair.publicKey),
    privateKey: encodeKeyText('sealedBoxSecret', pair.privateKey),
  }
  pair.privateKey.fill(0)
  return keys
}

/**
 * Wraps keys in libsodium sealed boxes (X25519, XSalsa20-Poly1305): a process that holds the public key alone writes
 * what it cannot read. A sealed box has no associated data, so the SHA-256 of the context stands beside the key in it.
 * It does not prove who wrapped: anybody with the public key can.
 *
 * Unwrapping without the private key is KmsError `denied`.
 *
 * @throws InvalidInputError when a key is not of its form
 */
export function sealedBoxKms(options: SealedBoxKmsOptions): KmsProvider {
  return sealedBox(options, NAME)
}

/** A provider of another name that wraps in sealed boxes. */
export function sealedBox(options: SealedBoxKmsOptions, name: string): KmsProvider {
  assertObject(options, 'the options')
  const publicKey = keyBytes(options.publicKey, 'sealedBoxPublic', 'publicKey')
  let privateKey =
    options.privateKey === undefined ? undefined : keyBytes(options.privateKey, 'sealedBoxSecret', 'privateKey')
  const keyId = createHash('sha256').update(LABEL).update(publicKey).digest('hex').slice(0, 32)
  let closed = false

  const provider: KmsProvider = checkedKms<KmsProvider>({
    name,
    keyId,
    async wrap(key, call) {
      call.signal?.throwIfAborted()
      if (closed) throw new ClosedError('the sealed box')
      const inner = Buffer.concat([key, digestOf(call)])
      try {
        await sodium.ready
        return { provider: name, keyId, ciphertext: Buffer.from(sodium.crypto_box_seal(inner, publicKey)) }
      } finally {
        inner.fill(0)
      }
    },
    async unwrap(wrapped, call) {
      call.signal?.throwIfAborted()
      if (closed) throw new ClosedError('the sealed box')
      assertAccepted(provider, wrapped)
      const digest = digestOf(call)
      await sodium.ready
      const inner = open(wrapped.ciphertext)
      try {
        if (!equalBytes(inner.subarray(KEY_LENGTH), digest)) {
          throw new KmsError(name, 'context-mismatch', 'the key was wrapped under another context')
        }
        return Uint8Array.from(inner.subarray(0, KEY_LENGTH))
      } finally {
        inner.fill(0)
      }
    },
    accepts: (wrapped) => wrapped.provider === name && wrapped.keyId === keyId,
    async close() {
      closed = true
      privateKey?.fill(0)
      privateKey = undefined
    },
  })
  return provider

  function open(ciphertext: Uint8Array): Uint8Array {
    if (privateKey === undefined)
      throw new KmsError(name, 'denied', 'this process holds the public key alone: it wraps and cannot unwrap')
    if (!equalBytes(sodium.crypto_scalarmult_base(privateKey), publicKey)) {
      throw new KmsError(name, 'misconfigured', 'the private key does not belong to the public key')
    }
    try {
      if (ciphertext.byteLength === SEALED_LENGTH) return sodium.crypto_box_seal_open(ciphertext, publicKey, privateKey)
    } catch {
      // refused below
    }
    throw new KmsError(name, 'invalid-ciphertext', 'the wrapped key was changed')
  }

  function digestOf({ context }: KmsCall): Buffer {
    return createHash('sha256')
      .update(lengthPrefixed([LABEL, keyId, encodeContext(context)]))
      .digest()
  }
}

function keyBytes(key: string | Uint8Array, kind: KeyKind, name: string): Uint8Array {
  const bytes = typeof key === 'string' ? parseKeyText(kind, key) : key
  if (bytes instanceof Uint8Array && bytes.byteLength === KEY_LENGTH) return Uint8Array.from(bytes)
  const received = typeof key === 'string' ? 'another text' : describe(key)
  throw new InvalidInputError(
    `${name} must be a key text made by createSealedBoxKeys, or ${KEY_LENGTH} bytes, received ${received}`,
  )
}
