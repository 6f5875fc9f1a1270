import { assertFilled, assertFlag, assertObject, describe } from '../../src/bytes.ts'
import { parseEndpoint } from '../../src/endpoint.ts'
import { ConfigError, InvalidInputError } from '../../src/errors.ts'
import { importPeer } from '../../src/optional-peer.ts'
import { parseKeyArn } from './key-arn.ts'

/** The part of `KMS` from `@aws-sdk/client-kms` that is used. */
export interface AwsKmsClient {
  encrypt(
    input: { KeyId: string; Plaintext: Uint8Array; EncryptionContext: Record<string, string>; GrantTokens?: string[] },
    options?: AwsCallOptions,
  ): Promise<{ CiphertextBlob?: Uint8Array | undefined; KeyId?: string | undefined }>
  decrypt(
    input: {
      KeyId: string
      CiphertextBlob: Uint8Array
      EncryptionContext: Record<string, string>
      GrantTokens?: string[]
    },
    options?: AwsCallOptions,
  ): Promise<{ Plaintext?: Uint8Array | undefined; KeyId?: string | undefined }>
  reEncrypt(
    input: {
      CiphertextBlob: Uint8Array
      SourceKeyId: string
      SourceEncryptionContext: Record<string, string>
      DestinationKeyId: string
      DestinationEncryptionContext: Record<string, string>
      GrantTokens?: string[]
    },
    options?: AwsCallOptions,
  ): Promise<{ CiphertextBlob?: Uint8Array | undefined; KeyId?: string | undefined }>
  describeKey(
    input: { KeyId: string; GrantTokens?: string[] },
    options?: AwsCallOptions,
  ): Promise<{ KeyMetadata?: { Arn?: string | undefined } | undefined }>
  destroy?(): void
}

/** What every call to an AWS client takes. */
export interface AwsCallOptions {
  readonly abortSignal?: AbortSignal
}

/** Keys of an AWS identity. */
export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

/** How to reach AWS, when Strongroom makes the client. Nothing of this is read from the environment but credentials and region. */
export interface AwsConnection {
  /** Default: that of the key ARN, else what the SDK finds in the environment. */
  readonly region?: string
  /** Another host, such as a VPC endpoint: https, or http to this machine. `AWS_ENDPOINT_URL` is not obeyed. */
  readonly endpoint?: string | URL
  /** Use the FIPS 140 endpoint of the region. Default false. */
  readonly fips?: boolean
  /** Default: the credential chain of the SDK. */
  readonly credentials?: AwsCredentials | (() => Promise<AwsCredentials>)
}

/** Makes the SDK's client, which never retries and goes nowhere but where `connection` says. @throws ConfigError */
export async function connectKms(connection: AwsConnection, keyId: string): Promise<AwsKmsClient> {
  const { KMS } = await importPeer('@aws-sdk/client-kms', 'awsKms', () => import('@aws-sdk/client-kms'))
  return new KMS(clientConfig(connection, parseKeyArn(keyId)?.region))
}

/** Checks `connection` without connecting. @throws ConfigError, InvalidInputError */
export function clientConfig(connection: AwsConnection, keyRegion?: string) {
  const { endpoint, fips = false, credentials, region = keyRegion } = connection
  if (region !== undefined) assertFilled(region, 'region')
  assertFlag(fips, 'fips')
  if (credentials !== undefined && typeof credentials !== 'function') assertCredentials(credentials)
  if (keyRegion !== undefined && region !== keyRegion) {
    throw new ConfigError(`region is ${region}, but the key is in ${keyRegion}: leave region out`)
  }
  if (endpoint !== undefined && fips)
    throw new ConfigError('give either endpoint or fips: a given endpoint is used as it is')
  return {
    maxAttempts: 1, // retries are made above the provider, where every provider shares one deadline and circuit breaker
    useFipsEndpoint: fips,
    ignoreConfiguredEndpointUrls: true,
    ...(region !== undefined && { region }),
    ...(credentials !== undefined && { credentials }),
    ...(endpoint !== undefined && { endpoint: parseEndpoint(endpoint, 'endpoint').href }),
  }
}

function assertCredentials(credentials: AwsCredentials): void {
  assertObject(credentials, 'credentials')
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials
  assertFilled(accessKeyId, 'the accessKeyId of credentials')
  assertFilled(secretAccessKey, 'the secretAccessKey of credentials')
  if (sessionToken !== undefined) assertFilled(sessionToken, 'the sessionToken of credentials')
  if (expiration === undefined || (expiration instanceof Date && !Number.isNaN(expiration.getTime()))) return
  throw new InvalidInputError(`the expiration of credentials must be a valid Date, received ${describe(expiration)}`)
}
