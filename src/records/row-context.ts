import { Buffer } from 'node:buffer'
import { Scratch } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import { AAD_LABEL, HEADER_LENGTH } from '../format/field.ts'

const MAX_VALUE_BYTES = 1024
/** A value, its length, and the names around it, which are at most 64 characters. */
const MAX_PART = MAX_VALUE_BYTES + 256

/** The authenticated data of one column: everything up to the row id never changes, what follows is copied in. */
interface ColumnContext {
  readonly bytes: Buffer
  /** Where the row id begins. */
  readonly end: number
  /** `bytes` up to the end of the last row, kept because rows mostly have ids of one length. */
  view: Buffer
}

/**
 * Builds the authenticated data of one record's fields. All that does not change from row to row is encoded once; the
 * result is the same as `encodeContext` of app, column, row, table and tenant, which are in that order by name.
 * Nothing here is secret.
 */
export class RowContext {
  readonly #columns: readonly ColumnContext[]
  readonly #table: Buffer
  readonly #bound: boolean
  readonly #row = new Scratch(Buffer.alloc(MAX_PART))
  #rowLength = 0
  /** Table and tenant, which mostly stay the same from row to row. */
  readonly #suffix = new Scratch(Buffer.alloc(MAX_PART))
  #suffixLength = 0
  #tenant: string | undefined

  constructor(options: { app: string; table: string; columns: readonly string[]; bound: boolean; tenant: boolean }) {
    const { app, table, columns, bound, tenant } = options
    const count = 3 + Number(bound) + Number(tenant)
    this.#columns = columns.map((column) => {
      const head = [u16(count), pair('app', app), pair('column', column), bound ? prefixed('row') : EMPTY]
      const start = Buffer.concat([AAD_LABEL, Buffer.alloc(HEADER_LENGTH), ...head])
      const bytes = Buffer.concat([start, Buffer.alloc(2 * MAX_PART)])
      return { bytes, end: start.byteLength, view: bytes }
    })
    this.#table = Buffer.concat([pair('table', table), tenant ? prefixed('tenant') : EMPTY])
    this.#suffixLength = this.#table.copy(this.#suffix.bytes)
    this.#bound = bound
  }

  /** Sets the row that `of` speaks of until the next call. `row` is for bound records only. @throws InvalidInputError on long values */
  begin(row: string | undefined, tenant: string | undefined): void {
    this.#rowLength = this.#bound ? writeValue(this.#row.bytes, 0, row as string) : 0
    if (tenant === undefined || tenant === this.#tenant) return
    this.#tenant = undefined // stays so when the next line throws
    this.#suffixLength = writeValue(this.#suffix.bytes, this.#table.byteLength, tenant)
    this.#tenant = tenant
  }

  /** The authenticated data of one column in that row, with a gap for the key's header; valid until the next call. */
  of(at: number): Buffer {
    const column = this.#columns[at] as ColumnContext
    const { bytes, end } = column
    const suffixAt = end + this.#rowLength
    bytes.set(this.#row.view(this.#rowLength), end)
    bytes.set(this.#suffix.view(this.#suffixLength), suffixAt)
    const length = suffixAt + this.#suffixLength
    if (column.view.byteLength !== length) column.view = bytes.subarray(0, length)
    return column.view
  }
}

const EMPTY = Buffer.alloc(0)

/** Writes length and value. @returns the offset behind them */
function writeValue(out: Buffer, at: number, value: string): number {
  // Four bytes of room beyond the limit: write() stops at whole characters, and must not stop at the limit by chance.
  const length = out.write(value, at + 2, MAX_VALUE_BYTES + 4, 'utf8')
  if (length > MAX_VALUE_BYTES) {
    throw new InvalidInputError(`an id or tenant must be at most ${MAX_VALUE_BYTES} bytes`)
  }
  out[at] = length >> 8
  out[at + 1] = length & 0xff
  return at + 2 + length
}

function pair(name: string, value: string): Buffer {
  return Buffer.concat([prefixed(name), prefixed(value)])
}

function prefixed(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  return Buffer.concat([u16(bytes.byteLength), bytes])
}

function u16(value: number): Buffer {
  const out = Buffer.alloc(2)
  out.writeUInt16BE(value)
  return out
}
