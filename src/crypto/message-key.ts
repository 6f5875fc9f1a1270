import { Buffer } from 'node:buffer'

export const KEY_LENGTH = 32
export const NONCE_LENGTH = 24
/** Where the part of a nonce begins that AES-256-GCM gets; what is before it makes the message key. */
export const GCM_NONCE_AT = 12

const KEY_WORDS = KEY_LENGTH / 4

/** The key of the message in hand: OpenSSL copies it at once, and it is wiped as soon as it was. */
export const messageKey: Buffer = Buffer.alloc(KEY_LENGTH)
const messageKeyWords = words(messageKey)

/** Moves a message key to where it is used from, leaving zeros. `turn` counts keys. */
export function takeKey(keys: Uint32Array, turn: number): void {
  for (let i = 0, from = turn * KEY_WORDS; i < KEY_WORDS; i++) {
    messageKeyWords[i] = keys[from + i] as number
    keys[from + i] = 0
  }
}

/** The same memory in words; it begins where its ArrayBuffer does. */
export function words(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2)
}

/** A message key that the next message may need again, and the nonce that it was used with last. */
export class KeptKey {
  isSet = false
  readonly #nonce = new Uint8Array(NONCE_LENGTH)
  readonly #key = new Uint32Array(KEY_WORDS)

  /** Keeps the key that is about to be used, of the nonce at `nonceAt`. */
  keep(source: Buffer, nonceAt: number): void {
    for (let i = 0; i < NONCE_LENGTH; i++) this.#nonce[i] = source[nonceAt + i] as number
    for (let i = 0; i < KEY_WORDS; i++) this.#key[i] = messageKeyWords[i] as number
    this.isSet = true
  }

  /** Whether the nonce at `nonceAt` has this key. Nonces are public: no constant time is needed. */
  isOf(source: Buffer, nonceAt: number): boolean {
    if (!this.isSet) return false
    for (let i = 0; i < GCM_NONCE_AT; i++) if (this.#nonce[i] !== source[nonceAt + i]) return false
    return true
  }

  /** Writes the nonce that follows the last one: the same first half, the second half plus one. */
  writeNext(out: Buffer, at: number): void {
    const nonce = this.#nonce
    for (let i = NONCE_LENGTH - 1; i >= GCM_NONCE_AT; i--) {
      nonce[i] = (nonce[i] as number) + 1
      if (nonce[i] !== 0) break
    }
    for (let i = 0; i < NONCE_LENGTH; i++) out[at + i] = nonce[i] as number
  }

  /** Copies the key to where it is used from. */
  use(): void {
    for (let i = 0; i < KEY_WORDS; i++) messageKeyWords[i] = this.#key[i] as number
  }

  wipe(): void {
    this.#key.fill(0)
    this.isSet = false
  }
}
