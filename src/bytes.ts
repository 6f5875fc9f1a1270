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

/** Refuses anything but an object of names and values: no null, array, Map, Date or function. @throws InvalidInputError */
export function assertObject(value: unknown, name: string): asserts value is object {
  if (Object.prototype.toString.call(value) !== '[object Object]') {
    throw new InvalidInputError(`${name} must be an object, received ${describe(value)}`)
  }
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
  // The method of Uint8Array, because Buffer's own takes longer to find out what to fill with than to fill.
  for (let i = 0; i < secrets.length; i++) fill.call(secrets[i] as Uint8Array, 0)
}

const { fill } = Uint8Array.prototype

const MAX_KEPT_VIEW = 1024

/**
 * Memory that is used again and again, and its views by length. Making a view costs as much as encrypting a block, so
 * those of usual lengths are made once. What a function returns from here is valid until its next call.
 */
export class Scratch {
  readonly bytes: Buffer
  readonly #views: (Buffer | undefined)[] = []

  /** @param bytes its memory; views start at its first byte */
  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  /** The first `length` bytes. */
  view(length: number): Buffer {
    if (length > MAX_KEPT_VIEW) return this.bytes.subarray(0, length)
    this.#views[length] ??= this.bytes.subarray(0, length)
    return this.#views[length]
  }
}

/** `count`, then `length` and bytes of each part, all lengths u32 big-endian: an injective encoding of a list. Specification section 1.2. */
export function lengthPrefixed(parts: readonly (string | Uint8Array)[]): Buffer {
  let size = 4
  for (const part of parts) size += 4 + byteLength(part)
  const out = Buffer.alloc(size)
  let at = out.writeUInt32BE(parts.length, 0)
  for (const part of parts) {
    const length = byteLength(part)
    at = out.writeUInt32BE(length, at)
    if (typeof part === 'string') out.write(part, at, length, 'utf8')
    else out.set(part, at)
    at += length
  }
  return out
}

function byteLength(part: string | Uint8Array): number {
  return typeof part === 'string' ? Buffer.byteLength(part, 'utf8') : part.byteLength
}
