import type { UnknownRow } from '../records/row-identity.ts'
import type { TableRow } from '../table.ts'
import { fillRows } from './fill.ts'
import { assertMostReadable, type MovingRows, type PageResult } from './rows.ts'

/**
 * Decrypts rows and compares them with their old columns: values and tags. Rows that were not filled yet, or that the guard
 * emptied, are filled; those that differ, or do not open, are the failed ones and are left as they are.
 *
 * After the switch the old columns fall behind, so that only what is encrypted is looked at: it must open, and have its tags.
 *
 * @throws SystemicFailureError
 */
export async function compareRows(moving: MovingRows, rows: readonly TableRow[]): Promise<PageResult> {
  const waiting = rows.filter((row) => moving.pending(row).length > 0)
  const result = await fillRows(moving, waiting, { of: rows.length })
  const settled = rows.filter((row) => !waiting.includes(row))
  const decrypted = await moving.decrypt(settled)
  const opened: [TableRow, UnknownRow][] = []
  for (const [at, row] of settled.entries()) {
    const now = decrypted[at]
    const isRight = now?.status === 'fulfilled' && (moving.layout.swapped || (await isOld(moving, row, now.value)))
    if (isRight) opened.push([row, fieldsOf(moving, now.value)])
    else result.failed.push(row.key)
  }
  if (!moving.layout.swapped) assertMostReadable(settled.length - opened.length, settled.length)
  if (moving.layout.indexes.length === 0) return result
  const encrypted = await moving.encrypt(opened)
  for (const [at, [row, values]] of opened.entries()) {
    const again = encrypted[at]
    if (again?.status !== 'fulfilled' || !moving.hasTags(row, values, again.value)) result.failed.push(row.key)
  }
  return result
}

async function isOld(moving: MovingRows, row: TableRow, now: UnknownRow): Promise<boolean> {
  const values = await moving.read(row)
  return values !== undefined && moving.isSame(values, now)
}

function fieldsOf({ layout }: MovingRows, row: UnknownRow): UnknownRow {
  return Object.fromEntries(layout.columns.map(({ field }) => [field.name, row[field.name]]))
}
