import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'

/** What a key text holds. The prefixes are for people and for scanners that look for leaked keys. */
export const prefixes = { secretKey: 'sr_sk1', sealedBoxSecret: 'sr_xs1', sealedBoxPublic: 'sr_xp1' } as const

/** Name of a kind of key text. */
export type KeyKind = keyof typeof prefixes

const KEY_LENGTH = 32
const BODY_LENGTH = 43
const CRC_LENGTH = 6
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** 32 bytes as text: prefix, 43 digits of base 62, and 6 digits of the CRC-32 of what stands before it. */
export function encodeKeyText(kind: KeyKind, key: Uint8Array): string {
  const body = `${prefixes[kind]}_${toDigits(BigInt(`0x${Buffer.from(key).toString('hex')}`), BODY_LENGTH)}`
  return `${body}_${checksum(body)}`
}

/** @returns undefined when it is not the one text that `encodeKeyText` writes for a key of this kind */
export function parseKeyText(kind: KeyKind, text: string): Buffer | undefined {
  const match = new RegExp(`^(${prefixes[kind]}_([0-9A-Za-z]{${BODY_LENGTH}}))_([0-9A-Za-z]{${CRC_LENGTH}})$`).exec(
    text,
  )
  if (match === null || checksum(match[1] as string) !== match[3]) return undefined
  const value = fromDigits(match[2] as string)
  if (value >> BigInt(8 * KEY_LENGTH) !== 0n) return undefined
  const key = Buffer.alloc(KEY_LENGTH)
  key.write(value.toString(16).padStart(2 * KEY_LENGTH, '0'), 'hex')
  return key
}

function checksum(text: string): string {
  return toDigits(BigInt(crc32(text)), CRC_LENGTH)
}

function toDigits(value: bigint, length: number): string {
  let text = ''
  for (let left = value; left > 0n; left /= 62n) text = DIGITS[Number(left % 62n)] + text
  return text.padStart(length, '0')
}

function fromDigits(text: string): bigint {
  let value = 0n
  for (const digit of text) value = value * 62n + BigInt(DIGITS.indexOf(digit))
  return value
}
