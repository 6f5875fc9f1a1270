import { Buffer } from 'node:buffer'
import { InvalidInputError } from '../errors.ts'
import { AAD_CONTEXT_AT, AAD_LABEL } from '../format/field.ts'

const MAX_CONTEXT = 8192
const MAX_VALUE_BYTES = 1024

// Authenticated, not secret: shared by all records of a thread, because nothing is awaited between filling and using it.
const aad = Buffer.alloc(AAD_CONTEXT_AT + MAX_CONTEXT)
AAD_LABEL.copy(aad)
const tail = Buffer.alloc(MAX_CONTEXT)

/**
 * Builds the authenticated data of one record's fields. All that does not change from row to row is encoded once; the
 * result is the same as `encodeContext` of app, column, row, table and tenant, which are in that order by name.
 */
export class RowContext {
  readonly #heads: readonly Buffer[]
  readonly #table: Buffer
  readonly #bound: boolean
  #tailLength = 0

  constructor(options: { app: string; table: string; columns: readonly string[]; bound: boolean; tenant: boolean }) {
    const { app, table, columns, bound, tenant } = options
    const count = 3 + Number(bound) + Number(tenant)
    this.#heads = columns.map((column) =>
      Buffer.concat([u16(count), pair('app', app), pair('column', column), bound ? prefixed('row') : EMPTY]),
    )
    this.#table = Buffer.concat([pair('table', table), tenant ? prefixed('tenant') : EMPTY])
    this.#bound = bound
  }

  /** Sets the row that `of` speaks of until the next call. `row` is for bound records only. @throws InvalidInputError on long values */
  begin(row: string | undefined, tenant: string | undefined): void {
    let at = 0
    if (this.#bound) at = writeValue(row as string, at)
    at += this.#table.copy(tail, at)
    if (tenant !== undefined) at = writeValue(tenant, at)
    this.#tailLength = at
  }

  /** The authenticated data of one column in that row, with a gap for the key's header; valid until the next call. */
  of(column: number): Buffer {
    const head = this.#heads[column] as Buffer
    const end = AAD_CONTEXT_AT + head.copy(aad, AAD_CONTEXT_AT)
    return aad.subarray(0, end + tail.copy(aad, end, 0, this.#tailLength))
  }
}

const EMPTY = Buffer.alloc(0)

function writeValue(value: string, at: number): number {
  // Four bytes of room beyond the limit: write() stops at whole characters, and must not stop at the limit by chance.
  const length = tail.write(value, at + 2, MAX_VALUE_BYTES + 4, 'utf8')
  if (length > MAX_VALUE_BYTES) {
    throw new InvalidInputError(`an id or tenant must be at most ${MAX_VALUE_BYTES} bytes`)
  }
  tail.writeUInt16BE(length, at)
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
