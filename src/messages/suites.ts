/** The two suites that Strongroom writes: AES-256-GCM with a committed key, without and with an ECDSA P-384 signature. */
export type MessageSuite = 0x0478 | 0x0578

/** What an algorithm suite id of the AWS Encryption SDK stands for. Specification, section 2. */
export interface Suite {
  readonly id: number
  /** Message format that carries it: 2 commits to its key, 1 does not. */
  readonly version: 1 | 2
  readonly cipher: 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm'
  /** Bytes of the data key and of the key derived from it. */
  readonly keyLength: 16 | 24 | 32
  /** Hash of the key derivation; undefined where the data key is used as it is. */
  readonly hash: 'sha256' | 'sha384' | 'sha512' | undefined
  readonly signature: { readonly hash: 'sha256' | 'sha384'; readonly curve: Curve } | undefined
}

/** The curve of a signature, by the names that OpenSSL and JSON Web Keys give it. */
export interface Curve {
  readonly openssl: 'prime256v1' | 'secp384r1'
  readonly jwk: 'P-256' | 'P-384'
  /** Bytes of one coordinate. */
  readonly size: 32 | 48
}

const P256: Suite['signature'] = { hash: 'sha256', curve: { openssl: 'prime256v1', jwk: 'P-256', size: 32 } }
const P384: Suite['signature'] = { hash: 'sha384', curve: { openssl: 'secp384r1', jwk: 'P-384', size: 48 } }

const ciphers = { 16: 'aes-128-gcm', 24: 'aes-192-gcm', 32: 'aes-256-gcm' } as const

/** Every suite that exists; anything else is refused. */
export const suites: ReadonlyMap<number, Suite> = new Map(
  (
    [
      [0x0578, 2, 32, 'sha512', P384],
      [0x0478, 2, 32, 'sha512', undefined],
      [0x0378, 1, 32, 'sha384', P384],
      [0x0346, 1, 24, 'sha384', P384],
      [0x0214, 1, 16, 'sha256', P256],
      [0x0178, 1, 32, 'sha256', undefined],
      [0x0146, 1, 24, 'sha256', undefined],
      [0x0114, 1, 16, 'sha256', undefined],
      [0x0078, 1, 32, undefined, undefined],
      [0x0046, 1, 24, undefined, undefined],
      [0x0014, 1, 16, undefined, undefined],
    ] as const
  ).map(([id, version, keyLength, hash, signature]): [number, Suite] => [
    id,
    { id, version, cipher: ciphers[keyLength], keyLength, hash, signature },
  ]),
)
