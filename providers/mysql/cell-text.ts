import { shortestSingle } from '../../src/sql/single.ts'
import type { CatalogueType } from './key-types.ts'

/** How the text of a column travels so that it loses nothing. */
export interface CellText {
  /** The bytes of the text of a column in UTF-8, as SQL. */
  bytesOf(column: string): string
  /** Whether a column holds what these bytes say, as SQL. */
  isSame(column: string, bytes: string): string
  /** What a column is set to for a text, or for bytes where it holds those, as SQL. */
  valueOf(sent: string): string
  /** The text of bytes; the bytes themselves where they are no text. */
  read(bytes: Uint8Array): string | Uint8Array
  /** What is sent to compare with, or to be written, for what was read. */
  sent(cell: string | Uint8Array): string | Uint8Array
}

const asText = (bytes: string) => `convert(${bytes} using utf8mb4)`

/** A type whose text is that of the server. */
function serverText(textOf: (column: string) => string): CellText {
  const bytesOf = (column: string) => `cast(${textOf(column)} as binary)`
  return {
    bytesOf,
    isSame: (column, bytes) => `${bytesOf(column)} <=> ${bytes}`,
    valueOf: asItIs,
    read: decoded,
    sent: asItIs,
  }
}

const PLAIN = serverText((column) => `cast(${column} as char character set utf8mb4)`)
/** By itself the server shows six digits of a float. */
const DOUBLE: CellText = {
  ...serverText((column) => `cast(cast(${column} as double) as char character set utf8mb4)`),
  isSame: (column, bytes) => `cast(${column} as double) <=> cast(${asText(bytes)} as double)`,
}
const FLOAT: CellText = {
  ...DOUBLE,
  read: (bytes) => String(shortestSingle(Number(decoded(bytes)))),
  // The shortest text of the largest one is beyond it.
  sent: (cell) => String(Math.fround(Number(cell))),
}
const BIT: CellText = {
  ...serverText((column) => `cast(${column} + 0 as char character set utf8mb4)`),
  valueOf: (text) => `cast(${text} as unsigned)`,
}
const BYTES: CellText = {
  bytesOf: (column) => `cast(${column} as binary)`,
  isSame: (column, bytes) => `cast(${column} as binary) <=> ${bytes}`,
  valueOf: asItIs,
  read: asItIs,
  sent: asItIs,
}

const BASES: ReadonlyMap<string, CellText> = new Map([
  ...['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', 'year'].map((base) => [base, PLAIN] as const),
  ...['date', 'datetime', 'timestamp', 'time', 'enum', 'set'].map((base) => [base, PLAIN] as const),
  ...['json', 'uuid', 'inet4', 'inet6'].map((base) => [base, PLAIN] as const),
  ...['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob'].map((base) => [base, BYTES] as const),
  ['double', DOUBLE],
  ['float', FLOAT],
  ['bit', BIT],
])

/** Character sets from which no character and no byte is lost on the way to `utf8mb4` and back. */
const LOSSLESS = new Set(['utf8mb4', 'utf8mb3', 'utf8', 'latin1', 'ucs2', 'utf16', 'utf16le', 'utf32'])

/** How the text of a column travels; undefined for a type whose values have no text that tells them apart. */
export function cellText({ base, charset }: CatalogueType): CellText | undefined {
  const known = BASES.get(base)
  if (known !== undefined || charset === null) return known
  return LOSSLESS.has(charset) ? serverText((column) => `convert(${column} using utf8mb4)`) : exactText(charset)
}

/**
 * What does not come back as it was is given as bytes that no text has. Compared in the character set of the column: where
 * the server is strict, an update fails that looks at a character without a counterpart.
 */
function exactText(charset: string): CellText {
  const text = serverText((column) => `convert(${column} using utf8mb4)`)
  const raw = (column: string) => `cast(${column} as binary)`
  const back = (utf8: string) => raw(`convert(${utf8} using ${charset})`)
  return {
    ...text,
    bytesOf: (column) =>
      `case when ${back(`convert(${column} using utf8mb4)`)} <=> ${raw(column)} then ${text.bytesOf(column)} else concat(x'ff', ${raw(column)}) end`,
    isSame: (column, bytes) =>
      `case when left(${bytes}, 1) = x'ff' then concat(x'ff', ${raw(column)}) <=> ${bytes} else ${raw(column)} <=> ${back(asText(bytes))} end`,
  }
}

function asItIs<Value>(value: Value): Value {
  return value
}

function decoded(bytes: Uint8Array): string | Uint8Array {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return bytes
  }
}
