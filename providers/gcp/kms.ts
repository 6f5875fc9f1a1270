import { Buffer } from 'node:buffer'
import { assertCallback, assertMethods, assertObject, assertText } from '../../src/bytes.ts'
import { encodeContext } from '../../src/crypto/context.ts'
import { parseEndpoint } from '../../src/endpoint.ts'
import { ClosedError, InvalidInputError, KmsError, StrongroomError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider, WrappedKey } from '../../src/kms.ts'
import { assertAccepted, checkedKms } from '../../src/kms-checks.ts'
import { connectGrpc, type GcpCallOptions, type GcpKmsClient, type Int64Value } from './client.ts'
import { crc32c } from './crc32c.ts'
import { gcpError } from './faults.ts'
import { type AccessToken, connectRest } from './rest-client.ts'

const PROVIDER = 'gcp-kms'
const PART = '[A-Za-z0-9_-]{1,63}'
const KEY_NAME = new RegExp(
  `^projects/[a-z0-9.:-]{1,100}/locations/[a-z0-9-]{1,63}/keyRings/${PART}/cryptoKeys/${PART}$`,
)
const VERSION = /^[1-9][0-9]{0,9}$/
const MAX_CIPHERTEXT = 8192
const TIMEOUT_MS = 30_000

/** A key of Google Cloud KMS. */
export interface GcpKmsOptions {
  /** `projects/…/locations/…/keyRings/…/cryptoKeys/…` of a symmetric ENCRYPT_DECRYPT key, without a version. */
  readonly keyName: string
  /** `grpc` uses `@google-cloud/kms`; `rest` uses `fetch` and starts several times faster. Default `grpc`. */
  readonly transport?: 'grpc' | 'rest'
  /** Another host, such as a regional one: https, or with `rest` also http to this machine. */
  readonly endpoint?: string | URL
  /** For `rest`. Default: application default credentials by `google-auth-library`. */
  readonly accessToken?: AccessToken
  /**
   * A `KeyManagementServiceClient`, for credentials of your own. Not closed by `close()`. It prints keys when
   * `GOOGLE_SDK_NODE_LOGGING` is set; the client that is made here does not.
   */
  readonly client?: GcpKmsClient
}

/**
 * Wraps keys with Google Cloud KMS, with the encoded context as additional authenticated data. Every transfer is
 * checked by CRC-32C in both directions. A wrapped key names the key version that Google used; Decrypt names the
 * configured key, and Google finds the version in the ciphertext.
 *
 * @throws InvalidInputError, ConfigError
 */
