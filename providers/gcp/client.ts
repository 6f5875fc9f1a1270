import { ConfigError } from '../../src/errors.ts'
import { importPeer } from '../../src/optional-peer.ts'

/** A 64-bit number, as gRPC and JSON carry it. */
export interface Int64Value {
  readonly value?: number | string | { toString(): string } | null | undefined
}

export interface GcpEncryptRequest {
  name: string
  plaintext: Uint8Array
  plaintextCrc32c: { value: number }
  additionalAuthenticatedData: Uint8Array
  additionalAuthenticatedDataCrc32c: { value: number }
}

export interface GcpEncryptAnswer {
  readonly name?: string | null | undefined
  readonly ciphertext?: Uint8Array | string | null | undefined
  readonly ciphertextCrc32c?: Int64Value | null | undefined
  readonly verifiedPlaintextCrc32c?: boolean | null | undefined
  readonly verifiedAdditionalAuthenticatedDataCrc32c?: boolean | null | undefined
}

export interface GcpDecryptRequest {
  name: string
  ciphertext: Uint8Array
  ciphertextCrc32c: { value: number }
  additionalAuthenticatedData: Uint8Array
  additionalAuthenticatedDataCrc32c: { value: number }
}

export interface GcpDecryptAnswer {
  readonly plaintext?: Uint8Array | string | null | undefined
  readonly plaintextCrc32c?: Int64Value | null | undefined
}

/** No retries here: they are made above the provider. `signal` is obeyed by the REST transport; gRPC ends at its timeout. */
export interface GcpCallOptions {
  readonly timeout: number
  readonly retry: null
  readonly signal?: AbortSignal
}

/** The part of `KeyManagementServiceClient` from `@google-cloud/kms` that is used. */
export interface GcpKmsClient {
  encrypt(request: GcpEncryptRequest, options: GcpCallOptions): Promise<readonly [GcpEncryptAnswer, ...unknown[]]>
  decrypt(request: GcpDecryptRequest, options: GcpCallOptions): Promise<readonly [GcpDecryptAnswer, ...unknown[]]>
  close?(): Promise<void>
}

const DOMAIN = 'googleapis.com'
export const HOST = `cloudkms.${DOMAIN}`

/** Google's own client over gRPC, with the credentials it finds by itself. @throws ConfigError when it is not installed */
export async function connectGrpc(endpoint: URL | undefined): Promise<GcpKmsClient> {
  if (endpoint !== undefined && endpoint.protocol !== 'https:') {
    throw new ConfigError(
      'gRPC needs https: for a plain http endpoint on this machine set transport to rest, or give a client',
    )
  }
  const load = () => import('@google-cloud/kms')
  const { KeyManagementServiceClient } = await importPeer('@google-cloud/kms', 'gcpKms', load)
  const client = new KeyManagementServiceClient({
    // Named here, because the client would else take its domain from the environment.
    apiEndpoint: endpoint?.hostname ?? HOST,
    universeDomain: DOMAIN,
    ...(endpoint !== undefined && endpoint.port !== '' && { port: Number(endpoint.port) }),
  })
  return silenced(client as unknown as GcpKmsClient)
}

/** The client prints whole requests, keys included, when `GOOGLE_SDK_NODE_LOGGING` is set: not this one. */
export function silenced(client: GcpKmsClient): GcpKmsClient {
  const ignore = () => {}
  const log = { info: ignore, debug: ignore, warn: ignore, error: ignore, log: ignore }
  if ('_log' in client) Object.defineProperty(client, '_log', { value: log })
  return client
}
