import { KmsError, type KmsErrorKind } from '../../src/errors.ts'
import { networkFault } from './network.ts'

/**
 * What each exception of AWS KMS means here. KMS answers InvalidCiphertextException for a wrong context and for a damaged
 * ciphertext alike, so a wrong context is `invalid-ciphertext`.
 * AWS KMS API reference, Encrypt, Decrypt, ReEncrypt, DescribeKey: Errors; Common errors.
 */
const EXCEPTIONS: Readonly<Record<string, readonly [KmsErrorKind, string]>> = {
  ThrottlingException: ['throttled', 'requests are throttled'],
  Throttling: ['throttled', 'requests are throttled'],
  TooManyRequestsException: ['throttled', 'requests are throttled'],
  RequestLimitExceeded: ['throttled', 'requests are throttled'],
  LimitExceededException: ['throttled', 'a quota is used up'],

  KMSInternalException: ['unavailable', 'AWS KMS failed inside'],
  DependencyTimeoutException: ['unavailable', 'AWS KMS timed out inside'],
  KeyUnavailableException: ['unavailable', 'the key is not available at the moment'],
  InternalFailure: ['unavailable', 'AWS KMS failed inside'],
  ServiceUnavailable: ['unavailable', 'AWS KMS is not available'],
  ServiceUnavailableException: ['unavailable', 'AWS KMS is not available'],

  UnrecognizedClientException: ['denied', 'the credentials are not valid'],
  InvalidClientTokenId: ['denied', 'the credentials are not valid'],
  IncompleteSignature: ['denied', 'the request is not signed'],
  InvalidSignatureException: ['denied', 'the signature is wrong: check the secret and the clock'],
  MissingAuthenticationTokenException: ['denied', 'the request is not signed'],
  ExpiredTokenException: ['denied', 'the session token is expired'],
  CredentialsProviderError: ['denied', 'no credentials were found'],
  TokenProviderError: ['denied', 'no credentials were found'],
  InvalidGrantTokenException: ['denied', 'a grant token is not valid'],

  DisabledException: ['key-disabled', 'the key is disabled'],
  KMSInvalidStateException: ['key-disabled', 'the key is pending deletion, or its state forbids this'],

  NotFoundException: ['key-not-found', 'the key or alias does not exist in this region'],

  InvalidCiphertextException: ['invalid-ciphertext', 'the wrapped key was changed or belongs to another context'],
  IncorrectKeyException: ['invalid-ciphertext', 'the wrapped key was wrapped under another key'],

  InvalidArnException: ['misconfigured', 'the key ARN is not valid'],
  InvalidKeyUsageException: ['misconfigured', 'the key is not a symmetric key for ENCRYPT_DECRYPT'],
  UnsupportedOperationException: ['misconfigured', 'the key does not support this'],
  ValidationException: ['misconfigured', 'the request is not valid'],
}

/**
 * The error for whatever the SDK threw.
 *
 * @param action for example `kms:Decrypt`, named when the permission is missing
 * @param keyId the configured key
 */
export function awsError(provider: string, action: string, keyId: string, error: unknown): KmsError {
  const { name = '', $fault, $metadata } = (error ?? {}) as SdkError
  const make = (kind: KmsErrorKind, message: string) => new KmsError(provider, kind, message, { cause: error })
  if (name === 'AccessDeniedException')
    return make('denied', `${action} on ${keyId} is not allowed for these credentials`)
  const known = Object.hasOwn(EXCEPTIONS, name) ? EXCEPTIONS[name] : undefined
  if (known !== undefined) return make(known[0], `${known[1]} (${action} on ${keyId})`)
  const status = $metadata?.httpStatusCode
  if (status === 429) return make('throttled', `requests are throttled (${action})`)
  if (status !== undefined && status >= 300 && status < 400) {
    return make('misconfigured', `answered with a redirect, which is not followed (${action})`)
  }
  if ((status !== undefined && status >= 500) || $fault === 'server') {
    return make('unavailable', `answered ${status ?? 'with a server error'} (${action})`)
  }
  const network = networkFault(error)
  if (network !== undefined) return make(network.kind, `${network.message} (${action})`)
  return make('misconfigured', `${action} on ${keyId} failed`)
}

interface SdkError {
  readonly name?: string
  readonly $fault?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}
