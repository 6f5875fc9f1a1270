import { Buffer } from 'node:buffer'
import { type Cipher, createCipheriv, createDecipheriv } from 'node:crypto'
import { InvalidInputError } from '../errors.ts'

export const KEY_LENGTH = 32
export const NONCE_LENGTH = 24
export const TAG_LENGTH = 16
const BLOCK = 16
const GCM_NONCE_AT = 12

/**
 * XAES-256-GCM with one key: AES-256-GCM under a key derived from the first half of a 192-bit nonce, so that random
 * nonces are safe for 2^80 messages. C2SP XAES-256-GCM; the derivation is SP 800-108r1 with CMAC (SP 800-38B).
 */
export class Xaes256Gcm {
  #ecb: Cipher | undefined
  readonly #input = Buffer.alloc(2 * BLOCK)
  readonly #subkey1: Buffer

  /** @param key 32 bytes; it is not kept, but its AES schedule is until `wipe` */
  constructor(key: Uint8Array) {
    if (key.byteLength !== KEY_LENGTH) {
      throw new InvalidInputError(`a key must be ${KEY_LENGTH} bytes, received ${key.byteLength}`)
    }
    // One persistent ECB object keeps the key schedule: making it anew for each message costs as much as the message.
    this.#ecb = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
    this.#subkey1 = doubled(this.#ecb.update(Buffer.alloc(BLOCK)))
  }

  /**
   * Encrypts into `out`, which already holds a fresh random nonce at `nonceAt`; ciphertext and tag follow it.
   *
   * @returns the offset behind the tag
   */
  encryptInto(out: Buffer, nonceAt: number, plaintext: Uint8Array, aad: Uint8Array): number {
    const messageKey = this.#messageKey(out, nonceAt)
    const nonce = out.subarray(nonceAt + GCM_NONCE_AT, nonceAt + NONCE_LENGTH)
    const cipher = createCipheriv('aes-256-gcm', messageKey, nonce, TAG_OPTION)
    messageKey.fill(0)
    cipher.setAAD(aad)
    let at = nonceAt + NONCE_LENGTH
    if (plaintext.byteLength > 0) {
      const ciphertext = cipher.update(plaintext)
      out.set(ciphertext, at)
      at += ciphertext.byteLength
    }
    cipher.final()
    out.set(cipher.getAuthTag(), at)
    return at + TAG_LENGTH
  }

  /**
   * Decrypts nonce, ciphertext and tag that fill `sealed` from `nonceAt` to `end`.
   *
   * @returns the plaintext, or undefined when the tag does not match or the input is too short
   */
  decryptFrom(sealed: Buffer, nonceAt: number, end: number, aad: Uint8Array): Buffer | undefined {
    const ciphertextAt = nonceAt + NONCE_LENGTH
    const tagAt = end - TAG_LENGTH
    if (tagAt < ciphertextAt) return undefined
    const messageKey = this.#messageKey(sealed, nonceAt)
    const nonce = sealed.subarray(nonceAt + GCM_NONCE_AT, ciphertextAt)
    const decipher = createDecipheriv('aes-256-gcm', messageKey, nonce, TAG_OPTION)
    messageKey.fill(0)
    decipher.setAAD(aad)
    decipher.setAuthTag(sealed.subarray(tagAt, end))
    const plaintext = decipher.update(sealed.subarray(ciphertextAt, tagAt))
    try {
      decipher.final()
    } catch {
      plaintext.fill(0)
      return undefined
    }
    return plaintext
  }

  /** Drops the key schedule; every later use throws. */
  wipe(): void {
    this.#ecb = undefined
    this.#subkey1.fill(0)
    this.#input.fill(0)
  }

  #messageKey(source: Buffer, nonceAt: number): Buffer {
    if (this.#ecb === undefined) throw new InvalidInputError('this key was wiped')
    const input = this.#input
    const subkey1 = this.#subkey1
    for (let i = 0; i < BLOCK; i++) {
      const byte = (subkey1[i] as number) ^ (i < 4 ? (PREFIX[i] as number) : (source[nonceAt + i - 4] as number))
      input[i] = byte
      input[BLOCK + i] = byte
    }
    input[BLOCK + 1] = (input[BLOCK + 1] as number) ^ 3 // counter 2 instead of 1
    return this.#ecb.update(input)
  }
}

const TAG_OPTION = { authTagLength: TAG_LENGTH } as const
const PREFIX = [0x00, 0x01, 0x58, 0x00] as const

/** Doubling in GF(2^128), the CMAC subkey K1. SP 800-38B section 6.1. */
function doubled(block: Buffer): Buffer {
  const out = Buffer.alloc(BLOCK)
  let carry = 0
  for (let i = BLOCK - 1; i >= 0; i--) {
    const byte = block[i] as number
    out[i] = (byte << 1) | carry
    carry = byte >> 7
  }
  out[BLOCK - 1] = (out[BLOCK - 1] as number) ^ (0x87 * carry)
  block.fill(0)
  return out
}
