import { Buffer } from 'node:buffer'
import { assertBytes, assertText, describe, Scratch, wipe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import { encodeJson, parseJson } from './json.ts'
import { type Padding, paddedLength } from './padding.ts'

/** The types a value can have. Specification section 3.4. */
export type ValueType = 'text' | 'bytes' | 'number' | 'integer' | 'bigint' | 'boolean' | 'date' | 'json'

/** Largest value: 16 MiB of payload. Larger things are files. */
export const MAX_VALUE_BYTES = 16 * 1024 * 1024
const MAX_BIGINT_BYTES = 1024 * 1024
const MAX_DATE_MS = 8.64e15

const NULL = 0x00
const PADDED = 0x80
const MARKER = 0x80

/** The type byte of each type; an `integer` is a `number` that is checked on the way in and out. */
export const typeBytes: Readonly<Record<ValueType, number>> = {
  text: 0x01,
  bytes: 0x02,
  number: 0x03,
  integer: 0x03,
  bigint: 0x04,
  boolean: 0x05,
  date: 0x06,
  json: 0x07,
}

const SCRATCH_SIZE = 8192
const scratch = new Scratch(Buffer.alloc(SCRATCH_SIZE))
const EMPTY = Buffer.alloc(0)

/**
 * Encodes a value as typed, padded plaintext.
 *
 * @param value the value, or null
 * @returns memory that the next call may use again: wipe it as soon as it is encrypted
 * @throws InvalidInputError when the value is not of that type, or is larger than 16 MiB
 */
export function encodeTypedPlaintext(value: unknown, type: ValueType, padding: Padding): Buffer {
  const payload = value === null ? EMPTY : encodePayload(value, type)
  const size = typeof payload === 'string' ? Buffer.byteLength(payload, 'utf8') : payload.byteLength
  if (size > MAX_VALUE_BYTES) {
    throw new InvalidInputError(`a value must be at most ${MAX_VALUE_BYTES} bytes, received ${size}: seal it as a file`)
  }
  const length = padding === 'none' ? size + 1 : paddedLength(size + 2, padding)
  const out = length <= SCRATCH_SIZE ? scratch.view(length) : Buffer.alloc(length)
  const typeByte = value === null ? NULL : typeBytes[type]
  out[0] = padding === 'none' ? typeByte : typeByte | PADDED
  if (typeof payload === 'string') out.write(payload, 1, size, 'utf8')
  else out.set(payload, 1)
  if (padding !== 'none') out[size + 1] = MARKER // behind it all is zero: the scratch memory is wiped after every use
  if (typeof payload !== 'string' && payload !== value) wipe(payload)
  return out
}

/** The result of parsing a typed plaintext; an object, because null is an answer too. */
export type Parsed = { readonly value: unknown } | undefined

/**
 * Parses a typed plaintext that must hold `type` or null.
 *
 * @returns undefined when it holds another type, or is not canonical
 */
export function parseTypedPlaintext(plaintext: Buffer, type: ValueType): Parsed {
  const first = plaintext[0]
  if (first === undefined) return undefined
  const end = first & PADDED ? markerAt(plaintext) : plaintext.byteLength
  if (end < 1) return undefined
  const typeByte = first & ~PADDED
  if (typeByte === NULL) return end === 1 ? { value: null } : undefined
  if (typeByte !== typeBytes[type]) return undefined
  return parsers[type](plaintext, end)
}

/** The type that a typed plaintext says it holds; `text` for null, undefined for an unknown type byte. */
export function typeOfPlaintext(plaintext: Buffer): ValueType | undefined {
  return TYPES_BY_BYTE[(plaintext[0] ?? MARKER - 1) & ~PADDED]
}

const TYPES_BY_BYTE: readonly ValueType[] = ['text', 'text', 'bytes', 'number', 'bigint', 'boolean', 'date', 'json']

function markerAt(plaintext: Buffer): number {
  let at = plaintext.byteLength - 1
  while (at > 0 && plaintext[at] === 0) at--
  return plaintext[at] === MARKER ? at : 0
}

function encodePayload(value: unknown, type: ValueType): string | Uint8Array {
  switch (type) {
    case 'text':
      assertText(value, 'a text value')
      return value
    case 'bytes':
      assertBytes(value, 'a bytes value')
      return value
    case 'number':
    case 'integer':
      return encodeNumber(value, type)
    case 'bigint':
      return encodeBigint(value)
    case 'boolean':
      if (typeof value !== 'boolean') throw wrongType(type, value)
      return Buffer.from([value ? 1 : 0])
    case 'date':
      return encodeDate(value)
    case 'json':
      return encodeJson(value)
  }
}

function encodeNumber(value: unknown, type: 'number' | 'integer'): Buffer {
  if (typeof value !== 'number') throw wrongType(type, value)
  if (type === 'integer' && !Number.isSafeInteger(value)) {
    throw new InvalidInputError('an integer value must be a whole number within ±(2^53 − 1)')
  }
  const out = Buffer.alloc(8)
  if (Number.isNaN(value)) CANONICAL_NAN.copy(out)
  else out.writeDoubleBE(value)
  return out
}

const CANONICAL_NAN = Buffer.from('7ff8000000000000', 'hex')

function encodeBigint(value: unknown): Buffer {
  if (typeof value !== 'bigint') throw wrongType('bigint', value)
  if (value === 0n) return Buffer.from([0])
  const hex = (value < 0n ? -value : value).toString(16)
  if (hex.length > 2 * MAX_BIGINT_BYTES) {
    throw new InvalidInputError(`a bigint value must be at most ${MAX_BIGINT_BYTES} bytes`)
  }
  const magnitude = hex.length % 2 === 0 ? hex : `0${hex}`
  return Buffer.from((value < 0n ? '01' : '00') + magnitude, 'hex')
}

function encodeDate(value: unknown): Buffer {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw wrongType('date', value)
  const out = Buffer.alloc(8)
  out.writeBigInt64BE(BigInt(value.getTime()))
  return out
}

function wrongType(type: ValueType, value: unknown): InvalidInputError {
  return new InvalidInputError(`a ${type} value was expected, received ${describe(value)}`)
}

type Parser = (plaintext: Buffer, end: number) => Parsed

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function parseText(plaintext: Buffer, end: number): Parsed {
  const text = plaintext.toString('utf8', 1, end)
  // U+FFFD is what the lenient decoder writes for bytes that are not UTF-8: only then is the strict one worth its cost.
  if (!text.includes('\ufffd')) return { value: text }
  try {
    return { value: decoder.decode(plaintext.subarray(1, end)) }
  } catch {
    return undefined
  }
}

const parsers: Readonly<Record<ValueType, Parser>> = {
  text: parseText,
  bytes: (plaintext, end) => ({ value: new Uint8Array(plaintext.subarray(1, end)) }),
  number: parseNumber,
  integer: (plaintext, end) => {
    const parsed = parseNumber(plaintext, end)
    return parsed !== undefined && Number.isSafeInteger(parsed.value) ? parsed : undefined
  },
  bigint: parseBigint,
  boolean: (plaintext, end) => {
    const byte = plaintext[1]
    return end === 2 && (byte === 0 || byte === 1) ? { value: byte === 1 } : undefined
  },
  date: (plaintext, end) => {
    if (end !== 9) return undefined
    const ms = Number(plaintext.readBigInt64BE(1))
    return Math.abs(ms) <= MAX_DATE_MS ? { value: new Date(ms) } : undefined
  },
  json: (plaintext, end) => {
    const text = parseText(plaintext, end)
    const value = text && parseJson(text.value as string)
    return value === undefined ? undefined : { value }
  },
}

function parseNumber(plaintext: Buffer, end: number): Parsed {
  if (end !== 9) return undefined
  const value = plaintext.readDoubleBE(1)
  if (Number.isNaN(value) && !plaintext.subarray(1, 9).equals(CANONICAL_NAN)) return undefined
  return { value }
}

function parseBigint(plaintext: Buffer, end: number): Parsed {
  const sign = plaintext[1]
  if (end < 2 || end > MAX_BIGINT_BYTES + 2 || (sign !== 0 && sign !== 1)) return undefined
  if (end === 2) return sign === 0 ? { value: 0n } : undefined
  if (plaintext[2] === 0) return undefined
  const magnitude = BigInt(`0x${plaintext.toString('hex', 2, end)}`)
  return { value: sign === 1 ? -magnitude : magnitude }
}
