import { Buffer } from 'node:buffer'

/** A number as IEEE-754 binary64, big-endian; −0 becomes 0, because they are equal. Index specification section 3. */
export function numberBytes(value: number): Buffer {
  const out = Buffer.alloc(8)
  out.writeDoubleBE(value + 0) // −0 + 0 is 0
  return out
}

/** A bigint as a sign byte (00, or 01 below zero) and the shortest big-endian magnitude; zero is the sign byte alone. */
export function bigintBytes(value: bigint): Buffer {
  const negative = value < 0n
  const magnitude = negative ? -value : value
  const digits = magnitude === 0n ? '' : magnitude.toString(16)
  return Buffer.from(`${negative ? '01' : '00'}${digits.length % 2 === 1 ? '0' : ''}${digits}`, 'hex')
}

/** A date as milliseconds since 1970-01-01T00:00:00Z, 8 bytes, two's complement, big-endian. */
export function dateBytes(value: Date): Buffer {
  const out = Buffer.alloc(8)
  out.writeBigInt64BE(BigInt(value.getTime()))
  return out
}

/** A boolean as 00 or 01. */
export function booleanBytes(value: boolean): Buffer {
  return Buffer.from([value ? 1 : 0])
}
