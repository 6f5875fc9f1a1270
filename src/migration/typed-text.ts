import { Buffer } from 'node:buffer'
import { isDeepStrictEqual, TextDecoder } from 'node:util'
import { equalBytes } from '../bytes.ts'
import { encodeJson, parseJson } from '../format/json.ts'
import type { ValueType } from '../format/typed-value.ts'
import type { TableColumn } from '../table.ts'
import { exactNumber, keepsNumbers } from './decimal.ts'

/** What stands in an old column: the database's own text, or bytes where the column holds bytes. */
export type OldCell = string | Uint8Array | null

/**
 * The value of a field from what an old column holds. Nothing is rounded, cut or guessed: what has no exact value of the
 * type has none at all.
 *
 * @returns undefined when there is none
 */
export function readCell(type: ValueType, cell: string | Uint8Array): unknown {
  if (type === 'bytes') return cell instanceof Uint8Array ? cell : undefined
  const text = typeof cell === 'string' ? cell : utf8(cell)
  return text === undefined ? undefined : readers[type](text)
}

/**
 * What an old column holds for a value: the inverse of `readCell`.
 *
 * @param column that shall hold it, as the database declares it
 * @returns undefined when the column cannot hold the value as it is
 */
export function writeCell(
  type: ValueType,
  value: unknown,
  { type: sqlType, alters }: Pick<TableColumn, 'type' | 'alters'>,
): string | Uint8Array | undefined {
  switch (type) {
    case 'bytes':
      return value as Uint8Array
    case 'boolean':
      // A column may be called boolean and hold numbers.
      return /bool|text|char|enum/i.test(sqlType) && alters?.numbers === undefined
        ? String(value)
        : String(Number(value))
    case 'date':
      return dateText(value as Date, sqlType)
    case 'json':
      return encodeJson(value)
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    default:
      return String(value)
  }
}

/** Whether two values of a field are the same. */
export function isSame(type: ValueType, a: unknown, b: unknown): boolean {
  if (a === null || b === null) return a === b
  switch (type) {
    case 'date':
      return (a as Date).getTime() === (b as Date).getTime()
    case 'bytes':
      return equalBytes(a as Uint8Array, b as Uint8Array)
    case 'json':
      return isDeepStrictEqual(a, b)
    default:
      return Object.is(a, b)
  }
}

const readers: Readonly<Record<Exclude<ValueType, 'bytes'>, (text: string) => unknown>> = {
  text: (text) => text,
  integer: (text) => {
    const number = /^-?\d{1,16}$/.test(text) ? Number(text) : undefined
    return Number.isSafeInteger(number) ? number : undefined
  },
  bigint: (text) => (/^-?\d{1,1000}$/.test(text) ? BigInt(text) : undefined),
  number: (text) => SPECIAL_NUMBERS.get(text) ?? exactNumber(text),
  boolean: (text) => BOOLEANS.get(text),
  date: readDate,
  json: (text) => (keepsNumbers(text) ? parseJson(text) : undefined),
}

const SPECIAL_NUMBERS = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
])

const BOOLEANS = new Map([
  ['true', true],
  ['t', true],
  ['1', true],
  ['false', false],
  ['f', false],
  ['0', false],
])

const DATE =
  /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:(Z)|([+-])(\d{2})(?::?(\d{2}))?)?)?$/

/** A day is its midnight in UTC, and a time without an offset is in UTC. Fractions of a millisecond have no value. */
function readDate(text: string): Date | undefined {
  const match = DATE.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', , sign, hours, minutes = '00'] =
    match
  if (!/^\d{0,3}0*$/.test(fraction)) return undefined
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, '0')}Z`
  const date = new Date(iso)
  // 30 February would become 2 March.
  if (Number.isNaN(date.getTime()) || date.toISOString() !== iso) return undefined
  if (sign === undefined) return date
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1)
  return new Date(date.getTime() - offset * 60_000)
}

function dateText(date: Date, sqlType: string): string | undefined {
  const iso = date.toISOString()
  if (!/^\d{4}-/.test(iso)) return undefined
  if (/^date$/i.test(sqlType)) return iso.endsWith('T00:00:00.000Z') ? iso.slice(0, 10) : undefined
  const time = iso.slice(0, -1).replace('T', ' ')
  return /with time zone|timestamptz/i.test(sqlType) ? `${time}+00` : /text|char/i.test(sqlType) ? iso : time
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes))
  } catch {
    return undefined
  }
}
