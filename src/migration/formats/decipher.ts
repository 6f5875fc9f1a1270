import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'
import { DecryptionError } from '../../errors.ts'

export const TAG_LENGTH = 16
/** No stored value that is read here is larger. */
export const MAX_STORED = 32 * 1024 * 1024

/** Opens AES-256-GCM with a whole tag. @throws when it does not open */
export function openGcm(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, tag: Uint8Array): Buffer {
  if (nonce.byteLength !== 12 || tag.byteLength !== TAG_LENGTH) throw malformed()
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_LENGTH }).setAuthTag(tag)
  return Buffer.concat([decipher.update(ciphertext), decipher.final()])
}

/** Seals with AES-256-GCM. */
export function sealGcm(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
): { ciphertext: Buffer; tag: Buffer } {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_LENGTH })
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return { ciphertext, tag: cipher.getAuthTag() }
}

/** HMAC-SHA-256 over parts. */
export function hmac256(key: Uint8Array, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** @throws when the MAC is another */
export function assertMac(given: Uint8Array, wanted: Uint8Array): void {
  if (given.byteLength !== wanted.byteLength || !timingSafeEqual(given, wanted)) throw malformed()
}

/** Base64 in the one form that an encoder writes, with padding. @throws otherwise */
export function strictBase64(text: unknown, encoding: 'base64' | 'base64url' = 'base64'): Buffer {
  if (typeof text !== 'string' || text.length > MAX_STORED) throw malformed()
  const bytes = Buffer.from(text, encoding)
  if (paddedBase64(bytes, encoding) !== text) throw malformed()
  return bytes
}

/** Base64 with padding, of either alphabet. */
export function paddedBase64(bytes: Uint8Array, encoding: 'base64' | 'base64url' = 'base64'): string {
  const text = Buffer.from(bytes).toString(encoding)
  return encoding === 'base64' ? text : text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}

/** Text as bytes, and back only where it is well-formed UTF-8: bytes stay bytes. */
export function plaintextOf(bytes: Buffer): string | Uint8Array {
  const text = bytes.toString('utf8')
  return Buffer.from(text, 'utf8').equals(bytes) ? text : new Uint8Array(bytes)
}

/** Whatever is wrong with a value. */
export function malformed(): DecryptionError {
  return new DecryptionError()
}
