import { Buffer } from 'node:buffer'
import {
  assertBytes,
  assertFilled,
  assertMethods,
  assertObject,
  assertText,
  assertWhole,
  wipe,
} from '../../src/bytes.ts'
import { bindKey, openBoundKey } from '../../src/crypto/bound-key.ts'
import { type EncryptionContext, encodeContext } from '../../src/crypto/context.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { ConfigError, InvalidInputError, KmsError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider, WrappedKey } from '../../src/kms.ts'
import { checkedKms } from '../../src/kms-checks.ts'
import { type Pkcs11Operation, pkcs11Error } from './faults.ts'
import { aesGcm, type HsmKeyName, isOaepHash, keyTemplate, keyUri, type OaepHash, rsaOaep } from './mechanisms.ts'
import { inThread, MODULE_METHODS, type Pkcs11Module } from './module.ts'
import { HsmToken, type TokenSession } from './token.ts'
import { Pkcs11Worker } from './worker.ts'

export type { HsmKeyName, OaepHash } from './mechanisms.ts'
export type { Pkcs11Attribute, Pkcs11Handle, Pkcs11Mechanism, Pkcs11Module } from './module.ts'

const PROVIDER = 'pkcs11'
const IV_BYTES = 12
const KEY_BYTES = 32
const TAG_BYTES = 16
const MAX_RSA_BYTES = 1024

/** Which key of which token wraps, and how to be let in. */
export interface Pkcs11HsmOptions {
  /** Path of the vendor's PKCS#11 library, for example `/usr/lib/softhsm/libsofthsm2.so`. Needed unless `client` is given. */
  readonly library?: string
  /** Label of the token. */
  readonly token: string
  /** PIN of the user, or how to read it. A PIN that was refused is not tried again. */
  readonly pin: string | (() => string | Promise<string>)
  /** The key on the token, by CKA_LABEL or CKA_ID. */
  readonly key: HsmKeyName
  /** `aes-gcm` (default) for an AES key, `rsa-oaep` for an RSA key pair under the same label or id. */
  readonly mechanism?: 'aes-gcm' | 'rsa-oaep'
  /** Hash of RSA-OAEP. Default `sha256`; SoftHSM has `sha1` alone. */
  readonly hash?: OaepHash
  /** Sessions at the same time, 1 to 64. Default 4. */
  readonly sessions?: number
  /** Package or path to load pkcs11js from. Default `pkcs11js`. */
  readonly pkcs11js?: string
  /**
   * An instance of the class `PKCS11` of pkcs11js with its library loaded, in place of a worker thread. Its calls run
   * in this thread: starting an operation on a network HSM then holds up the event loop.
   */
  readonly client?: Pkcs11Module
}

/**
 * Wraps keys with a key of a hardware security module, through its PKCS#11 library and pkcs11js. Calls run in a worker
 * thread, several at once in sessions of their own; a lost session or login is opened anew once per call.
 *
 * The key id is the RFC 7512 URI of token and key, and a wrapped key that names another is refused without a call.
 * AES-GCM authenticates the context as associated data; RSA-OAEP wraps the key with the SHA-256 of the context.
 *
 * @throws InvalidInputError on a bad option
 * @throws ConfigError when neither library nor client is given
 */
