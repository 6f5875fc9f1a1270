import { Buffer } from 'node:buffer'
import { parseField } from '../format/field.ts'
import type { MappedRecord } from './mapped-record.ts'

const BYTES_LITERAL = /^(?:x'|e'\\\\x|'\\x)((?:[0-9a-f]{2})+)'$/i
const TAG = /^(?:[0-9a-f]{2})+$/

/** A value for a column, as a statement has it. */
export interface WrittenValue {
  /** What stands in the text. */
  readonly literal: string
  /** The parameter that the text stands for; undefined where it is none. */
  readonly value: unknown
  /** Whether the text is NULL or DEFAULT. */
  readonly isNull: boolean
}

/**
 * Refuses a value for an encrypted column or an index column that was not made for it. It is known by its form alone: what
 * begins like a ciphertext but is none, as somebody may choose it who chooses a value, is refused.
 *
 * @throws InvalidInputError
 */
export function assertStored(record: MappedRecord, field: string, { literal, value, isNull }: WrittenValue): void {
  const tagLength = record.tagLength(field)
  if ((isNull || value === null) && (tagLength !== undefined || record.showsNull(field))) return
  const given = value === undefined ? written(literal) : value
  if (tagLength === undefined && parseField(given) === undefined) throw record.unencrypted(field)
  if (tagLength !== undefined && !isTag(given, tagLength)) throw record.writtenIndex(field)
}

/** The text or bytes of a literal as mappers write them that put values into the text. */
function written(literal: string): string | Uint8Array | undefined {
  const bytes = BYTES_LITERAL.exec(literal)?.[1]
  if (bytes !== undefined) return Buffer.from(bytes, 'hex')
  // What is between the quotes may be anything; no form of a stored value has quotes or backslashes.
  return literal.length > 1 && literal.startsWith("'") && literal.endsWith("'") ? literal.slice(1, -1) : undefined
}

/** Whether it has the form of a tag of this many bytes, the first of which is never zero. */
function isTag(given: unknown, length: number): boolean {
  if (given instanceof Uint8Array) return given.byteLength === length && given[0] !== 0
  return typeof given === 'string' && given.length === 2 * length && TAG.test(given) && !given.startsWith('00')
}
