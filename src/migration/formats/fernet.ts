import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { assertObject } from '../../bytes.ts'
import { InvalidInputError } from '../../errors.ts'
import type { OldFormat } from '../old-format.ts'
import { assertKeys, checkedFormat } from './checked-format.ts'
import { assertMac, hmac256, malformed, paddedBase64, plaintextOf, strictBase64 } from './decipher.ts'

const VERSION = 0x80
const IV_AT = 9
const CIPHERTEXT_AT = IV_AT + 16
const MAC_LENGTH = 32
const BLOCK = 16

/**
 * Fernet tokens, as the `cryptography` package of Python and others write them: version `80`, time, IV, AES-128-CBC,
 * HMAC-SHA-256. Their age is not looked at: what is stored for years is old. With several keys it is `MultiFernet`.
 *
 * @param keys of 32 bytes as base64url; each is tried, as the format names none, and the first one seals in a rollback
 * @throws InvalidInputError when one is not such a key
 */
export function fernetFormat(options: { readonly keys: readonly string[] }): OldFormat {
  assertObject(options, 'the options')
  const { keys } = options
  assertKeys(keys, 'Fernet keys')
  const pairs = keys.map(keyPair)
  return checkedFormat({
    name: 'fernet',
    open(stored) {
      const token = strictBase64(stored, 'base64url')
      const length = token.byteLength - CIPHERTEXT_AT - MAC_LENGTH
      if (token[0] !== VERSION || length < BLOCK || length % BLOCK !== 0) throw malformed()
      const signed = token.subarray(0, -MAC_LENGTH)
      const pair = pairs.find(({ signing }) => hasMac(token.subarray(-MAC_LENGTH), hmac256(signing, signed)))
      if (pair === undefined) throw malformed()
      const decipher = createDecipheriv('aes-128-cbc', pair.encryption, token.subarray(IV_AT, CIPHERTEXT_AT))
      return plaintextOf(Buffer.concat([decipher.update(signed.subarray(CIPHERTEXT_AT)), decipher.final()]))
    },
    seal(plaintext) {
      const [{ signing, encryption }] = pairs as [KeyPair]
      const head = Buffer.alloc(IV_AT)
      head[0] = VERSION
      head.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000)), 1)
      const iv = randomBytes(16)
      const cipher = createCipheriv('aes-128-cbc', encryption, iv)
      const signed = Buffer.concat([head, iv, cipher.update(Buffer.from(plaintext)), cipher.final()])
      return paddedBase64(Buffer.concat([signed, hmac256(signing, signed)]), 'base64url')
    },
  })
}

interface KeyPair {
  readonly signing: Buffer
  readonly encryption: Buffer
}

function keyPair(text: string): KeyPair {
  const key = Buffer.from(text, 'base64url')
  if (key.byteLength !== 32) throw new InvalidInputError('a Fernet key is 32 bytes as base64url')
  return { signing: key.subarray(0, 16), encryption: key.subarray(16) }
}

function hasMac(given: Uint8Array, wanted: Uint8Array): boolean {
  try {
    assertMac(given, wanted)
    return true
  } catch {
    return false
  }
}
