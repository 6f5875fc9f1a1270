import { InvalidInputError } from '../../src/errors.ts'

/** What a column of rows holds. */
export type SentKind = 'text' | 'bytes'

/** Rows that travel as one parameter, and how a statement reads them: as the table `d`. */
export interface SentRows {
  /** `json_table(…) as d`, for the place of a table. Its column `n` numbers the rows from 1. */
  readonly from: string
  /** The parameter in `from`. */
  readonly value: string
  /** An expression for each column. */
  readonly columns: readonly string[]
}

type Sent = string | Uint8Array | null

/** What needs no escape in JSON and is the same in every character set that MySQL has. */
const PLAIN = /^[ !#-[\]-~]*$/

/**
 * Sends rows of text and bytes as one parameter of JSON. Only plain ASCII is ever in it: columns with anything else travel as
 * base64, so that no reader of JSON and no character set has a say in what arrives.
 *
 * @throws InvalidInputError for text that is no well-formed Unicode
 */
export function sentRows(kinds: readonly SentKind[], rows: readonly (readonly Sent[])[]): SentRows {
  const coded = kinds.map((kind, at) => kind === 'bytes' || !rows.every((row) => isPlain(row[at] as Sent)))
  const value = JSON.stringify(rows.map((row) => row.map((cell, at) => (coded[at] ? encode(cell) : cell))))
  const declared = kinds.map((_, at) => `c${at} longtext path '$[${at}]'`)
  return {
    from: `json_table(?, '$[*]' columns (${['n for ordinality', ...declared].join(', ')})) as d`,
    value,
    columns: kinds.map((kind, at) => {
      const bytes = coded[at] ? `from_base64(d.c${at})` : `d.c${at}`
      return kind === 'bytes' ? bytes : `convert(${bytes} using utf8mb4) collate utf8mb4_bin`
    }),
  }
}

/** Parts of rows whose JSON stays below a number of bytes, so that each fits a packet; a row that is larger is a part by itself. */
export function partsOf<Row>(rows: readonly Row[], sizeOf: (row: Row) => number, maxBytes: number): Row[][] {
  const parts: Row[][] = []
  let size = maxBytes
  for (const row of rows) {
    const own = sizeOf(row)
    if (size + own > maxBytes) {
      parts.push([])
      size = 0
    }
    parts.at(-1)?.push(row)
    size += own
  }
  return parts
}

/** The most bytes that a cell takes in JSON. */
export function sentSize(cell: unknown): number {
  if (typeof cell === 'string') return 4 * Math.ceil(Buffer.byteLength(cell) / 3) + 3
  return cell instanceof Uint8Array ? 4 * Math.ceil(cell.byteLength / 3) + 3 : 5
}

function isPlain(cell: Sent): boolean {
  return cell === null || (typeof cell === 'string' && PLAIN.test(cell))
}

function encode(cell: Sent): string | null {
  if (cell === null) return null
  if (typeof cell !== 'string') return Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength).toString('base64')
  if (!cell.isWellFormed()) throw new InvalidInputError('text must be well-formed Unicode')
  return Buffer.from(cell).toString('base64')
}