export function pkcs11Hsm(options: Pkcs11HsmOptions): KmsProvider {
  assertObject(options, 'the options')
  const { token: label, key: keyName, pin, mechanism = 'aes-gcm', hash = 'sha256', sessions = 4 } = options
  const { library, client, pkcs11js = 'pkcs11js' } = options
  assertOptions(label, keyName, mechanism, hash, sessions)
  if (client === undefined && library === undefined) {
    throw new ConfigError('pkcs11Hsm needs a library (a path) or a client')
  }
  if (client !== undefined) assertMethods(client, MODULE_METHODS, 'client, a PKCS11 of pkcs11js,')
  if (library !== undefined) assertFilled(library, 'pkcs11Hsm library')
  assertFilled(pkcs11js, 'pkcs11Hsm pkcs11js')
  if (typeof pin !== 'function') assertFilled(pin, 'pkcs11Hsm pin')
  const runner = client ? inThread(client) : new Pkcs11Worker(library as string, pkcs11js)
  const token = new HsmToken(runner, { provider: PROVIDER, label, pin, sessions })
  const keyId = keyUri(label, keyName)

  async function use<Result>(
    operation: Pkcs11Operation,
    signal: AbortSignal | undefined,
    task: (session: TokenSession) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await token.use(task, signal)
    } catch (error) {
      signal?.throwIfAborted()
      throw pkcs11Error(PROVIDER, error, operation)
    }
  }

  async function wrapAes(key: Uint8Array, context: EncryptionContext, session: TokenSession): Promise<Buffer> {
    const iv = randomBytes(IV_BYTES)
    const handle = await session.find(keyTemplate('secret key', keyName), 'AES key of this name')
    const sealed = await encrypt(session, handle, aesGcm(iv, encodeContext(context)), key, KEY_BYTES + TAG_BYTES)
    return Buffer.concat([iv, sealed])
  }

  async function unwrapAes(sealed: Uint8Array, context: EncryptionContext, session: TokenSession): Promise<Uint8Array> {
    const handle = await session.find(keyTemplate('secret key', keyName), 'AES key of this name')
    const parameters = aesGcm(sealed.slice(0, IV_BYTES), encodeContext(context))
    return decrypt(session, handle, parameters, sealed.slice(IV_BYTES))
  }

  async function wrapRsa(key: Uint8Array, context: EncryptionContext, session: TokenSession): Promise<Buffer> {
    const handle = await session.find(keyTemplate('public key', keyName), 'RSA public key of this name')
    const bound = bindKey(key, context)
    try {
      return await encrypt(session, handle, rsaOaep(hash), bound, MAX_RSA_BYTES)
    } finally {
      wipe(bound)
    }
  }

  async function unwrapRsa(sealed: Uint8Array, context: EncryptionContext, session: TokenSession): Promise<Uint8Array> {
    const handle = await session.find(keyTemplate('private key', keyName), 'RSA private key of this name')
    return openBoundKey(await decrypt(session, handle, rsaOaep(hash), sealed), context, PROVIDER)
  }

  const [wrapWith, unwrapWith] = mechanism === 'aes-gcm' ? [wrapAes, unwrapAes] : [wrapRsa, unwrapRsa]
  const accepts = (wrapped: WrappedKey): boolean => wrapped.provider === PROVIDER && wrapped.keyId === keyId

  return checkedKms({
    name: PROVIDER,
    keyId,

    async wrap(key: Uint8Array, { context, signal }: KmsCall): Promise<WrappedKey> {
      encodeContext(context)
      const ciphertext = await use('wrap', signal, (session) => wrapWith(key, context, session))
      return { provider: PROVIDER, keyId, ciphertext }
    },

    async unwrap(wrapped: WrappedKey, { context, signal }: KmsCall): Promise<Uint8Array> {
      if (!accepts(wrapped)) {
        throw new KmsError(PROVIDER, 'key-not-found', `the wrapped key names another key than ${keyId}`)
      }
      const { ciphertext } = wrapped
      const fits =
        mechanism === 'aes-gcm'
          ? ciphertext.byteLength === IV_BYTES + KEY_BYTES + TAG_BYTES
          : // A token may take a ciphertext without its leading zero byte for the same number; RFC 8017, 7.1.2 refuses it.
            ciphertext.byteLength > 0 && ciphertext.byteLength <= MAX_RSA_BYTES && ciphertext.byteLength % 8 === 0
      if (!fits) throw new KmsError(PROVIDER, 'invalid-ciphertext', 'the wrapped key has a length that no key makes')
      encodeContext(context)
      return use('unwrap', signal, (session) => unwrapWith(ciphertext, context, session))
    },

    accepts,
    close: () => token.close(),
  })
}

async function encrypt(
  { handle, run }: TokenSession,
  key: Uint8Array,
  mechanism: ReturnType<typeof aesGcm>,
  input: Uint8Array,
  maxBytes: number,
): Promise<Buffer> {
  const results = await run([
    ['C_EncryptInit', handle, mechanism, key],
    ['C_EncryptAsync', handle, input, new Uint8Array(maxBytes)],
  ])
  return Buffer.from(results[1] as Uint8Array)
}

/** @returns bytes in memory of their own */
async function decrypt(
  { handle, run }: TokenSession,
  key: Uint8Array,
  mechanism: ReturnType<typeof aesGcm>,
  input: Uint8Array,
): Promise<Uint8Array> {
  const results = await run([
    ['C_DecryptInit', handle, mechanism, key],
    ['C_DecryptAsync', handle, input, new Uint8Array(input.byteLength)],
  ])
  const received = results[1] as Uint8Array
  const plaintext = Buffer.alloc(received.byteLength)
  plaintext.set(received)
  wipe(received)
  return plaintext
}

function assertOptions(label: unknown, key: HsmKeyName, mechanism: unknown, hash: unknown, sessions: number): void {
  assertFilled(label, 'pkcs11Hsm token')
  assertObject(key, 'pkcs11Hsm key')
  if ('label' in key) assertText(key.label, 'pkcs11Hsm key label')
  else assertBytes(key.id, 'pkcs11Hsm key id')
  const name = 'label' in key ? key.label : key.id
  if (name.length === 0 || name.length > 256) throw new InvalidInputError('pkcs11Hsm key must be 1 to 256 long')
  if (mechanism !== 'aes-gcm' && mechanism !== 'rsa-oaep') {
    throw new InvalidInputError("pkcs11Hsm mechanism must be 'aes-gcm' or 'rsa-oaep'")
  }
  if (!isOaepHash(hash)) throw new InvalidInputError("pkcs11Hsm hash must be 'sha1', 'sha256', 'sha384' or 'sha512'")
  assertWhole(sessions, 'pkcs11Hsm sessions', 1, 64)
}
