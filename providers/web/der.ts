import { DecryptionError } from '../../src/errors.ts'

// An ECDSA signature is a DER sequence of two integers in a message, and the two side by side in WebCrypto.

/** DER from r ‖ s. */
export function encodeSignature(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2
  const body = [...integer(raw.subarray(0, half)), ...integer(raw.subarray(half))]
  return Uint8Array.of(SEQUENCE, ...(body.length > 127 ? [0x81] : []), body.length, ...body)
}

/** r ‖ s, each of `size` bytes. @throws DecryptionError for anything that is not exactly that in DER */
export function decodeSignature(der: Uint8Array, size: number): Uint8Array {
  const raw = new Uint8Array(2 * size)
  const isLong = der[1] === 0x81
  const start = isLong ? 3 : 2
  const length = der[start - 1] as number
  if (der[0] !== SEQUENCE || length !== der.length - start || isLong !== length > 127) throw new DecryptionError()
  let at = start
  for (const end of [size, 2 * size]) {
    const count = der[at + 1] as number
    const value = der.subarray(at + 2, at + 2 + count)
    const isNegative = ((value[0] ?? 0x80) & 0x80) !== 0
    const isPadded = value[0] === 0 && count > 1 && ((value[1] as number) & 0x80) === 0
    const digits = value[0] === 0 ? value.subarray(1) : value
    if (der[at] !== INTEGER || value.length !== count || isNegative || isPadded || digits.length > size) {
      throw new DecryptionError()
    }
    raw.set(digits, end - digits.length)
    at += 2 + count
  }
  if (at !== der.length) throw new DecryptionError()
  return raw
}

const SEQUENCE = 0x30
const INTEGER = 0x02

function integer(bytes: Uint8Array): number[] {
  let from = 0
  while (from < bytes.length - 1 && bytes[from] === 0) from++
  const digits = [...bytes.subarray(from)]
  if ((digits[0] as number) > 127) digits.unshift(0)
  return [INTEGER, digits.length, ...digits]
}
