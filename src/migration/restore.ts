import type { Settled } from '../records/row-batch.ts'
import type { UnknownRow } from '../records/row-identity.ts'
import type { Cell, RowChange, TableRow } from '../table.ts'
import type { MovingColumn } from './layout.ts'
import { readOld, writeOld } from './old-value.ts'
import type { MovingRows, PageResult } from './rows.ts'
import { isSame, type OldCell } from './typed-text.ts'

/** Which side of a row is right where they differ: `neither` sets the row aside. */
export type Right = 'old' | 'new' | 'neither'

interface Restoring {
  readonly row: TableRow
  readonly values: UnknownRow
  readonly cells: ReadonlyMap<MovingColumn, OldCell>
}

/**
 * Decrypts rows and writes their old columns where those hold another value. Both columns are written together, as an
 * application does that writes both: for the guard, what was decrypted is then as new as what it was written to.
 *
 * @param takesNulls whether a null that may be seen is written to the old column; not while an application may have changed that
 * @throws SystemicFailureError
 */
export async function restoreRows(
  moving: MovingRows,
  rows: readonly TableRow[],
  right: Right,
  takesNulls: boolean,
): Promise<PageResult> {
  const result: PageResult = { changes: [], failed: [] }
  const decrypted = await moving.decrypt(rows)
  const restoring: Restoring[] = []
  for (const [at, row] of rows.entries()) {
    const one = await restoreOne(moving, row, decrypted[at] as Settled<UnknownRow>, { right, takesNulls })
    if (one === 'failed') result.failed.push(row.key)
    else if (one !== undefined) restoring.push(one)
  }
  const encrypted = await moving.encrypt(restoring.map(({ row, values }) => [row, values]))
  for (const [at, one] of encrypted.entries()) {
    const { row, cells } = restoring[at] as Restoring
    if (one.status === 'rejected') result.failed.push(row.key)
    else result.changes.push(withOld(moving.change(row, one.value, [...cells.keys()]), cells))
  }
  return result
}

async function restoreOne(
  moving: MovingRows,
  row: TableRow,
  now: Settled<UnknownRow>,
  { right, takesNulls }: { right: Right; takesNulls: boolean },
): Promise<Restoring | 'failed' | undefined> {
  if (now.status === 'rejected') return right === 'old' ? undefined : 'failed'
  const cells = new Map<MovingColumn, OldCell>()
  const values: Record<string, unknown> = {}
  for (const column of moving.layout.columns) {
    const { field, old, fresh } = column
    const before = await readOld(column, row.values[old] as OldCell)
    const hasValue = row.values[fresh] !== null || (field.visibleNull && takesNulls)
    const value = hasValue ? now.value[field.name] : before
    values[field.name] = value
    if (!hasValue || (before !== undefined && isSame(field.type, before, value))) continue
    if (right === 'old') continue
    // Old values that do not open are never overwritten: they may be all that is left. Null is nothing to lose.
    if (right === 'neither' || (before === undefined && row.values[old] !== null)) return 'failed'
    const cell = await writeOld(column, value, moving.oldColumn(column))
    if (cell === undefined) return 'failed'
    cells.set(column, cell)
  }
  if (cells.size === 0) return undefined
  return Object.values(values).includes(undefined) ? 'failed' : { row, values, cells }
}

function withOld(change: RowChange, cells: ReadonlyMap<MovingColumn, OldCell>): RowChange {
  const set: Record<string, Cell> = { ...change.set }
  for (const [{ old }, cell] of cells) set[old] = cell
  return { ...change, set }
}
