import { Buffer } from 'node:buffer'
import { assertCallback, assertObject, assertText, wipe } from '../../src/bytes.ts'
import { BOUND_KEY_BYTES, bindKey, contextDigest, openBoundKey } from '../../src/crypto/bound-key.ts'
import { type EncryptionContext, encodeContext } from '../../src/crypto/context.ts'
import { parseEndpoint } from '../../src/endpoint.ts'
import { InvalidInputError, KmsError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider, WrappedKey } from '../../src/kms.ts'
import { checkedKms } from '../../src/kms-checks.ts'
import { type VaultFetch, type VaultReply, vaultSend } from './http.ts'
import { assertAuth, type VaultAuth, VaultLogin } from './login.ts'
import { assertMount } from './mount.ts'

export type { VaultFetch, VaultFetchInit, VaultFetchReply } from './http.ts'
export type { VaultAuth, VaultSecret } from './login.ts'

const PROVIDER = 'vault-transit'
const CIPHERTEXT = /^vault:v([1-9]\d{0,8}):([A-Za-z0-9+/]+={0,2})$/
const MAX_CIPHERTEXT = 2048
const VERSION = /^[1-9]\d{0,8}$/
const NAME = /^\w(?:[\w.-]{0,126}\w)?$/

/** Which Transit key wraps, and how to be let in. */
export interface VaultTransitOptions {
  /** Where the server or its load balancer is, for example `https://vault.example.com:8200`. */
  readonly address: string | URL
  /** Name of the transit key. */
  readonly key: string
  /** Where the transit engine is mounted. Default `transit`. */
  readonly mount?: string
  /** Namespace of the mount (Vault Enterprise, HCP, OpenBao 2.3 and later). */
  readonly namespace?: string
  /** A token, an AppRole, or the service account of a Kubernetes pod. */
  readonly auth: VaultAuth
  /**
   * How Vault binds the context. `associated-data` (default) works with every `aes256-gcm96` and `chacha20-poly1305`
   * key. `derived` is for keys made with `derived=true`; only with it can Vault rewrap by itself, because its
   * `rewrap` takes no associated data.
   */
  readonly binding?: 'associated-data' | 'derived'
  /** In place of the global `fetch`, for mutual TLS or a private authority. */
  readonly fetch?: VaultFetch
}

/**
 * Wraps keys with the Transit engine of HashiCorp Vault or OpenBao. The key version that wrapped stands in `keyId`,
 * and a wrapped key of another mount, namespace or key is refused without a call.
 *
 * What is wrapped is the key and the SHA-256 of its context, so that a server that ignores associated data (Vault
 * before 1.13) or a key that is not derived cannot undo the binding. Calls are not retried; a token that is refused
 * is replaced once where the configuration can get another.
 *
 * @throws InvalidInputError on a bad name
 * @throws ConfigError when the address is neither https nor loopback
 */
