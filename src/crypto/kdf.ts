import { Buffer } from 'node:buffer'
import { createHmac } from 'node:crypto'

/** Every derivation label of the key and field formats, in one place. Changing one makes existing data unreadable. */
export const labels = {
  fieldEncryption: 'strongroom/v1/field/enc',
  commitment: 'strongroom/v1/commit',
  keyWrap: 'strongroom/v1/key/wrap',
  keyWrapContext: 'strongroom/v1/key',
  recordMac: 'strongroom/v1/key/record',
  logMac: 'strongroom/v1/key/log',
  shred: 'strongroom/v1/key/shred',
  index: 'strongroom/v1/index',
  slowIndex: 'strongroom/v1/slow-index',
  fieldContext: 'strongroom/v1/field',
  subject: 'strongroom/v1/subject',
} as const

/**
 * HKDF-Expand with SHA-512 for outputs of at most 64 bytes: one HMAC. `secret` must already be uniformly random.
 * Node offers extract and expand only together, and five times slower. RFC 5869 section 2.3.
 *
 * @param secret 32 random bytes
 * @param info label, or an encoded list that starts with one
 * @param length 1 to 64 bytes
 */
export function hkdfExpand(secret: Uint8Array, info: string | Uint8Array, length: number): Buffer {
  const block = createHmac('sha512', secret).update(info).update(FIRST_BLOCK).digest()
  const out = Buffer.alloc(length)
  block.copy(out, 0, 0, length)
  block.fill(0)
  return out
}

const FIRST_BLOCK = Buffer.from([1])
