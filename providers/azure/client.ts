import { InvalidInputError } from '../../src/errors.ts'
import { importPeer } from '../../src/optional-peer.ts'

/** How Azure is asked to wrap: RSA keys of any vault, or AES keys of a Managed HSM. */
export type AzureWrapAlgorithm = 'RSA-OAEP-256' | 'A256KW'

/** The part of `CryptographyClient` of @azure/keyvault-keys that is used. */
export interface AzureCryptographyClient {
  wrapKey(algorithm: AzureWrapAlgorithm, key: Uint8Array, options: AzureCallOptions): Promise<{ result: Uint8Array }>
  unwrapKey(algorithm: AzureWrapAlgorithm, key: Uint8Array, options: AzureCallOptions): Promise<{ result: Uint8Array }>
}

/** The part of `KeyClient` of @azure/keyvault-keys that is used. */
export interface AzureKeyClient {
  readonly vaultUrl: string
  getKey(name: string, options: AzureGetOptions): Promise<{ properties: { version?: string } }>
  getCryptographyClient(name: string, options: { keyVersion: string }): AzureCryptographyClient
}

/** What a call takes besides its arguments. */
export interface AzureCallOptions {
  abortSignal?: AbortSignal
}

/** What reading a key takes besides its name. */
export interface AzureGetOptions extends AzureCallOptions {
  version?: string
}

/** A key of a vault as its identifier names it. */
export interface AzureKeyId {
  /** For example `https://billing.vault.azure.net`. */
  readonly vault: string
  readonly name: string
  /** 32 hexadecimal characters; absent for whichever is newest. */
  readonly version: string | undefined
}

const IDENTIFIER = /^\/keys\/([0-9A-Za-z-]{1,127})(?:\/([0-9a-f]{32}))?\/?$/

/** Takes a key identifier apart. @throws InvalidInputError */
export function parseAzureKeyId(url: URL): AzureKeyId {
  const [, name, version] = IDENTIFIER.exec(url.pathname) ?? []
  if (name === undefined) {
    throw new InvalidInputError('azureKeyVault keyId must end in /keys/NAME or /keys/NAME/VERSION')
  }
  return { vault: url.origin, name, version }
}

/** Makes a client that neither retries nor follows redirects, whatever `options` say. @throws ConfigError when the SDK is not installed */
export async function azureKeyClient(
  vault: string,
  credential: unknown,
  options: Readonly<Record<string, unknown>>,
): Promise<AzureKeyClient> {
  const load = (): Promise<typeof import('@azure/keyvault-keys')> => import('@azure/keyvault-keys')
  const { KeyClient } = await importPeer('@azure/keyvault-keys', 'azureKeyVault', load)
  const pinned = {
    ...options,
    retryOptions: { maxRetries: 0 },
    redirectOptions: { maxRetries: 0 },
    additionalPolicies: [
      { position: 'perRetry' as const, policy: { name: 'refuseStrangers', sendRequest: refuseStrangers } },
    ],
  }
  return new KeyClient(vault, credential as ConstructorParameters<typeof KeyClient>[1], pinned) as AzureKeyClient
}

interface Answer {
  readonly status: number
  readonly headers: { get(name: string): string | undefined }
}

/** Redirects are refused whatever they hold; of a proxy's HTML page the SDK loses the status, failing on its body. */
async function refuseStrangers<Request, Reply extends Answer>(
  request: Request,
  next: (request: Request) => Promise<Reply>,
): Promise<Reply> {
  const answer = await next(request)
  const json = /json/.test(answer.headers.get('content-type') ?? '')
  if (answer.status < 300 || answer.status === 401 || (json && answer.status >= 400)) return answer
  throw Object.assign(new Error(`status ${answer.status}`), { statusCode: answer.status })
}
