import { SystemicFailureError } from '../errors.ts'
import { tagVersion } from '../records/record-index.ts'
import type { Settled } from '../records/row-batch.ts'
import type { UnknownRow } from '../records/row-identity.ts'
import type { RowKey } from '../row-key.ts'
import type { Cell, RowChange, TableColumn, TableDescription, TableRow } from '../table.ts'
import { findColumn, type Layout, type MovingColumn } from './layout.ts'
import { readOld } from './old-value.ts'
import { isSame, type OldCell } from './typed-text.ts'

/** The part of a record's cipher that is used: `room.records.customers`. */
export interface RowCipher {
  encryptSettled(rows: readonly never[]): Promise<readonly Settled<object>[]>
  decryptSettled(rows: readonly never[]): Promise<readonly Settled<object>[]>
}

/** A page's worth of work, as the passes of a job take it. */
export interface PageResult {
  readonly changes: RowChange[]
  readonly failed: RowKey[]
}

/** The rows of a table on its way, seen from both sides. */
export class MovingRows {
  readonly layout: Layout
  /** Columns to read as they are, and those to read as the database's own text. */
  readonly columns: readonly string[]
  readonly texts: readonly string[]
  readonly #cipher: RowCipher
  readonly #olds: ReadonlyMap<string, TableColumn>

  constructor(cipher: RowCipher, layout: Layout, description: TableDescription) {
    this.layout = layout
    this.#cipher = cipher
    const olds = layout.columns.map(({ old }) => findColumn(description, old)).filter((column) => column !== undefined)
    this.#olds = new Map(olds.map((column) => [column.name, column]))
    this.texts = olds.filter(({ holds }) => holds !== 'bytes').map(({ name }) => name)
    this.columns = [
      ...layout.identity,
      ...olds.filter(({ holds }) => holds === 'bytes').map(({ name }) => name),
      ...layout.columns.map(({ fresh }) => fresh),
      ...layout.indexes.map(({ column }) => column),
    ]
  }

  /** The old column of a field, as the database declares it. */
  oldColumn({ old }: MovingColumn): TableColumn {
    return this.#olds.get(old) as TableColumn
  }

  /**
   * The fields whose encrypted column does not hold their value: it was never filled, or the guard emptied it. A null that
   * may be seen is a value like any other once the application writes the encrypted column alone.
   */
  pending({ values }: TableRow): MovingColumn[] {
    return this.layout.columns.filter(({ field, old, fresh }) => {
      return values[fresh] === null && !(field.visibleNull && (this.layout.swapped || values[old] === null))
    })
  }

  /** The values of the old columns; undefined where one of them has none. */
  async read(row: TableRow): Promise<Record<string, unknown> | undefined> {
    const out: Record<string, unknown> = {}
    for (const moving of this.layout.columns) {
      const value = await readOld(moving, row.values[moving.old] as OldCell)
      if (value === undefined) return undefined
      out[moving.field.name] = value
    }
    return out
  }

  /** The values of the encrypted columns that are filled, each row with its own result. @throws SystemicFailureError */
  decrypt(rows: readonly TableRow[]): Promise<Settled<UnknownRow>[]> {
    const stored = rows.map((row) => {
      const filled = this.layout.columns.filter(({ field, fresh }) => row.values[fresh] !== null || field.visibleNull)
      return {
        ...this.#identity(row),
        ...Object.fromEntries(filled.map(({ field, fresh }) => [field.name, row.values[fresh]])),
      }
    })
    return this.#cipher.decryptSettled(stored as never[]) as Promise<Settled<UnknownRow>[]>
  }

  /** Rows with these values as they are stored. @throws SystemicFailureError */
  encrypt(rows: readonly (readonly [row: TableRow, values: UnknownRow])[]): Promise<Settled<UnknownRow>[]> {
    const plain = rows.map(([row, values]) => ({ ...this.#identity(row), ...values }))
    return this.#cipher.encryptSettled(plain as never[]) as Promise<Settled<UnknownRow>[]>
  }

  /** Writes these fields of an encrypted row, and their tags, while both sides hold what was read. */
  change(row: TableRow, encrypted: UnknownRow, fields: readonly MovingColumn[]): RowChange {
    const set: Record<string, Cell> = {}
    const expected: Record<string, Cell> = {}
    for (const { field, fresh } of fields) {
      set[fresh] = encrypted[field.name]
      expected[fresh] = row.values[fresh]
    }
    for (const { column, parts } of this.layout.indexes) {
      if (parts.some((part) => fields.some(({ field }) => field.name === part.field))) set[column] = encrypted[column]
    }
    return { key: row.key, ...this.#expectOld(row, expected), set }
  }

  /** Whether the tags of a row are those of its values, so far as they were made under the index key that writes now. */
  hasTags(row: TableRow, values: UnknownRow, encrypted: UnknownRow): boolean {
    return this.layout.indexes.every(({ column, parts, nullTag }) => {
      const tag = row.values[column]
      const version = tagVersion(tag)
      const isNull = parts.some(({ field }) => values[field] === null)
      if (isNull) return nullTag ? version !== undefined : tag === null
      if (version === undefined) return false
      const wanted = encrypted[column]
      return tagVersion(wanted) !== version || same(wanted, tag)
    })
  }

  /** Whether two sides of a row hold the same values, in the fields that both have. */
  isSame(a: UnknownRow, b: UnknownRow): boolean {
    return this.layout.columns.every(({ field: { name, type } }) => {
      return !Object.hasOwn(a, name) || !Object.hasOwn(b, name) || isSame(type, a[name], b[name])
    })
  }

  #expectOld({ values }: TableRow, expected: Record<string, Cell>) {
    const expectedTexts: Record<string, OldCell> = {}
    for (const { name, holds } of this.#olds.values()) {
      if (holds === 'bytes') expected[name] = values[name]
      else expectedTexts[name] = values[name] as OldCell
    }
    return { expected, expectedTexts }
  }

  #identity({ values }: TableRow): UnknownRow {
    return Object.fromEntries(this.layout.identity.map((column) => [column, values[column]]))
  }
}

const FEWEST_FOR_SYSTEMIC = 4

/** @throws SystemicFailureError when most rows of a page are not as their old columns say: then the cause is not the rows */
export function assertMostReadable(failed: number, total: number): void {
  if (total < FEWEST_FOR_SYSTEMIC || failed * 2 <= total) return
  throw new SystemicFailureError(
    failed,
    total,
    'have no value in their old columns, or another one: check `format`, its keys and `read`',
  )
}

function same(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  return a === b
}
