import { Buffer } from 'node:buffer'
import { timingSafeEqual } from 'node:crypto'

export {
  assertArray,
  assertBytes,
  assertCallback,
  assertDate,
  assertFilled,
  assertFlag,
  assertFunction,
  assertMethods,
  assertObject,
  assertOneOf,
  assertOptions,
  assertSignal,
  assertText,
  assertTexts,
  assertWhole,
  describe,
} from './checks.ts'

/** The same memory seen as a Buffer, without a copy. Nothing where the memory was transferred: of that no view can be made. */
export function asBuffer(bytes: Uint8Array): Buffer {
  if (bytes.byteLength === 0) return Buffer.alloc(0)
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
