import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, createSecretKey, KeyObject } from 'node:crypto'
import { asBuffer, assertBytes, assertFlag, assertObject } from '../../src/bytes.ts'
import { type EncryptionContext, encodeContext } from '../../src/crypto/context.ts'
import { encodePairs } from '../../src/crypto/context-pairs.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { ClosedError, InvalidInputError, KmsError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider, WrappedKey } from '../../src/kms.ts'
import { assertAccepted, checkedKms } from '../../src/kms-checks.ts'
import { aesLayout, IV_LENGTH, KEY_LENGTHS, TAG_LENGTH } from './layout.ts'
import { assertNames } from './names.ts'

/** An AES key that this process holds. */
export interface RawAesOptions {
  /** Provider id of its wrapped keys: 1 to 64 characters, not starting with `aws-kms`. */
  readonly namespace: string
  /** Name of this key within the namespace, 1 to 2,048 characters. Another key needs another name. */
  readonly name: string
  /** 32 bytes, or a secret `KeyObject`. 16 and 24 bytes are taken for messages of other programs. Copied, never changed. */
  readonly key: Uint8Array | KeyObject
  /**
   * Also unwraps what the AWS Encryption SDK for JavaScript wrapped without its option `utf8Sorting`: it then orders the
   * context by locale, for example `a` before `B`. Wrapping is never done in that order. Default false.
   */
  readonly legacyContextOrder?: boolean
}

/**
 * Wraps keys with AES-GCM under a key that this process holds, bound to the context. What it writes is what the raw
 * AES keyring of the AWS Encryption SDK writes: random 96-bit IV, 128-bit tag, the encoded context as AAD.
 *
 * One key wraps at most 2^32 keys, SP 800-38D section 8.3.
 *
 * @throws InvalidInputError
 */
export function rawAes(options: RawAesOptions): KmsProvider {
  assertObject(options, 'the options')
  const { namespace, name } = options
  assertNames(namespace, name)
  assertFlag(options.legacyContextOrder, 'legacyContextOrder')
  let secret: KeyObject | undefined = secretKey(options.key)
  const algorithm = `aes-${(secret.symmetricKeySize as number) * 8}-gcm` as 'aes-256-gcm'
  const held = (): KeyObject => {
    if (secret === undefined) throw new ClosedError(`raw AES key ${name}`)
    return secret
  }

  const accepts = (wrapped: WrappedKey): boolean => wrapped.provider === namespace && wrapped.keyId === name

  return checkedKms({
    name: namespace,
    keyId: name,
    recipient: aesLayout(namespace),

    async wrap(key: Uint8Array, { context, signal }: KmsCall): Promise<WrappedKey> {
      signal?.throwIfAborted()
      const iv = randomBytes(IV_LENGTH)
      const cipher = createCipheriv(algorithm, held(), iv, { authTagLength: TAG_LENGTH })
      cipher.setAAD(encodeContext(context))
      const body = Buffer.concat([cipher.update(key), cipher.final()])
      return { provider: namespace, keyId: name, ciphertext: Buffer.concat([iv, body, cipher.getAuthTag()]) }
    },

    async unwrap(wrapped: WrappedKey, { context, signal }: KmsCall): Promise<Uint8Array> {
      signal?.throwIfAborted()
      assertAccepted({ name: namespace, accepts }, wrapped)
      const sealed = asBuffer(wrapped.ciphertext)
      const tagAt = sealed.byteLength - TAG_LENGTH
      if (!KEY_LENGTHS.includes(tagAt - IV_LENGTH)) throw refused(namespace)
      const key =
        decrypted(algorithm, held(), sealed, encodeContext(context)) ??
        (options.legacyContextOrder === true
          ? decrypted(algorithm, held(), sealed, encodeByLocale(context))
          : undefined)
      if (key === undefined) throw refused(namespace)
      return key
    },

    accepts,

    async close(): Promise<void> {
      secret = undefined
    },
  })
}

/** @returns undefined when the tag is wrong */
function decrypted(algorithm: 'aes-256-gcm', key: KeyObject, sealed: Buffer, aad: Uint8Array): Buffer | undefined {
  const tagAt = sealed.byteLength - TAG_LENGTH
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, IV_LENGTH), { authTagLength: TAG_LENGTH })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(tagAt))
  const plaintext = decipher.update(sealed.subarray(IV_LENGTH, tagAt))
  try {
    decipher.final()
  } catch {
    plaintext.fill(0)
    return undefined
  }
  return plaintext
}

/** The order that depends on the locale, which is why nothing is ever wrapped in it. */
function encodeByLocale(context: EncryptionContext): Uint8Array {
  const names = Object.keys(context).sort((a, b) => a.localeCompare(b))
  const pairs = names.map((name) => [Buffer.from(name), Buffer.from(context[name] as string)] as const)
  return encodePairs(pairs, 0xffff)
}

function secretKey(key: Uint8Array | KeyObject): KeyObject {
  if (key instanceof KeyObject) {
    if (key.type !== 'secret') throw new InvalidInputError(`key must be a secret key, received a ${key.type} key`)
  } else assertBytes(key, 'key')
  const secret = key instanceof KeyObject ? key : createSecretKey(key)
  const size = secret.symmetricKeySize as number
  if (!KEY_LENGTHS.includes(size)) throw new InvalidInputError(`key must be 16, 24 or 32 bytes, received ${size}`)
  return secret
}

/** A wrong key, a wrong context and a changed wrap look alike to AES-GCM. */
function refused(provider: string): KmsError {
  return new KmsError(
    provider,
    'invalid-ciphertext',
    'the wrapped key was changed or belongs to another context or key',
  )
}
