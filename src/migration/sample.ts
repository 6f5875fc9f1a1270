import { assertCallback, assertObject, assertSignal, assertWhole } from '../bytes.ts'
import { randomBytes } from '../crypto/random.ts'
import { Xaes256Gcm } from '../crypto/xaes.ts'
import { FIELD_OVERHEAD, TEXT_PREFIX_BYTES } from '../format/field.ts'
import { encodeTypedPlaintext } from '../format/typed-value.ts'
import type { RowKey } from '../row-key.ts'
import type { Table, TableDescription } from '../table.ts'
import { findColumn, type Layout, tagWidth } from './layout.ts'
import { readOld } from './old-value.ts'
import type { OldCell } from './typed-text.ts'

/** What the rows that were looked at say of all of them. */
export interface SampleReport {
  /** Rows that were looked at. */
  readonly rows: number
  /** Whether these are all rows. */
  readonly all: boolean
  /** Rows that have no value in one of the old columns, and will be set aside. */
  readonly unreadable: number
  /** Keys of those rows, at most 1,000 of them. */
  readonly aside: readonly RowKey[]
  /** Bytes that the encrypted columns add to a row, on average. */
  readonly bytesPerRow: number
  /** ms that it took to read, convert and encrypt a row, on average; under a key that is thrown away. */
  readonly msPerRow: number
}

/** How far to look. */
export interface SampleOptions {
  /** Rows to look at, from the first on; all of them when left out. */
  readonly rows?: number
  /** Rows in a page; 500 by default. */
  readonly batch?: number
  /** Stops between two pages. */
  readonly signal?: AbortSignal
  /** Told the rows looked at so far, after each page. */
  readonly onRows?: (rows: number) => void
}

const MAX_ASIDE = 1000

/** Refuses options of another kind. @throws InvalidInputError */
export function assertSampleOptions(options: SampleOptions): void {
  assertObject(options, 'the options')
  if (options.rows !== undefined) assertWhole(options.rows, 'rows', 0, Number.MAX_SAFE_INTEGER)
  if (options.batch !== undefined) assertWhole(options.batch, 'batch', 1, 10_000)
  assertSignal(options.signal)
  assertCallback(options.onRows, 'onRows')
}

/** Reads rows of a table that is to be migrated, and encrypts their values into the void. Needs no key, and changes nothing. */
export async function sampleRows(
  table: Table,
  layout: Layout,
  described: TableDescription,
  options: SampleOptions = {},
): Promise<SampleReport> {
  const { rows: wanted = Number.POSITIVE_INFINITY, batch = 500, signal, onRows } = options
  const cipher = new Xaes256Gcm(randomBytes(32))
  const isBytes = (name: string) => findColumn(described, name)?.holds === 'bytes'
  const olds = layout.columns.map(({ old }) => old)
  const query = { columns: olds.filter(isBytes), texts: olds.filter((old) => !isBytes(old)) }
  const aside: RowKey[] = []
  let [rows, unreadable, bytes, after, isEnd] = [0, 0, 0, undefined as RowKey | undefined, false]
  const began = performance.now()
  while (rows < wanted && !isEnd) {
    signal?.throwIfAborted()
    const limit = Math.min(batch, wanted - rows)
    const page = await table.page({ ...query, limit, ...(after && { after }) })
    for (const { key, values } of page) {
      const sizes = await Promise.all(
        layout.columns.map((column) => sizeOf(cipher, column, values[column.old] as OldCell)),
      )
      if (sizes.includes(undefined)) {
        unreadable++
        if (aside.length < MAX_ASIDE) aside.push(key)
      } else bytes += sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
    }
    rows += page.length
    after = page.at(-1)?.key
    isEnd = page.length < limit
    onRows?.(rows)
  }
  const tags = layout.indexes.reduce((sum, index) => sum + tagWidth(index), 0)
  cipher.wipe()
  return {
    rows,
    all: isEnd,
    unreadable,
    aside,
    bytesPerRow: rows === unreadable ? 0 : Math.round(bytes / (rows - unreadable)) + tags,
    msPerRow: rows === 0 ? 0 : (performance.now() - began) / rows,
  }
}

async function sizeOf(
  cipher: Xaes256Gcm,
  moving: Layout['columns'][number],
  cell: OldCell,
): Promise<number | undefined> {
  const { field } = moving
  const value = await readOld(moving, cell)
  if (value === undefined) return undefined
  if (value === null && field.visibleNull) return 0
  const plaintext = encodeTypedPlaintext(value, field.type, field.padding)
  const out = Buffer.allocUnsafe(plaintext.byteLength + FIELD_OVERHEAD)
  cipher.sealInto(out, 0, plaintext, AAD)
  plaintext.fill(0)
  return field.binary ? out.byteLength : Math.ceil(((TEXT_PREFIX_BYTES.byteLength + out.byteLength) * 4) / 3)
}

const AAD = Buffer.alloc(100)
