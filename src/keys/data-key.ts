import { Buffer } from 'node:buffer'
import { wipe } from '../bytes.ts'
import { hkdfExpand, labels } from '../crypto/kdf.ts'
import { KEY_LENGTH, Xaes256Gcm } from '../crypto/xaes.ts'
import { KeyUnavailableError } from '../errors.ts'
import { AAD_LABEL, FIELD_FORMAT, FIELD_OVERHEAD, HEADER_LENGTH, TEXT_PREFIX_BYTES } from '../format/field.ts'
import type { KeyRecord } from '../key-store.ts'
import { ResidentKey } from './resident-key.ts'
import type { RootKey } from './root-key.ts'

const MAX_MESSAGES = 2 ** 40
const PREFIX_LENGTH = TEXT_PREFIX_BYTES.byteLength
const SCRATCH_SIZE = 16_384

// Holds ciphertext only, so it need not be wiped; base64url is made from it without a buffer per value.
const scratch = Buffer.alloc(SCRATCH_SIZE)
TEXT_PREFIX_BYTES.copy(scratch)

/** A key that encrypts and decrypts field values, in memory. Purposes `data` and `pepper`. */
export class DataKey extends ResidentKey {
  readonly #cipher: Xaes256Gcm
  readonly #header: Buffer
  /** What every value of this key begins with, in text form, up to the last character that no other byte has a part in. */
  readonly textHead: string
  #messages = 0

  /** @param secret 32 bytes; not kept */
  constructor(secret: Uint8Array, record: KeyRecord, root: RootKey) {
    super(record, root)
    const encryptionKey = hkdfExpand(secret, labels.fieldEncryption, KEY_LENGTH)
    this.#cipher = new Xaes256Gcm(encryptionKey)
    wipe(encryptionKey)
    this.#header = Buffer.from([FIELD_FORMAT, ...Buffer.from(record.id, 'hex')])
    this.textHead = Buffer.concat([TEXT_PREFIX_BYTES, this.#header]).toString('base64url').slice(0, -1)
  }

  /**
   * Encrypts a typed plaintext to the text form.
   *
   * @param aad what `AAD_LABEL`, a gap of `HEADER_LENGTH` bytes (filled in here) and the encoded context make up
   * @param together the value belongs to the same row as the one before it
   */
  encryptText(plaintext: Uint8Array, aad: Buffer, together = false): string {
    const size = PREFIX_LENGTH + FIELD_OVERHEAD + plaintext.byteLength
    const out = size <= SCRATCH_SIZE ? scratch : Buffer.alloc(size)
    if (out !== scratch) TEXT_PREFIX_BYTES.copy(out)
    const end = this.#encryptInto(out, PREFIX_LENGTH, plaintext, aad, together)
    return out.toString('base64url', 0, end)
  }

  /** Encrypts a typed plaintext to the binary form. `aad` and `together` as in `encryptText`. */
  encryptBytes(plaintext: Uint8Array, aad: Buffer, together = false): Uint8Array {
    const out = Buffer.alloc(FIELD_OVERHEAD + plaintext.byteLength)
    this.#encryptInto(out, 0, plaintext, aad, together)
    return out
  }

  /**
   * Decrypts the binary form.
   *
   * @param aad as in `encryptText`
   * @returns the typed plaintext, which the caller wipes, or undefined when the tag does not match
   */
  decrypt(field: Buffer, aad: Buffer): Buffer | undefined {
    aad.set(this.#header, AAD_LABEL.byteLength)
    return this.#cipher.decryptFrom(field, HEADER_LENGTH, field.byteLength, aad)
  }

  /** Whether a parsed field ciphertext names this key. */
  names(field: Buffer): boolean {
    const header = this.#header
    for (let i = 0; i < HEADER_LENGTH; i++) if (field[i] !== header[i]) return false
    return true
  }

  wipe(): void {
    this.#cipher.wipe()
  }

  #encryptInto(out: Buffer, at: number, plaintext: Uint8Array, aad: Buffer, together: boolean): number {
    if (++this.#messages > MAX_MESSAGES) {
      throw new KeyUnavailableError(`key ${this.id} has encrypted 2^40 values: rotate it`, this.state, this.id)
    }
    out.set(this.#header, at)
    aad.set(this.#header, AAD_LABEL.byteLength)
    return this.#cipher.sealInto(out, at + HEADER_LENGTH, plaintext, aad, together)
  }
}
