import type { Cell } from '../../src/table.ts'
import type { Row } from './database.ts'

/**
 * A cell as it is read: whole numbers as text, because above 2^53 one driver rounds them and the other refuses; others as
 * numbers, because SQLite itself shows fifteen of their digits.
 */
export function exactCell(column: string): string {
  return `case typeof(${column}) when 'integer' then cast(${column} as text) else ${column} end`
}

/** The bytes of a text, which a driver would mend where they are none, and anything else as `exactCell`. */
export function rawCell(column: string): string {
  return `case typeof(${column}) when 'text' then cast(${column} as blob) when 'integer' then cast(${column} as text) else ${column} end`
}

/** A row without numbers: each is the shortest text that tells it. */
export function withTexts(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === 'number' ? numberText(value) : value]),
  )
}

/** The text of bytes in the encoding of the database; the bytes themselves where they are no text. */
export function textOf(bytes: Uint8Array, encoding: string): string | Uint8Array {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return bytes
  }
}

/** Whether a column holds exactly what was read from it, whatever type it was declared with: one parameter for each place. */
export function isSame(column: string): string {
  return `case typeof(${column}) when 'real' then ${column} is ? when 'integer' then cast(${column} as text) is ?
  else (+${column}) collate binary is ? end`
}

/** The parameters of `isSame`. */
export function sameValues(sent: string | Buffer | null): unknown[] {
  const number = typeof sent === 'string' ? numberOf(sent) : undefined
  return [number ?? null, sent, sent]
}

/** What a column of numbers is set to: a number, where SQLite would read the text with digits of its own choice. */
export function numberOrText(sent: string | Buffer | null): Cell {
  return typeof sent === 'string' && !/^-?\d+$/.test(sent) ? (numberOf(sent) ?? sent) : sent
}

function numberOf(text: string): number | undefined {
  return numberText(Number(text)) === text ? Number(text) : undefined
}

function numberText(number: number): string {
  return Object.is(number, -0) ? '-0' : String(number)
}
