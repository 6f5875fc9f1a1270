import type { UnknownRow } from '../records/row-identity.ts'
import type { TableRow } from '../table.ts'
import type { MovingColumn } from './layout.ts'
import { assertMostReadable, type MovingRows, type PageResult } from './rows.ts'

interface Filling {
  readonly row: TableRow
  readonly values: UnknownRow
  readonly fields: readonly MovingColumn[]
}

/**
 * Fills the encrypted columns that do not hold a value from the old ones. What an encrypted column holds is left alone,
 * unless the old column is preferred: then it is compared, and written anew where it differs.
 *
 * @param of rows of the page that these are part of: most of them must be readable
 * @throws SystemicFailureError
 */
export async function fillRows(
  moving: MovingRows,
  rows: readonly TableRow[],
  { preferOld = false, of = rows.length }: { readonly preferOld?: boolean; readonly of?: number } = {},
): Promise<PageResult> {
  const result: PageResult = { changes: [], failed: [] }
  const filling: Filling[] = []
  const filled = preferOld ? await moving.decrypt(rows) : []
  for (const [at, row] of rows.entries()) {
    const pending = moving.pending(row)
    if (pending.length === 0 && !preferOld) continue
    const values = await moving.read(row)
    if (values === undefined) {
      result.failed.push(row.key)
      continue
    }
    const now = filled[at]
    const differs = now !== undefined && (now.status === 'rejected' || !moving.isSame(values, now.value))
    const fields = (differs ? moving.layout.columns : pending).filter(({ field, fresh }) => {
      return !(field.visibleNull && values[field.name] === null && row.values[fresh] === null)
    })
    if (fields.length > 0) filling.push({ row, values, fields })
  }
  assertMostReadable(result.failed.length, of)
  const encrypted = await moving.encrypt(filling.map(({ row, values }) => [row, values]))
  for (const [at, one] of encrypted.entries()) {
    const { row, fields } = filling[at] as Filling
    if (one.status === 'rejected') result.failed.push(row.key)
    else result.changes.push(moving.change(row, one.value, fields))
  }
  return result
}
