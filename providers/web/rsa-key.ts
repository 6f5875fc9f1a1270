import { describe } from '../../src/checks.ts'
import { InvalidInputError, KmsError } from '../../src/errors.ts'
import { isWebKey, type PlatformKey, subtle, type WebKey } from './subtle.ts'

/** An RSA key as JSON Web Key, as far as it is looked at here. */
export interface RsaJwk {
  readonly kty?: string
  readonly n?: string
  readonly e?: string
  readonly d?: string
}

/** An RSA key as PEM text, as JWK, or as a key of WebCrypto for RSA-OAEP. */
export type RsaKeyInput = string | RsaJwk | WebKey

type Half = 'publicKey' | 'privateKey'

/**
 * One half of a key pair, for RSA-OAEP with this hash. What can be seen at once is refused at once; what only the
 * platform sees, when the key is used first.
 *
 * @throws InvalidInputError
 */
export function importRsa(input: RsaKeyInput, half: Half, hash: string, namespace: string): Promise<PlatformKey> {
  const imported = (isWebKey(input) ? checkedWebKey(input, half, hash) : fromText(input, half, hash)).then(
    assertModulus,
    () => {
      // The platform's own message can quote the input.
      throw new KmsError(namespace, 'misconfigured', `${half} is not an RSA key`)
    },
  )
  imported.catch(() => {}) // whoever uses the key is told
  return imported

  function assertModulus(key: PlatformKey): PlatformKey {
    const { modulusLength = 0 } = key.algorithm as { modulusLength?: number }
    if (modulusLength >= MIN_MODULUS_BITS && modulusLength <= MAX_MODULUS_BITS) return key
    throw new KmsError(
      namespace,
      'misconfigured',
      `${half} must have ${MIN_MODULUS_BITS} to ${MAX_MODULUS_BITS} bits, received ${modulusLength}`,
    )
  }
}

const MIN_MODULUS_BITS = 2048
const MAX_MODULUS_BITS = 16_384
const KINDS = {
  publicKey: { type: 'public', usage: 'encrypt', pem: 'PUBLIC KEY', format: 'spki' },
  privateKey: { type: 'private', usage: 'decrypt', pem: 'PRIVATE KEY', format: 'pkcs8' },
} as const

function checkedWebKey(key: WebKey, half: Half, hash: string): Promise<PlatformKey> {
  const { type, usage } = KINDS[half]
  const { name, hash: keyHash } = key.algorithm as { name: string; hash?: { name: string } }
  if (key.type !== type || name !== 'RSA-OAEP' || !key.usages.includes(usage)) {
    throw new InvalidInputError(`${half} must be a ${type} key for RSA-OAEP that may ${usage}`)
  }
  if (keyHash?.name !== hash) throw new InvalidInputError(`${half} is for ${keyHash?.name}, and hash says ${hash}`)
  return Promise.resolve(key as PlatformKey)
}

function fromText(input: string | RsaJwk, half: Half, hash: string): Promise<PlatformKey> {
  const { usage, format } = KINDS[half]
  const algorithm = { name: 'RSA-OAEP', hash }
  if (typeof input === 'string') {
    return subtle().importKey(format, pemBytes(input, half), algorithm, false, [usage])
  }
  if (typeof input !== 'object' || input === null) {
    throw new InvalidInputError(`${half} must be PEM text, a JWK or a WebCrypto key, received ${describe(input)}`)
  }
  if (half === 'publicKey' && input.d !== undefined) throw secretGiven()
  // Only what makes the key: `use`, `alg` and `key_ops` of its file are about other things than this one.
  const { kty, n, e, ...secret } = input
  const jwk = half === 'publicKey' ? { kty, n, e } : { ...secret, kty, n, e, alg: undefined, use: undefined }
  return subtle().importKey('jwk', withoutLimits(jwk), algorithm, false, [usage])
}

function withoutLimits(jwk: object): object {
  const { key_ops: _ops, ext: _ext, ...rest } = jwk as Record<string, unknown>
  return Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
}

function pemBytes(text: string, half: Half): Uint8Array {
  const { pem } = KINDS[half]
  if (half === 'publicKey' && text.includes('PRIVATE KEY')) throw secretGiven()
  const lines = new RegExp(`-----BEGIN ${pem}-----([A-Za-z0-9+/=\\s]+)-----END ${pem}-----`).exec(text)?.[1]
  if (lines === undefined) {
    throw new InvalidInputError(`${half} must be unencrypted PEM text that begins with "-----BEGIN ${pem}-----"`)
  }
  try {
    return Uint8Array.from(atob(lines.replace(/\s/g, '')), (char) => char.charCodeAt(0))
  } catch {
    throw new InvalidInputError(`${half} must be PEM text: its base64 is damaged`)
  }
}

/** A page that was handed a private key by mistake must not go on as if all were well. */
function secretGiven(): InvalidInputError {
  return new InvalidInputError('publicKey must be a public key, received a private key')
}
