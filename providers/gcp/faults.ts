import { KmsError, type KmsErrorKind } from '../../src/errors.ts'

/** What the numbers of gRPC mean here. google.rpc.Code; Cloud KMS documentation, Encrypt and Decrypt. */
const CODES: Readonly<Record<number, readonly [KmsErrorKind, string]>> = {
  1: ['unavailable', 'the call was cancelled'],
  2: ['unavailable', 'Cloud KMS failed for an unknown reason'],
  3: ['misconfigured', 'the request is not valid'],
  4: ['unavailable', 'did not answer in time'],
  5: ['key-not-found', 'the key does not exist, or has no primary version'],
  7: ['denied', 'permission denied'],
  8: ['throttled', 'a quota is used up'],
  9: ['key-disabled', 'the key version is disabled or destroyed'],
  10: ['unavailable', 'the call was aborted'],
  12: ['misconfigured', 'the operation is not offered there'],
  13: ['unavailable', 'Cloud KMS failed inside'],
  14: ['unavailable', 'Cloud KMS is not available'],
  16: ['denied', 'the credentials are not valid'],
}

/** Names of the codes, as the REST API spells them. */
export const CODE_NAMES: Readonly<Record<string, number>> = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
}

/**
 * The error for whatever the client threw. A ciphertext that does not open, under another context or key or damaged, is
 * INVALID_ARGUMENT to Google.
 */
export function gcpError(
  provider: string,
  operation: 'Encrypt' | 'Decrypt',
  keyName: string,
  error: unknown,
): KmsError {
  const { code, message = '' } = (error ?? {}) as { code?: unknown; message?: string }
  const make = (kind: KmsErrorKind, text: string) => new KmsError(provider, kind, text, { cause: error })
  if (code === 3 && operation === 'Decrypt') {
    return make('invalid-ciphertext', 'the wrapped key was changed or belongs to another context or key')
  }
  if (code === 7) {
    return make(
      'denied',
      `cloudkms.cryptoKeyVersions.useTo${operation} on ${keyName} is not allowed for these credentials`,
    )
  }
  if (typeof code === 'number' && CODES[code] !== undefined) {
    const [kind, meaning] = CODES[code]
    return make(kind, `${meaning} (${operation} on ${keyName})`)
  }
  if (/default credentials|invalid_grant|invalid_client|no refresh token/i.test(message)) {
    return make('denied', 'no usable credentials were found')
  }
  if (typeof code === 'string' && /^(E[A-Z]+|EAI_AGAIN|UND_ERR_\w+)$/.test(code)) {
    return make('unavailable', `cannot be reached: ${code}`)
  }
  return make('misconfigured', `${operation} on ${keyName} failed`)
}
