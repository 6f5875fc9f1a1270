import { Buffer } from 'node:buffer'
import { type Cipher, createCipheriv, createDecipheriv } from 'node:crypto'
import { Scratch, wipe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import { GCM_NONCE_AT, KEY_LENGTH, KeptKey, messageKey, NONCE_LENGTH, takeKey, words } from './message-key.ts'
import { randomEpoch, randomInto } from './random.ts'

export { KEY_LENGTH, NONCE_LENGTH }

export const TAG_LENGTH = 16
const BLOCK = 16

/**
 * XAES-256-GCM with one key: AES-256-GCM under a key derived from the first half of a 192-bit nonce, so that random
 * nonces are safe for 2^80 messages. C2SP XAES-256-GCM; the derivation is SP 800-108r1 with CMAC (SP 800-38B).
 *
 * Most of the time of a short message goes into calls of OpenSSL and the views handed to it. That is why nonces and
 * message keys are made ahead, and why parts are copied in loops into memory that is used again.
 */
export class Xaes256Gcm {
  #ecb: Cipher | undefined
  readonly #subkey1: Buffer
  /** Fresh nonces, each used once, and the message keys that belong to them. */
  #nonces = EMPTY
  #messageKeys: Uint32Array = new Uint32Array(0)
  #next = 0
  #ahead = 0
  #epoch = 0
  /** The first half of the nonce of the group that is being sealed, and its message key. */
  readonly #group = new KeptKey()
  /** The same for what was decrypted last. */
  readonly #last = new KeptKey()

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
   * Encrypts under a fresh random nonce: writes nonce, ciphertext and tag to `out` from `at` on.
   *
   * @param together the message belongs to the one before it, as the next field of its row: their nonces share the first
   *   half, and so their message key; the second half counts up from where it began at random. Specification section 3.2
   * @returns the offset behind the tag
   */
  sealInto(out: Buffer, at: number, plaintext: Uint8Array, aad: Uint8Array, together = false): number {
    const epoch = randomEpoch()
    if (together && this.#group.isSet && this.#epoch === epoch) {
      this.#group.writeNext(out, at)
      this.#group.use()
      return encryptWithMessageKey(out, at, plaintext, aad)
    }
    if (this.#next === this.#ahead || this.#epoch !== epoch) this.#prepare()
    const turn = this.#next++
    const nonces = this.#nonces
    for (let i = 0, from = turn * NONCE_LENGTH; i < NONCE_LENGTH; i++) out[at + i] = nonces[from + i] as number
    takeKey(this.#messageKeys, turn)
    this.#group.keep(out, at)
    return encryptWithMessageKey(out, at, plaintext, aad)
  }

  /**
   * Encrypts into `out`, which already holds a fresh random nonce at `nonceAt`; ciphertext and tag follow it.
   *
   * @returns the offset behind the tag
   */
  encryptInto(out: Buffer, nonceAt: number, plaintext: Uint8Array, aad: Uint8Array): number {
    takeKey(this.#derive(out, nonceAt, 1), 0)
    return encryptWithMessageKey(out, nonceAt, plaintext, aad)
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
    if (this.#ecb !== undefined && this.#last.isOf(sealed, nonceAt)) this.#last.use()
    else {
      takeKey(this.#derive(sealed, nonceAt, 1), 0)
      this.#last.keep(sealed, nonceAt)
    }
    takeGcmNonce(sealed, nonceAt)
    const decipher = createDecipheriv('aes-256-gcm', messageKey, gcmNonce, TAG_OPTION)
    wipe(messageKey)
    decipher.setAAD(aad)
    for (let i = 0; i < TAG_LENGTH; i++) tag[i] = sealed[tagAt + i] as number
    decipher.setAuthTag(tag)
    const plaintext = decipher.update(
      new Uint8Array(sealed.buffer, sealed.byteOffset + ciphertextAt, tagAt - ciphertextAt),
    )
    try {
      decipher.final()
    } catch {
      wipe(plaintext)
      return undefined
    }
    return plaintext
  }

  /** Drops the key schedule and everything made from it; every later use throws. */
  wipe(): void {
    this.#ecb = undefined
    wipe(this.#subkey1)
    this.#messageKeys.fill(0)
    this.#group.wipe()
    this.#last.wipe()
    this.#next = this.#ahead
    this.#epoch = -1
  }

  /** Draws nonces and derives their keys ahead, in one call: more each time, so that a key used once pays for one. */
  #prepare(): void {
    this.#messageKeys.fill(0)
    const count = Math.min(Math.max(1, 2 * this.#ahead), MAX_AHEAD)
    if (count !== this.#ahead) this.#nonces = Buffer.alloc(count * NONCE_LENGTH)
    randomInto(this.#nonces, 0, this.#nonces.byteLength)
    this.#messageKeys = this.#derive(this.#nonces, 0, count)
    this.#next = 0
    this.#ahead = count
    this.#epoch = randomEpoch()
  }

  /** The message keys of `count` nonces that follow each other in `source`. */
  #derive(source: Buffer, nonceAt: number, count: number): Uint32Array {
    if (this.#ecb === undefined) throw new InvalidInputError('this key was wiped')
    const input = inputs.bytes
    const subkey1 = this.#subkey1
    for (let n = 0; n < count; n++) {
      const from = nonceAt + n * NONCE_LENGTH - PREFIX.length
      const to = n * KEY_LENGTH
      for (let i = 0; i < BLOCK; i++) {
        const byte = (subkey1[i] as number) ^ (i < PREFIX.length ? (PREFIX[i] as number) : (source[from + i] as number))
        input[to + i] = byte
        input[to + BLOCK + i] = byte
      }
      input[to + BLOCK + 1] = (input[to + BLOCK + 1] as number) ^ 3 // counter 2 instead of 1
    }
    return words(this.#ecb.update(inputs.view(count * KEY_LENGTH)))
  }
}

const MAX_AHEAD = 16
const EMPTY = Buffer.alloc(0)
const inputs = new Scratch(Buffer.alloc(MAX_AHEAD * KEY_LENGTH))

// What OpenSSL copies at once is handed over in these.
const gcmNonce = Buffer.alloc(NONCE_LENGTH - GCM_NONCE_AT)
const tag = Buffer.alloc(TAG_LENGTH)

function takeGcmNonce(source: Buffer, nonceAt: number): void {
  for (let i = 0; i < gcmNonce.byteLength; i++) gcmNonce[i] = source[nonceAt + GCM_NONCE_AT + i] as number
}

function encryptWithMessageKey(out: Buffer, nonceAt: number, plaintext: Uint8Array, aad: Uint8Array): number {
  takeGcmNonce(out, nonceAt)
  const cipher = createCipheriv('aes-256-gcm', messageKey, gcmNonce, TAG_OPTION)
  wipe(messageKey)
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
