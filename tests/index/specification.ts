import { Buffer } from 'node:buffer'
import { createHmac, hkdfSync } from 'node:crypto'

/**
 * The index specification (docs/format-index.md, sections 2, 5 and 6) written down a second time, with nothing but
 * node:crypto and none of the library's code, to hold the library against.
 */
export interface SpecifiedIndex {
  table: string
  column: string
  index: string
  transformId: string
  bits: number
}

export function specifiedList(items: readonly (string | Uint8Array)[]): Buffer {
  const u32 = (n: number) => Buffer.from([n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255])
  const chunks = [u32(items.length)]
  for (const item of items) {
    const bytes = typeof item === 'string' ? Buffer.from(item, 'utf8') : Buffer.from(item)
    chunks.push(u32(bytes.length), bytes)
  }
  return Buffer.concat(chunks)
}

/** HKDF-Expand alone: one block of output, so T(1) cut to 32 bytes. RFC 5869 section 2.3. */
export function specifiedKey(root: Uint8Array, d: SpecifiedIndex): Buffer {
  const info = specifiedList(['strongroom/v1/index', d.table, d.column, d.index, d.transformId, String(d.bits)])
  return createHmac('sha512', root)
    .update(Buffer.concat([info, Buffer.from([1])]))
    .digest()
    .subarray(0, 32)
}

export function specifiedTag(
  key: Uint8Array,
  bits: number,
  version: number,
  parts: readonly { type: number; value: string | Uint8Array }[],
): Buffer {
  const message = specifiedList(parts.flatMap(({ type, value }) => [Buffer.from([type]), value]))
  const digest = createHmac('sha256', key).update(message).digest()
  // Bit by bit, unlike the library, which masks a byte.
  const tag = Buffer.alloc(Math.ceil(bits / 8))
  for (let bit = 0; bit < bits; bit++) {
    const byte = bit >> 3
    const mask = 0x80 >> (bit & 7)
    tag[byte] = (tag[byte] as number) | ((digest[byte] as number) & mask)
  }
  return Buffer.concat([Buffer.from([version]), tag])
}

/** Extract and expand as Node has them, to check the hand-made expansion above: an extract with an empty salt comes first. */
export function fullHkdf(inputKey: Uint8Array, info: Uint8Array): { prk: Buffer; okm: Buffer } {
  const prk = createHmac('sha512', Buffer.alloc(64)).update(inputKey).digest()
  return { prk, okm: Buffer.from(hkdfSync('sha512', inputKey, Buffer.alloc(0), info, 32)) }
}
