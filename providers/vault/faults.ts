import { KmsError, type KmsErrorKind } from '../../src/errors.ts'

const MAX_REASON = 300

/** What Vault's own words mean. They come before the status: older releases answer 500 where newer ones answer 400. */
const REASONS: readonly (readonly [RegExp, KmsErrorKind, string])[] = [
  [
    /message authentication failed/,
    'invalid-ciphertext',
    'the wrapped key is damaged or was wrapped under another context or key',
  ],
  [/disallowed by policy \(too old\)/, 'key-disabled', 'the key version is below min_decryption_version'],
  [/soft.?deleted/, 'key-disabled', 'the key is soft-deleted'],
  [/invalid ciphertext/, 'invalid-ciphertext', 'the wrapped key is not a ciphertext of this key'],
  [/(encryption key|policy) not found/, 'key-not-found', 'the transit key does not exist'],
  [/no such key version|invalid key version/, 'key-not-found', 'the key version no longer exists'],
  [
    /missing 'context' for key derivation/,
    'misconfigured',
    "the key was made with derived=true: set binding: 'derived'",
  ],
  [
    /non-AEAD cipher suite/,
    'misconfigured',
    'the key type has no associated data: use aes256-gcm96 or chacha20-poly1305',
  ],
]

const STATUSES: Readonly<Record<number, readonly [KmsErrorKind, string]>> = {
  400: ['misconfigured', 'the request was refused'],
  403: ['denied', 'permission denied'],
  404: ['misconfigured', 'nothing is mounted at this path, or the namespace does not exist'],
  405: ['misconfigured', 'the path does not allow this operation: is a transit engine mounted there?'],
  412: ['unavailable', 'this node has not caught up yet'],
  413: ['misconfigured', 'the request is larger than max_request_size'],
  429: ['throttled', 'a rate limit quota is used up'],
  472: ['unavailable', 'this is a disaster recovery secondary'],
  473: ['unavailable', 'this is a performance standby that does not serve requests'],
  503: ['unavailable', 'Vault is sealed or down for maintenance'],
}

/** The error for an answer that is not 2xx: Vault's words first, then its status. */
export function vaultError(
  provider: string,
  path: string,
  status: number,
  body: Readonly<Record<string, unknown>> | undefined,
): KmsError {
  const reason = reasonOf(body)
  const cause = new Error(`vault answered ${status}${reason && `: ${reason}`}`)
  for (const [pattern, kind, meaning] of REASONS) {
    if (pattern.test(reason)) return new KmsError(provider, kind, meaning, { cause })
  }
  if (path.startsWith('auth/') && (status === 400 || status === 403)) {
    return new KmsError(provider, 'denied', `${path} refused: check the role and its secret`, { cause })
  }
  const [kind, meaning] = STATUSES[status] ?? [status >= 500 ? 'unavailable' : 'misconfigured', `status ${status}`]
  return new KmsError(provider, kind, kind === 'denied' ? deniedMessage(path) : `${meaning} (${path})`, { cause })
}

function deniedMessage(path: string): string {
  return `permission denied: the token is not valid, or its policy lacks path "${path}" { capabilities = ["update"] }`
}

function reasonOf(body: Readonly<Record<string, unknown>> | undefined): string {
  const errors = body?.errors
  if (!Array.isArray(errors)) return ''
  const text = errors.filter((error) => typeof error === 'string').join('; ')
  return text.slice(0, MAX_REASON)
}
