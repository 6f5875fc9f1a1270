import { DecryptionError } from '../../src/errors.ts'
import type { Curve } from '../../src/messages/suites.ts'

// WebCrypto reads and writes points of a curve whole, and messages carry them compressed. All of these numbers are
// public, so it does not matter that their arithmetic takes a time that depends on them.

interface Field {
  readonly prime: bigint
  readonly b: bigint
}

/** y² = x³ − 3x + b; FIPS 186-4, D.1.2. Both primes are 3 modulo 4, so a root is one power. */
const FIELDS: Readonly<Record<Curve['jwk'], Field>> = {
  'P-256': {
    prime: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  'P-384': {
    prime: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  },
}

/** `02` or `03` and x, from `04`, x and y. */
export function compress(point: Uint8Array): Uint8Array {
  const half = (point.length - 1) / 2
  const out = new Uint8Array(point.subarray(0, 1 + half))
  out[0] = 2 + ((point[point.length - 1] as number) & 1)
  return out
}

/** `04`, x and y, from `02` or `03` and x. @throws DecryptionError when it is no point of this curve */
export function decompress(compressed: Uint8Array, curve: Curve): Uint8Array {
  const { prime, b } = FIELDS[curve.jwk]
  const sign = compressed[0]
  const x = toNumber(compressed.subarray(1))
  if (compressed.length !== curve.size + 1 || (sign !== 2 && sign !== 3) || x >= prime) throw new DecryptionError()
  const square = (x * x * x - 3n * x + b) % prime
  const root = power((square + prime) % prime, (prime + 1n) / 4n, prime)
  if ((root * root - square) % prime !== 0n || root === 0n) throw new DecryptionError()
  const y = Number(root & 1n) === (sign & 1) ? root : prime - root
  const out = new Uint8Array(1 + 2 * curve.size)
  out[0] = 4
  out.set(compressed.subarray(1), 1)
  out.set(toBytes(y, curve.size), 1 + curve.size)
  return out
}

/** Big-endian bytes as a number. */
export function toNumber(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return value
}

/** A number as `length` big-endian bytes. */
export function toBytes(value: bigint, length: number): Uint8Array {
  const out = new Uint8Array(length)
  for (let i = length - 1, rest = value; i >= 0; i--, rest >>= 8n) out[i] = Number(rest & 255n)
  return out
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % modulus) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus
  }
  return result
}
