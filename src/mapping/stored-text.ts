import { looksEncrypted } from '../format/field.ts'
import type { MappedRecord } from './mapped-record.ts'

const TAG = /^[0-9a-f]{2,80}$/

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
 * Refuses a value for an encrypted column or an index column that was not made for it.
 *
 * @throws InvalidInputError
 */
export function assertStored(record: MappedRecord, field: string, { literal, value, isNull }: WrittenValue): void {
  const isIndex = record.indexColumns.has(field)
  if (!isIndex && isCiphertextLiteral(literal)) return
  if ((isNull || value === null) && (isIndex || record.showsNull(field))) return
  if (isIndex ? !looksLikeTag(value, literal) : !looksEncrypted(value))
    throw isIndex ? record.writtenIndex(field) : record.unencrypted(field)
}

/** Whether it is a ciphertext as mappers write it that put values into the text: as text, or as bytes in any spelling. */
function isCiphertextLiteral(literal: string): boolean {
  if (literal.startsWith("'sr1_")) return /^'[\w-]+'$/.test(literal)
  return /^(?:x'|e'\\\\x|'\\x)f9[0-9a-f]+'$/i.test(literal)
}

/** A tag as an index makes it, as a parameter or written into the text: nothing that somebody would write there by hand. */
function looksLikeTag(value: unknown, literal: string): boolean {
  if (value instanceof Uint8Array || /^(?:x'|e'\\\\x|'\\x)[0-9a-f]+'$/i.test(literal)) return true
  return TAG.test(typeof value === 'string' ? value : literal.replace(/^'|'$/g, ''))
}
