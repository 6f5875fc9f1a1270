import { Buffer } from 'node:buffer'
import { resolve } from 'node:path'
import sodium from 'libsodium-wrappers'
import { assertFilled, assertObject, assertText, lengthPrefixed } from '../../src/bytes.ts'
import { encodeContext } from '../../src/crypto/context.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { ClosedError, KeyFileError, KmsError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider } from '../../src/kms.ts'
import { assertAccepted, checkedKms } from '../../src/kms-checks.ts'
import { damaged, idOf, type KeyFile, lockHeader, readKeyFile } from './key-file.ts'
import { assertPassphrase, unlockKey } from './passphrase-lock.ts'

/** The key file, and what opens it. */
export interface SodiumKmsOptions {
  /** The key file, made by `strongroom init` or `createKeyFile`. */
  readonly path: string
  /** The passphrase, or where to get it: asked for once, at the first key that is wrapped or unwrapped. */
  readonly passphrase?: string | (() => string | Promise<string>)
}

const NAME = 'sodium'
const WRAP_LABEL = 'strongroom/v1/sodium'
const NONCE_LENGTH = 24
const WRAPPED_LENGTH = NONCE_LENGTH + 32 + 16

/**
 * A key management service in a local key file: wraps keys with XChaCha20-Poly1305 of libsodium, with the context as
 * associated data. For development, for one machine, and as the second of several services. The key stays in memory
 * until `close`.
 *
 * The file is read at first use. Every call may reject with KeyFileError `missing`, `permissions`, `damaged`,
 * `wrong-passphrase` or `passphrase-required`.
 *
 * @throws InvalidInputError
 */
export function sodiumKms(options: SodiumKmsOptions): KmsProvider {
  assertObject(options, 'the options')
  assertFilled(options.path, 'path')
  const path = resolve(options.path)
  const { passphrase } = options
  if (passphrase !== undefined && typeof passphrase !== 'function') assertText(passphrase, 'passphrase')
  let file: KeyFile | undefined
  let unlocked: Promise<Uint8Array> | undefined
  let closed = false

  const provider: KmsProvider = checkedKms<KmsProvider>({
    name: NAME,
    get keyId() {
      return read().id
    },
    async wrap(key, call) {
      call.signal?.throwIfAborted()
      const aad = aadOf(call)
      const nonce = randomBytes(NONCE_LENGTH)
      const wrappingKey = await unlock(call)
      const sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(key, aad, null, nonce, wrappingKey)
      return { provider: NAME, keyId: read().id, ciphertext: Buffer.concat([nonce, sealed]) }
    },
    async unwrap(wrapped, call) {
      call.signal?.throwIfAborted()
      assertAccepted(provider, wrapped)
      const aad = aadOf(call)
      const wrappingKey = await unlock(call)
      const key = open(wrapped.ciphertext, aad, wrappingKey)
      if (key === undefined)
        throw new KmsError(NAME, 'invalid-ciphertext', 'the wrapped key was changed, or wrapped under another context')
      return key
    },
    accepts: (wrapped) => wrapped.provider === NAME && wrapped.keyId === read().id,
    async close() {
      closed = true
      const key = await unlocked?.catch(() => undefined)
      key?.fill(0)
      unlocked = undefined
    },
  })
  return provider

  function read(): KeyFile {
    file ??= readKeyFile(path)
    return file
  }

  function aadOf(call: KmsCall): Buffer {
    return lengthPrefixed([WRAP_LABEL, read().id, encodeContext(call.context)])
  }

  async function unlock(call: KmsCall): Promise<Uint8Array> {
    if (closed) throw new ClosedError('the key file')
    unlocked ??= unlockOnce().catch((error) => {
      unlocked = undefined
      file = undefined
      throw error
    })
    const key = await unlocked
    call.signal?.throwIfAborted()
    if (closed) throw new ClosedError('the key file')
    return key
  }

  async function unlockOnce(): Promise<Uint8Array> {
    await sodium.ready
    const { id, created, key } = read()
    if (Buffer.isBuffer(key)) return key
    if (passphrase === undefined) {
      throw new KeyFileError('passphrase-required', `the key file ${path} is locked: give its passphrase to sodiumKms`)
    }
    const words = typeof passphrase === 'function' ? await passphrase() : passphrase
    assertPassphrase(words)
    const plain = await unlockKey(key, words, lockHeader(id, created))
    if (plain === undefined)
      throw new KeyFileError('wrong-passphrase', `the passphrase does not open the key file ${path}`)
    if (idOf(plain) !== id) throw damaged(path)
    return plain
  }
}

function open(ciphertext: Uint8Array, aad: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  if (ciphertext.byteLength !== WRAPPED_LENGTH) return undefined
  const nonce = ciphertext.subarray(0, NONCE_LENGTH)
  try {
    return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, ciphertext.subarray(NONCE_LENGTH), aad, nonce, key)
  } catch {
    return undefined
  }
}
