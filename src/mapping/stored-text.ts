import { Buffer } from 'node:buffer'
import { isField } from '../format/field.ts'
import type { MappedRecord } from './mapped-record.ts'

const BYTES_LITERAL = /^(?:x'|e'\\\\x|'\\x)((?:[0-9a-f]{2})+)'$/i
const NULL = /^(?:null|default)(?:::\w+)?$/i
const TAG = /^(?:[0-9a-f]{2})+$/

/**
 * Refuses a value for an encrypted column or an index column that was not made for it. It is known by its form alone: what
 * begins like a ciphertext but is none, as somebody may choose it who chooses a value, is refused.
 *
 * @param given a parameter of a statement, or the value of a literal
 * @throws InvalidInputError
 */
export function assertStored(record: MappedRecord, field: string, given: unknown): void {
  const tagLength = record.tagLength(field)
  if (given === null && (tagLength !== undefined || record.showsNull(field))) return
  if (tagLength === undefined && !isField(given)) throw record.unencrypted(field)
  if (tagLength !== undefined && !isTag(given, tagLength)) throw record.writtenIndex(field)
}

/**
 * What a literal holds, as mappers write them that put values into the text.
 *
 * @param from where it begins in the text, and `to` where it ends
 * @returns its text or bytes, null for NULL and DEFAULT, undefined for anything else
 */
export function literalValue(text: string, from: number, to: number): string | Uint8Array | null | undefined {
  // What is between the quotes may be anything; no form of a stored value has quotes or backslashes.
  if (to - from > 1 && text[from] === "'" && text[to - 1] === "'" && text[from + 1] !== '\\') {
    return text.slice(from + 1, to - 1)
  }
  const literal = text.slice(from, to)
  const bytes = BYTES_LITERAL.exec(literal)?.[1]
  if (bytes !== undefined) return Buffer.from(bytes, 'hex')
  return NULL.test(literal) ? null : undefined
}

/** Whether it has the form of a tag of this many bytes, the first of which is never zero. */
function isTag(given: unknown, length: number): boolean {
  if (given instanceof Uint8Array) return given.byteLength === length && given[0] !== 0
  return typeof given === 'string' && given.length === 2 * length && TAG.test(given) && !given.startsWith('00')
}