export function gcpKms(options: GcpKmsOptions): KmsProvider {
  assertObject(options, 'the options')
  const { keyName, transport = 'grpc' } = options
  assertText(keyName, 'keyName')
  if (!KEY_NAME.test(keyName)) {
    throw new InvalidInputError('keyName must be projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version')
  }
  if (transport !== 'grpc' && transport !== 'rest') throw new InvalidInputError('transport must be grpc or rest')
  assertCallback(options.accessToken, 'accessToken')
  if (options.client !== undefined) {
    assertMethods(options.client, ['encrypt', 'decrypt'], 'client, a KeyManagementServiceClient of @google-cloud/kms,')
  }
  const endpoint = options.endpoint === undefined ? undefined : parseEndpoint(options.endpoint, 'endpoint')
  const versions = `${keyName}/cryptoKeyVersions/`
  let client: Promise<GcpKmsClient> | undefined
  let closed = false

  async function connect(): Promise<GcpKmsClient> {
    if (options.client !== undefined) return options.client
    return transport === 'grpc' ? connectGrpc(endpoint) : connectRest(endpoint, options.accessToken)
  }

  async function call<T>(
    operation: 'Encrypt' | 'Decrypt',
    signal: AbortSignal | undefined,
    send: (client: GcpKmsClient, options: GcpCallOptions) => Promise<readonly [T, ...unknown[]]>,
  ): Promise<T> {
    if (closed) throw new ClosedError('gcpKms')
    signal?.throwIfAborted()
    try {
      client ??= connect()
      const callOptions = { timeout: TIMEOUT_MS, retry: null, ...(signal && { signal }) }
      const [answer] = await orAborted(send(await client, callOptions), signal)
      return answer
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof StrongroomError) {
        client = undefined
        throw error
      }
      throw gcpError(PROVIDER, operation, keyName, error)
    }
  }

  function accepts({ provider, keyId }: WrappedKey): boolean {
    return provider === PROVIDER && keyId.startsWith(versions) && VERSION.test(keyId.slice(versions.length))
  }

  return checkedKms({
    name: PROVIDER,
    keyId: keyName,

    async wrap(key: Uint8Array, { context, signal }: KmsCall): Promise<WrappedKey> {
      const aad = encodeContext(context)
      const request = {
        name: keyName,
        plaintext: key,
        plaintextCrc32c: { value: crc32c(key) },
        ...boundTo(aad),
      }
      const answer = await call('Encrypt', signal, (kms, callOptions) => kms.encrypt(request, callOptions))
      const ciphertext = bytesOf(answer.ciphertext)
      if (answer.verifiedPlaintextCrc32c !== true || answer.verifiedAdditionalAuthenticatedDataCrc32c !== true) {
        throw new KmsError(PROVIDER, 'unavailable', 'the request was damaged on its way to Cloud KMS')
      }
      assertChecksum(ciphertext, answer.ciphertextCrc32c)
      const wrapped = { provider: PROVIDER, keyId: answer.name ?? '', ciphertext }
      if (accepts(wrapped) && ciphertext.byteLength > 0 && ciphertext.byteLength <= MAX_CIPHERTEXT) return wrapped
      throw new KmsError(PROVIDER, 'misconfigured', 'answered for another key than the configured one')
    },

    async unwrap(wrapped: WrappedKey, { context, signal }: KmsCall): Promise<Uint8Array> {
      signal?.throwIfAborted()
      assertAccepted({ name: PROVIDER, accepts }, wrapped)
      const { ciphertext } = wrapped
      if (ciphertext.byteLength === 0 || ciphertext.byteLength > MAX_CIPHERTEXT) {
        throw new KmsError(PROVIDER, 'invalid-ciphertext', `the wrapped key must be 1 to ${MAX_CIPHERTEXT} bytes`)
      }
      const request = {
        name: keyName,
        ciphertext,
        ciphertextCrc32c: { value: crc32c(ciphertext) },
        ...boundTo(encodeContext(context)),
      }
      const answer = await call('Decrypt', signal, (kms, callOptions) => kms.decrypt(request, callOptions))
      const key = bytesOf(answer.plaintext)
      if (answer.plaintext instanceof Uint8Array) answer.plaintext.fill(0)
      try {
        assertChecksum(key, answer.plaintextCrc32c)
      } catch (error) {
        key.fill(0)
        throw error
      }
      return key
    },

    accepts,

    async close(): Promise<void> {
      closed = true
      if (options.client === undefined) await client?.then((own) => own.close?.()).catch(() => undefined)
    },
  })
}

function boundTo(aad: Uint8Array) {
  return { additionalAuthenticatedData: aad, additionalAuthenticatedDataCrc32c: { value: crc32c(aad) } }
}

/** In memory of their own: the client's are slices of what came over the wire. */
function bytesOf(value: Uint8Array | string | null | undefined): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : (value ?? new Uint8Array(0))
  const own = Buffer.alloc(bytes.byteLength)
  own.set(bytes)
  return own
}

function assertChecksum(bytes: Uint8Array, checksum: Int64Value | null | undefined): void {
  if (String(checksum?.value ?? '') === String(crc32c(bytes))) return
  throw new KmsError(PROVIDER, 'unavailable', 'the answer was damaged on its way from Cloud KMS')
}

/** The gRPC client takes no signal: its caller is freed at once, and the call ends by itself. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
