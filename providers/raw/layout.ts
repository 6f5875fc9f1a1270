import type { RecipientLayout } from '../../src/kms.ts'
import { parseUtf8 } from './names.ts'

// How raw keys stand in a message, for Node and for browsers alike: nothing here may need either.

/** Bytes of the initialisation vector in front of a wrapped key, and of the tag behind it. */
export const IV_LENGTH = 12
export const TAG_LENGTH = 16
const LENGTHS = 8
/** Bytes that a wrapped key can have, and those of an AES key that wraps. */
export const KEY_LENGTHS: readonly number[] = [16, 24, 32]

/** Hash of RSA-OAEP, also that of its mask. `sha1` opens messages of other programs and never wraps. */
export type RawRsaHash = 'sha256' | 'sha384' | 'sha512' | 'sha1'

/** Provider information is name, tag length in bits, IV length in bytes, IV. AWS Encryption SDK, raw AES keyring. */
export function aesLayout(namespace: string): RecipientLayout {
  return {
    encode({ keyId, ciphertext }) {
      const name = new TextEncoder().encode(keyId)
      const info = new Uint8Array(name.length + LENGTHS + IV_LENGTH)
      info.set(name)
      const lengths = new DataView(info.buffer, name.length, LENGTHS)
      lengths.setUint32(0, TAG_LENGTH * 8)
      lengths.setUint32(4, IV_LENGTH)
      info.set(ciphertext.subarray(0, IV_LENGTH), name.length + LENGTHS)
      return { info, ciphertext: ciphertext.subarray(IV_LENGTH) }
    },
    parse(info, ciphertext) {
      const lengthsAt = info.byteLength - LENGTHS - IV_LENGTH
      if (lengthsAt < 1) return undefined
      const lengths = new DataView(info.buffer, info.byteOffset + lengthsAt, LENGTHS)
      if (lengths.getUint32(0) !== TAG_LENGTH * 8 || lengths.getUint32(4) !== IV_LENGTH) return undefined
      const keyId = parseUtf8(info.subarray(0, lengthsAt))
      if (keyId === undefined) return undefined
      const sealed = new Uint8Array(IV_LENGTH + ciphertext.byteLength)
      sealed.set(info.subarray(lengthsAt + LENGTHS))
      sealed.set(ciphertext, IV_LENGTH)
      return { provider: namespace, keyId, ciphertext: sealed }
    },
  }
}

/** Provider information is the name. AWS Encryption SDK, raw RSA keyring. */
export function rsaLayout(namespace: string): RecipientLayout {
  return {
    encode: ({ keyId, ciphertext }) => ({ info: new TextEncoder().encode(keyId), ciphertext }),
    parse(info, ciphertext) {
      const keyId = parseUtf8(info)
      return keyId === undefined ? undefined : { provider: namespace, keyId, ciphertext }
    },
  }
}
