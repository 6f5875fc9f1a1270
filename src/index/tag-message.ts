import type { Buffer } from 'node:buffer'
import { asBuffer, assertBytes } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'

/** One indexed value: the type byte of its field and its searched form. */
export interface TagPart {
  /** 0 to 255. Index specification section 3. */
  readonly type: number
  /** Well-formed text or bytes, at most 4 MiB. */
  readonly value: string | Uint8Array
}

/** Most fields of a compound index. */
export const MAX_PARTS = 16

const MAX_VALUE = 4 * 1024 * 1024

/** Checks the parts and returns the most bytes that their encoding can take. */
export function messageBound(parts: readonly TagPart[]): number {
  if (!Array.isArray(parts) || parts.length < 1 || parts.length > MAX_PARTS) {
    throw new InvalidInputError(`a tag has 1 to ${MAX_PARTS} parts`)
  }
  let size = 4
  for (const { type, value } of parts as readonly TagPart[]) {
    if (!Number.isInteger(type) || type < 0 || type > 255) {
      throw new InvalidInputError('the type of an indexed value must be an integer from 0 to 255')
    }
    const text = typeof value === 'string'
    if (!text) assertBytes(value, 'an indexed value')
    else if (!value.isWellFormed()) throw new InvalidInputError('an indexed text must be well-formed Unicode')
    if (value.length > MAX_VALUE) throw new InvalidInputError('an indexed value is longer than 4 MiB')
    size += 9 + (text ? 3 : 1) * value.length
  }
  return size
}

/** Writes LP(type, value, type, value, …) at `at` and returns where it ends. Index specification section 6. */
export function writeMessage(out: Buffer, start: number, parts: readonly TagPart[]): number {
  let at = out.writeUInt32BE(2 * parts.length, start)
  for (const { type, value } of parts) {
    at = out.writeUInt32BE(1, at)
    out[at++] = type
    const length = typeof value === 'string' ? out.write(value, at + 4) : asBuffer(value).copy(out, at + 4)
    at = out.writeUInt32BE(length, at) + length
  }
  return at
}
