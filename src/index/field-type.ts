import { isDate } from 'node:util/types'
import { assertBytes, assertText, describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import type { ValueType } from '../format/typed-value.ts'

/** The kinds of field that can be indexed. JSON cannot: give what you search a field of its own. */
export type FieldType = Exclude<ValueType, 'json'>

/** The longest value that can be indexed: characters of a text, bytes of anything else. */
export const MAX_INDEXED_LENGTH = 65_536

/** Whether fields of this type can be indexed. */
export function isIndexable(type: unknown): type is FieldType {
  return typeof type === 'string' && Object.hasOwn(checks, type)
}

/** All field types that can be indexed. */
export function indexableTypes(): FieldType[] {
  return Object.keys(checks) as FieldType[]
}

/**
 * Refuses a value that is not of the field's type, or too long to index.
 *
 * @param what how the error names the value
 * @throws InvalidInputError naming the type received, never the value
 */
export function assertIndexable(type: FieldType, value: unknown, what: string): void {
  checks[type](value, what)
}

const checks: Record<FieldType, (value: unknown, what: string) => void> = {
  text(value, what) {
    assertText(value, what)
    assertLength(value.length, 'characters', what)
  },
  bytes(value, what) {
    assertBytes(value, what)
    assertLength(value.byteLength, 'bytes', what)
  },
  integer(value, what) {
    if (!Number.isSafeInteger(value)) refuse(what, 'a safe integer', value)
  },
  number(value, what) {
    if (typeof value !== 'number' || Number.isNaN(value)) refuse(what, 'a number', value)
  },
  bigint(value, what) {
    if (typeof value !== 'bigint') refuse(what, 'a bigint', value)
    if (BigInt.asIntN(MAX_BIGINT_BITS, value) !== value) {
      throw new InvalidInputError(`${what} must have at most ${MAX_BIGINT_BITS} bits`)
    }
  },
  boolean(value, what) {
    if (typeof value !== 'boolean') refuse(what, 'a boolean', value)
  },
  date(value, what) {
    if (!isDate(value) || Number.isNaN(value.getTime())) refuse(what, 'a valid Date', value)
  },
}

const MAX_BIGINT_BITS = 8 * 1024

function assertLength(length: number, unit: string, what: string): void {
  if (length > MAX_INDEXED_LENGTH) {
    throw new InvalidInputError(
      `${what} must have at most ${MAX_INDEXED_LENGTH} ${unit} to be indexed, received ${length}`,
    )
  }
}

function refuse(what: string, expected: string, value: unknown): never {
  throw new InvalidInputError(`${what} must be ${expected}, received ${describe(value)}`)
}
