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

/** Sections 3 and 4: the form in hexadecimal, or `refused`, from the input as the vectors write it. */
export function specifiedForm(name: string, parameter: string | undefined, type: string, input: string): string {
  const utf8 = (text: string) => Buffer.from(text, 'utf8').toString('hex')
  const digits = [...input.normalize('NFKC')].filter((c) => c >= '0' && c <= '9').join('')
  const fold = (text: string) => text.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase().normalize('NFKC')
  if (name === 'email') {
    const inner = input.replace(/^(?:(?!\x85)[\p{White_Space}\uFEFF])+|(?:(?!\x85)[\p{White_Space}\uFEFF])+$/gu, '')
    return inner === '' ? 'refused' : utf8(inner.normalize('NFC').toLowerCase().normalize('NFC'))
  }
  if (name === 'casefold') return utf8(fold(input))
  if (name === 'digits') return digits === '' ? 'refused' : utf8(digits)
  if (name === 'last4') return digits.length < 4 ? 'refused' : utf8(digits.substring(digits.length - 4))
  if (name === 'prefix') return utf8(Array.from(fold(input)).slice(0, Number(parameter)).join(''))
  if (name === 'bucket') return specifiedBucket(parameter as string, type, input)
  if (name !== 'exact') return utf8(specifiedDate(name, new Date(input)))
  if (type === 'text') return utf8(input.normalize('NFC'))
  if (type === 'bytes') return input
  if (type === 'boolean') return input === 'true' ? '01' : '00'
  if (type === 'bigint') return specifiedBigint(BigInt(input))
  if (type === 'date') {
    const ms = new Date(input).getTime()
    return Number.isNaN(ms) ? 'refused' : BigInt.asUintN(64, BigInt(ms)).toString(16).padStart(16, '0')
  }
  return specifiedDouble(Number(input))
}

function specifiedDouble(value: number): string {
  if (Number.isNaN(value)) return 'refused'
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value === 0 ? 0 : value)
  return Buffer.from(view.buffer).toString('hex')
}

function specifiedBigint(value: bigint): string {
  const magnitude: number[] = []
  for (let rest = value < 0n ? -value : value; rest > 0n; rest >>= 8n) magnitude.unshift(Number(rest & 255n))
  return Buffer.from([value < 0n ? 1 : 0, ...magnitude]).toString('hex')
}

function specifiedBucket(size: string, type: string, input: string): string {
  if (type === 'bigint') {
    const value = BigInt(input)
    let quotient = value / BigInt(size)
    while (quotient * BigInt(size) > value) quotient--
    return specifiedBigint(quotient)
  }
  const quotient = Number(input) / Number(size)
  return Number.isFinite(quotient) ? specifiedDouble(Math.floor(quotient)) : 'refused'
}

function specifiedDate(name: string, date: Date): string {
  const pad = (n: number, width: number) => String(n).padStart(width, '0')
  const y = date.getUTCFullYear()
  if (name === 'decade') return String(y - (((y % 10) + 10) % 10))
  const year = y >= 0 && y <= 9999 ? pad(y, 4) : `${y < 0 ? '-' : '+'}${pad(Math.abs(y), 6)}`
  if (name === 'year') return year
  const month = `${year}-${pad(date.getUTCMonth() + 1, 2)}`
  return name === 'month' ? month : `${month}-${pad(date.getUTCDate(), 2)}`
}
