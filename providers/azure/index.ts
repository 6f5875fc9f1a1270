import { Buffer } from 'node:buffer'
import { assertMethods, assertObject, assertOptions, wipe } from '../../src/bytes.ts'
import { BOUND_KEY_BYTES, bindKey, openBoundKey } from '../../src/crypto/bound-key.ts'
import { type EncryptionContext, encodeContext } from '../../src/crypto/context.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { parseEndpoint } from '../../src/endpoint.ts'
import { ConfigError, InvalidInputError, KmsError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider, WrappedKey } from '../../src/kms.ts'
import { checkedKms } from '../../src/kms-checks.ts'
import {
  type AzureCallOptions,
  type AzureKeyClient,
  type AzureWrapAlgorithm,
  azureKeyClient,
  parseAzureKeyId,
} from './client.ts'
import { type AzureOperation, azureError } from './faults.ts'
import { AzureSession } from './session.ts'

export type {
  AzureCallOptions,
  AzureCryptographyClient,
  AzureGetOptions,
  AzureKeyClient,
  AzureWrapAlgorithm,
} from './client.ts'

const PROVIDER = 'azure-kv'
const VERSION = /^[0-9a-f]{32}$/
const SALT_BYTES = 16
const MAX_CIPHERTEXT = 1024

/** Which key of which vault wraps, and who asks. */
export interface AzureKeyVaultOptions {
  /**
   * Identifier of the key: `https://VAULT.vault.azure.net/keys/NAME` wraps under the newest version and unwraps under
   * every version of that key; with `/VERSION` behind it that version alone is used.
   */
  readonly keyId: string | URL
  /** `RSA-OAEP-256` (default), or `A256KW` for an AES key of a Managed HSM. */
  readonly algorithm?: AzureWrapAlgorithm
  /** For example `new DefaultAzureCredential()` of @azure/identity. Needed unless `client` is given. */
  readonly credential?: object
  /** Further options for the `KeyClient` that is made: proxy, TLS. Retries and redirects stay off. */
  readonly clientOptions?: Readonly<Record<string, unknown>>
  /** A `KeyClient` of yours, made for the same vault with `retryOptions` and `redirectOptions` of `maxRetries: 0`. */
  readonly client?: AzureKeyClient
}

/**
 * Wraps keys with a key of Azure Key Vault or Managed HSM, through @azure/keyvault-keys. The version that wrapped
 * stands in `keyId`; a wrapped key of another vault, key or (where one is configured) version is refused without a call.
 *
 * Azure's wrapKey has no associated data, so what is wrapped is the key and the SHA-256 of its context, compared in
 * constant time when it is unwrapped.
 *
 * @throws InvalidInputError on an identifier of another form
 * @throws ConfigError when it is not https, or neither credential nor client is given
 */
export function azureKeyVault(options: AzureKeyVaultOptions): KmsProvider {
  assertObject(options, 'the options')
  const { algorithm = 'RSA-OAEP-256', credential, client, clientOptions = {} } = options
  const id = parseAzureKeyId(parseEndpoint(options.keyId, 'azureKeyVault keyId'))
  if (algorithm !== 'RSA-OAEP-256' && algorithm !== 'A256KW') {
    throw new InvalidInputError("algorithm must be 'RSA-OAEP-256' or 'A256KW'")
  }
  assertOptions(clientOptions, 'clientOptions')
  if (credential === undefined && client === undefined)
    throw new ConfigError('azureKeyVault needs a credential (@azure/identity) or a client')
  if (credential !== undefined) assertMethods(credential, ['getToken'], 'credential')
  if (client !== undefined) assertClient(client, id.vault)
  const prefix = `${id.vault}/keys/${id.name}/`
  const keyId = prefix.slice(0, -1) + (id.version === undefined ? '' : `/${id.version}`)
  const make = async (): Promise<AzureKeyClient> => client ?? azureKeyClient(id.vault, credential, clientOptions)
  const session = new AzureSession(id, make)

  const accepts = (wrapped: WrappedKey): boolean =>
    wrapped.provider === PROVIDER &&
    wrapped.keyId.startsWith(prefix) &&
    (id.version === undefined ? VERSION.test(wrapped.keyId.slice(prefix.length)) : wrapped.keyId === keyId)

  async function call<Result>(
    operation: AzureOperation,
    signal: AbortSignal | undefined,
    run: (options: AzureCallOptions) => Promise<Result>,
  ): Promise<Result> {
    signal?.throwIfAborted()
    try {
      return await run(signal ? { abortSignal: signal } : {})
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof ConfigError) throw error
      throw azureError(PROVIDER, error, operation, keyId)
    }
  }

  return checkedKms({
    name: PROVIDER,
    keyId,

    async wrap(key: Uint8Array, { context, signal }: KmsCall): Promise<WrappedKey> {
      const bound = bindForWrap(algorithm, key, context)
      try {
        const version = await call('get', signal, () => session.newestVersion(signal))
        if (!VERSION.test(version))
          throw new KmsError(PROVIDER, 'misconfigured', 'the vault named no version of the key')
        const { result } = await call('wrap', signal, async (options) =>
          (await session.cryptography(version)).wrapKey(algorithm, bound, options),
        )
        return { provider: PROVIDER, keyId: prefix + version, ciphertext: Buffer.from(result) }
      } finally {
        wipe(bound)
      }
    },

    async unwrap(wrapped: WrappedKey, { context, signal }: KmsCall): Promise<Uint8Array> {
      if (!accepts(wrapped)) {
        throw new KmsError(PROVIDER, 'key-not-found', `the wrapped key names another key than ${keyId}`)
      }
      const { byteLength } = wrapped.ciphertext
      // An RSA ciphertext without its leading zero byte is the same number, which some implementations take (RFC 8017, 7.1.2).
      if (byteLength === 0 || byteLength > MAX_CIPHERTEXT || byteLength % 8 !== 0) {
        throw new KmsError(PROVIDER, 'invalid-ciphertext', 'the wrapped key is not of a length that Azure makes')
      }
      encodeContext(context)
      const version = wrapped.keyId.slice(prefix.length)
      const { result } = await call('unwrap', signal, async (options) =>
        (await session.cryptography(version)).unwrapKey(algorithm, wrapped.ciphertext, options),
      )
      return openAfterUnwrap(algorithm, result, context)
    },

    accepts,
  })
}

function assertClient(client: AzureKeyClient, vault: string): void {
  assertMethods(client, ['getKey', 'getCryptographyClient'], 'client')
  if (parseEndpoint(client.vaultUrl, 'the vaultUrl of the client').origin === vault) return
  throw new ConfigError(`the client of azureKeyVault is for another vault than ${vault}`)
}

/** AES key wrap makes the same ciphertext of the same key: a salt in front keeps equal keys from looking equal. */
function bindForWrap(algorithm: AzureWrapAlgorithm, key: Uint8Array, context: EncryptionContext): Buffer {
  const bound = bindKey(key, context)
  if (algorithm !== 'A256KW') return bound
  const salted = Buffer.alloc(SALT_BYTES + BOUND_KEY_BYTES)
  salted.set(randomBytes(SALT_BYTES))
  salted.set(bound, SALT_BYTES)
  wipe(bound)
  return salted
}

function openAfterUnwrap(algorithm: AzureWrapAlgorithm, result: Uint8Array, context: EncryptionContext): Uint8Array {
  return openBoundKey(result.subarray(algorithm === 'A256KW' ? SALT_BYTES : 0), context, PROVIDER)
}
