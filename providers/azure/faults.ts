import { KmsError, type KmsErrorKind } from '../../src/errors.ts'

/** What is asked of Azure, in the words of its roles. */
export type AzureOperation = 'get' | 'wrap' | 'unwrap'

const ACTIONS: Readonly<Record<AzureOperation, string>> = {
  get: 'Microsoft.KeyVault/vaults/keys/read',
  wrap: 'Microsoft.KeyVault/vaults/keys/wrap/action',
  unwrap: 'Microsoft.KeyVault/vaults/keys/unwrap/action',
}

/** Azure's inner codes say more than its status. */
const CODES: Readonly<Record<string, readonly [KmsErrorKind, string]>> = {
  KeyDisabled: ['key-disabled', 'the key version is disabled'],
  KeyExpired: ['key-disabled', 'the key version has expired'],
  KeyNotYetValid: ['key-disabled', 'the key version is not valid yet'],
  ForbiddenByFirewall: ['denied', 'the firewall of the vault refuses this address'],
  ForbiddenByConnection: ['denied', 'the vault takes connections from its private endpoint alone'],
  VaultNotFound: ['misconfigured', 'the vault does not exist'],
  ENOTFOUND: ['unavailable', 'the host name of the vault cannot be resolved'],
  CERT_HAS_EXPIRED: ['misconfigured', 'the certificate of the vault has expired'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['misconfigured', 'the certificate of the vault is not trusted'],
  SELF_SIGNED_CERT_IN_CHAIN: ['misconfigured', 'the certificate of the vault is not trusted'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['misconfigured', 'the certificate of the vault is not trusted'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['misconfigured', 'the certificate is for another host'],
}

const STATUSES: Readonly<Record<number, readonly [KmsErrorKind, string]>> = {
  401: ['denied', 'the credential was not accepted'],
  404: ['key-not-found', 'the vault has no such key or version'],
  408: ['unavailable', 'the request took too long'],
  409: ['key-disabled', 'the key is deleted or in another change'],
  429: ['throttled', 'the vault is throttling'],
}

/** What the SDK throws itself, before any call, from the attributes it has read. */
const WORDS: readonly (readonly [RegExp, KmsErrorKind, string])[] = [
  [/ expired at |can't be used before/, 'key-disabled', 'the key version is outside the time it is valid for'],
  [/^Operation \w+ is not supported/, 'misconfigured', 'the key does not permit wrapKey and unwrapKey'],
  [/challenge resource|invalid scope/, 'misconfigured', 'the server that answered is no vault of this address'],
]

/** Maps what the SDK threw. The cause is a copy of it: the SDK's errors hold the request, with the key and the token. */
export function azureError(provider: string, error: unknown, operation: AzureOperation, keyId: string): KmsError {
  if (error instanceof KmsError) return error
  const read = readError(error)
  const [kind, meaning] = meaningOf(read, operation, keyId)
  return new KmsError(provider, kind, meaning, { cause: withoutRequest(error, read) })
}

interface ReadError {
  readonly statusCode: number | undefined
  readonly codes: readonly string[]
  readonly name: string
  readonly message: string
}

function meaningOf(read: ReadError, operation: AzureOperation, keyId: string): readonly [KmsErrorKind, string] {
  const { statusCode, codes, name, message } = read
  const word = WORDS.find(([pattern]) => pattern.test(message))
  if (word) return [word[1], word[2]]
  for (const code of codes) {
    const known = Object.hasOwn(CODES, code) ? CODES[code] : undefined
    if (known) return known
  }
  if (/Credential|Authentication/.test(name)) return ['denied', `no token could be had (${name})`]
  return byStatus(statusCode, operation, keyId)
}

function byStatus(
  status: number | undefined,
  operation: AzureOperation,
  keyId: string,
): readonly [KmsErrorKind, string] {
  if (status === 400 && operation === 'unwrap') {
    return ['invalid-ciphertext', 'the wrapped key is damaged or was wrapped by another key']
  }
  if (status === 403) {
    const grant = `${ACTIONS[operation]} (role Key Vault Crypto Service Encryption User, or the same key permission of an access policy)`
    return ['denied', `the identity lacks ${grant} on ${keyId}`]
  }
  if (status === undefined || status >= 500) return ['unavailable', `no answer (${status ?? 'connection failed'})`]
  if (status >= 300 && status < 400) return ['misconfigured', 'the vault answered with a redirect, which is refused']
  return STATUSES[status] ?? ['misconfigured', `the request was refused (${status})`]
}

function withoutRequest(error: unknown, { statusCode, codes, name, message }: ReadError): Error {
  const copy = Object.assign(new Error(message), { name, statusCode, codes })
  if (error instanceof Error && error.stack !== undefined) copy.stack = error.stack
  return copy
}

function readError(error: unknown): ReadError {
  const { statusCode, code, name, message, details } = Object(error) as Record<string, unknown>
  // The SDK respells the field that the service calls innererror.
  const { innerError, innererror } = Object(Object(details).error)
  const inner = Object(innerError ?? innererror).code
  return {
    statusCode: typeof statusCode === 'number' ? statusCode : undefined,
    codes: [inner, code].filter((value) => typeof value === 'string'),
    name: typeof name === 'string' ? name : '',
    message: typeof message === 'string' ? message : '',
  }
}
