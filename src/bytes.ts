import { Buffer } from 'node:buffer'
import { timingSafeEqual } from 'node:crypto'
import { InvalidInputError } from './errors.ts'

/** Describes a value for an error message by its type alone, never by its content. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : 'a Date'
  if (value instanceof Uint8Array) return 'bytes'
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (typeof value === 'object') return 'an object'
  return value === undefined ? 'undefined' : `a ${typeof value}`
}

/** Refuses anything but a `Uint8Array` (a `Buffer` is one). @throws InvalidInputError */
export function assertBytes(value: unknown, name: string): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array))
    throw new InvalidInputError(`${name} must be a Uint8Array, received ${describe(value)}`)
}

/** Refuses anything but a well-formed string: a lone surrogate has no UTF-8 form, so two texts would share one. @throws InvalidInputError */
export function assertText(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw new InvalidInputError(`${name} must be a string, received ${describe(value)}`)
  if (!value.isWellFormed()) throw new InvalidInputError(`${name} must be well-formed Unicode: it has a lone surrogate`)
}

/** The same memory seen as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Compares in time that depends on the lengths alone. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b)
}

/** Overwrites secrets with zeros. The engine may have made copies: see the threat model. */
export function wipe(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0)
}

/** `count`, then `length` and bytes of each part, all lengths u32 big-endian: an injective encoding of a list. Specification section 1.2. */
export function lengthPrefixed(parts: readonly (string | Uint8Array)[]): Buffer {
  const encoded = parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part))
  const out = Buffer.alloc(encoded.reduce((size, part) => size + 4 + part.byteLength, 4))
  let at = out.writeUInt32BE(encoded.length, 0)
  for (const part of encoded) {
    at = out.writeUInt32BE(part.byteLength, at)
    out.set(part, at)
    at += part.byteLength
  }
  return out
}