export function vaultTransit(options: VaultTransitOptions): KmsProvider {
  assertObject(options, 'the options')
  const { key, mount = 'transit', namespace, binding = 'associated-data', auth } = options
  const address = parseEndpoint(options.address, 'vaultTransit address').href.replace(/\/$/, '')
  assertText(key, 'key')
  if (!NAME.test(key)) throw new InvalidInputError('key must be 1 to 128 letters, digits, "_", "-" or "."')
  assertMount(mount, 'mount')
  if (namespace !== undefined) assertMount(namespace, 'namespace')
  if (binding !== 'associated-data' && binding !== 'derived') {
    throw new InvalidInputError("binding must be 'associated-data' or 'derived'")
  }
  assertAuth(auth)
  assertCallback(options.fetch, 'fetch')
  const send = vaultSend(PROVIDER, address, namespace, options.fetch ?? (globalThis.fetch as unknown as VaultFetch))
  const login = new VaultLogin(PROVIDER, auth, send)
  const keyId = `${namespace === undefined ? '' : `${namespace}/`}${mount}/keys/${key}`
  const prefix = `${keyId}/versions/`

  async function post(
    operation: 'encrypt' | 'decrypt' | 'rewrap',
    body: Readonly<Record<string, unknown>>,
    signal: AbortSignal | undefined,
  ): Promise<VaultReply> {
    const request = { method: 'POST', path: `${mount}/${operation}/${key}`, body, signal } as const
    const lease = await login.lease(signal)
    try {
      return dataOf(await send({ ...request, token: lease.token }))
    } catch (error) {
      const refused = error instanceof KmsError && error.kind === 'denied'
      if (!refused || !login.replaceable(lease)) throw error
      return dataOf(await send({ ...request, token: (await login.lease(signal)).token }))
    }
  }

  const bindingOf = (context: EncryptionContext): Readonly<Record<string, string>> =>
    binding === 'derived'
      ? { context: contextDigest(context).toString('base64') }
      : { associated_data: encodeContext(context).toString('base64') }

  const accepts = (wrapped: WrappedKey): boolean =>
    wrapped.provider === PROVIDER &&
    wrapped.keyId.startsWith(prefix) &&
    VERSION.test(wrapped.keyId.slice(prefix.length))

  function ciphertextOf(wrapped: WrappedKey): string {
    if (!accepts(wrapped)) {
      throw new KmsError(PROVIDER, 'key-not-found', `the wrapped key names another key than ${keyId}`)
    }
    const text = parseCiphertext(wrapped.ciphertext)
    if (text === undefined || versionOf(text) !== wrapped.keyId.slice(prefix.length)) {
      throw new KmsError(
        PROVIDER,
        'invalid-ciphertext',
        'the wrapped key is not a Transit ciphertext of the version it names',
      )
    }
    return text
  }

  function wrappedKey(data: VaultReply): WrappedKey {
    const text = typeof data.ciphertext === 'string' ? data.ciphertext : ''
    const version = text.length <= MAX_CIPHERTEXT ? versionOf(text) : undefined
    if (version === undefined) {
      throw new KmsError(
        PROVIDER,
        'misconfigured',
        'the answer holds no Transit ciphertext: is a transit engine mounted there?',
      )
    }
    return { provider: PROVIDER, keyId: prefix + version, ciphertext: Buffer.from(text, 'ascii') }
  }

  const provider: KmsProvider = {
    name: PROVIDER,
    keyId,

    async wrap(secret: Uint8Array, { context, signal }: KmsCall): Promise<WrappedKey> {
      const bound = bindKey(secret, context)
      try {
        const plaintext = bound.toString('base64')
        return wrappedKey(await post('encrypt', { plaintext, ...bindingOf(context) }, signal))
      } finally {
        wipe(bound)
      }
    },

    async unwrap(wrapped: WrappedKey, { context, signal }: KmsCall): Promise<Uint8Array> {
      const ciphertext = ciphertextOf(wrapped)
      const data = await post('decrypt', { ciphertext, ...bindingOf(context) }, signal)
      const plaintext = typeof data.plaintext === 'string' ? data.plaintext : ''
      if (plaintext.length > BOUND_KEY_BYTES * 2) {
        throw new KmsError(PROVIDER, 'invalid-ciphertext', 'the wrapped key does not hold a key of ours')
      }
      return openBoundKey(Buffer.from(plaintext, 'base64'), context, PROVIDER)
    },

    accepts,

    async close(): Promise<void> {
      login.close()
    },
  }
  if (binding !== 'derived') return checkedKms(provider)
  return checkedKms({
    ...provider,
    async rewrap(wrapped: WrappedKey, { context, signal }: KmsCall): Promise<WrappedKey> {
      const ciphertext = ciphertextOf(wrapped)
      return wrappedKey(await post('rewrap', { ciphertext, ...bindingOf(context) }, signal))
    },
  })
}

/** Strict, because Vault itself takes base64 with stray bits: one ciphertext would have several texts. */
function parseCiphertext(bytes: Uint8Array): string | undefined {
  if (bytes.byteLength > MAX_CIPHERTEXT) return undefined
  const text = Buffer.from(bytes).toString('latin1')
  return versionOf(text) === undefined ? undefined : text
}

function versionOf(ciphertext: string): string | undefined {
  const [, version, encoded = ''] = CIPHERTEXT.exec(ciphertext) ?? []
  return Buffer.from(encoded, 'base64').toString('base64') === encoded ? version : undefined
}

function dataOf(reply: VaultReply): VaultReply {
  const data = reply.data
  return typeof data === 'object' && data !== null ? (data as VaultReply) : {}
}
