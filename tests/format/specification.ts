import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto'

/*
 * The field format written a second time, from the specification alone and with nothing of `src`: slow, plain, and
 * with HKDF, CMAC and XAES spelled out.
 */

/** HKDF-Expand-SHA-512 of RFC 5869 by way of the whole HKDF: `extracted` is what its extract step makes of the input. */
function expand(secret: Uint8Array, info: string): Buffer {
  // node:crypto has no expand of its own: T(1) = HMAC(PRK, info | 0x01), and HMAC is HKDF's extract with salt and input.
  const block = Buffer.from(hmacSha512(secret, Buffer.concat([Buffer.from(info), Buffer.from([1])])))
  return block.subarray(0, 32)
}

/** HMAC is what HKDF does to its input under the salt, and what WebCrypto calls HMAC. */
function hmacSha512(key: Uint8Array, data: Uint8Array): Uint8Array {
  const block = Buffer.alloc(128)
  block.set(key)
  const inner = createHash('sha512')
    .update(block.map((byte) => byte ^ 0x36))
    .update(data)
    .digest()
  return createHash('sha512')
    .update(block.map((byte) => byte ^ 0x5c))
    .update(inner)
    .digest()
}

/** A context as the specification of the AWS Encryption SDK serializes it. */
export function specifiedContext(context: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(context).map(([name, value]) => [Buffer.from(name), Buffer.from(value)] as const)
  if (entries.length === 0) return Buffer.alloc(0)
  entries.sort(([a], [b]) => Buffer.compare(a, b))
  const u16 = (n: number) => Buffer.from([n >> 8, n & 255])
  const parts = entries.flatMap(([name, value]) => [u16(name.length), name, u16(value.length), value])
  return Buffer.concat([u16(entries.length), ...parts])
}

function subkey(key: Buffer, nonce: Buffer): Buffer {
  const ecb = (block: Uint8Array) => createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(block)
  const l = BigInt(`0x${ecb(Buffer.alloc(16)).toString('hex')}`)
  const mask = (1n << 128n) - 1n
  const k1 = l >> 127n === 0n ? (l << 1n) & mask : ((l << 1n) & mask) ^ 0x87n
  const blocks = [1, 2].map((counter) => {
    const m = Buffer.concat([Buffer.from([0, counter, 0x58, 0]), nonce.subarray(0, 12)])
    return ecb(Buffer.from((BigInt(`0x${m.toString('hex')}`) ^ k1).toString(16).padStart(32, '0'), 'hex'))
  })
  return Buffer.concat(blocks)
}

function aadOf(header: Buffer, context: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat([Buffer.from('strongroom/v1/field'), Buffer.from([0]), header, specifiedContext(context)])
}

/** The key id that the specification derives from a secret. */
export function specifiedKeyId(secret: Uint8Array): string {
  return expand(secret, 'strongroom/v1/commit').toString('hex', 0, 16)
}

/** Makes a field ciphertext from its parts. */
export function specifiedEncrypt(
  secret: Uint8Array,
  nonce: Buffer,
  typed: Uint8Array,
  context: Readonly<Record<string, string>>,
): Buffer {
  const header = Buffer.concat([Buffer.from([0xf9]), Buffer.from(specifiedKeyId(secret), 'hex')])
  const key = subkey(expand(secret, 'strongroom/v1/field/enc'), nonce)
  const gcm = createCipheriv('aes-256-gcm', key, nonce.subarray(12), { authTagLength: 16 })
  gcm.setAAD(aadOf(header, context))
  return Buffer.concat([header, nonce, gcm.update(typed), gcm.final(), gcm.getAuthTag()])
}

/** Opens a field ciphertext: the typed plaintext. */
export function specifiedDecrypt(secret: Uint8Array, field: Buffer, context: Readonly<Record<string, string>>): Buffer {
  if (field[0] !== 0xf9) throw new Error('format')
  if (field.toString('hex', 1, 17) !== specifiedKeyId(secret)) throw new Error('key')
  const nonce = field.subarray(17, 41)
  const gcm = createDecipheriv(
    'aes-256-gcm',
    subkey(expand(secret, 'strongroom/v1/field/enc'), nonce),
    nonce.subarray(12),
    {
      authTagLength: 16,
    },
  )
  gcm.setAAD(aadOf(field.subarray(0, 17), context))
  gcm.setAuthTag(field.subarray(field.length - 16))
  return Buffer.concat([gcm.update(field.subarray(41, field.length - 16)), gcm.final()])
}

/** Takes the ISO 7816-4 padding off, where the first byte says there is some. */
export function specifiedUnpad(typed: Buffer): { type: number; payload: Buffer; paddedTo: number | undefined } {
  const first = typed[0] as number
  if (first < 0x80) return { type: first, payload: typed.subarray(1), paddedTo: undefined }
  const marker = typed.lastIndexOf(0x80)
  if (marker < 1 || typed.subarray(marker + 1).some((byte) => byte !== 0)) throw new Error('padding')
  return { type: first & 0x7f, payload: typed.subarray(1, marker), paddedTo: typed.length }
}

/** RFC 5869 as node:crypto has it, to check `expand` against where the two can meet. */
export function fullHkdf(input: Uint8Array, salt: Uint8Array, info: string): { viaExpand: Buffer; viaNode: Buffer } {
  const prk = hmacSha512(salt, input)
  return { viaExpand: expand(prk, info), viaNode: Buffer.from(hkdfSync('sha512', input, salt, info, 32)) }
}
