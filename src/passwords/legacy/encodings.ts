import { Buffer } from 'node:buffer'

/** Hexadecimal in lower case, strictly; undefined for any other text. */
export function parseHex(text: string): Buffer | undefined {
  return /^(?:[0-9a-f]{2})*$/.test(text) ? Buffer.from(text, 'hex') : undefined
}

/** Standard base64 with padding, strictly; undefined for any other text. */
export function parseBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

/** The text of `byteLength` zero bytes in standard base64. */
export function zerosBase64(byteLength: number): string {
  return Buffer.alloc(byteLength).toString('base64')
}

/** passlib's "ab64": standard base64 without padding and with `.` for `+`, strictly. */
export function parseAb64(text: string): Buffer | undefined {
  if (text.includes('+')) return undefined
  const padded = text.replaceAll('.', '+') + '='.repeat(-text.length & 3)
  return parseBase64(padded)
}

/** The base64 of crypt(3): its own alphabet, and the low six bits of each group of three bytes first. */
export function encodeCrypt64(bytes: Uint8Array): string {
  let out = ''
  for (let at = 0; at < bytes.byteLength; at += 3) {
    const group = bytes.subarray(at, at + 3)
    let value = group.reduceRight((sum, byte) => (sum << 8) | byte, 0)
    for (let i = 0; i <= group.byteLength; i++) {
      out += CRYPT64[value & 63]
      value >>>= 6
    }
  }
  return out
}

/** The number that one character of crypt(3)'s base64 stands for, or -1. */
export function crypt64Value(character: string): number {
  return character.length === 1 ? CRYPT64.indexOf(character) : -1
}

const CRYPT64 = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
