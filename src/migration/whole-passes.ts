import type { PassWork } from '../rotation/passes.ts'
import { compareRows } from './compare.ts'
import type { HeldJob } from './held-job.ts'
import { type Layout, layoutOf } from './layout.ts'
import { MovingRows } from './rows.ts'
import type { MigrationParts, StepEnd } from './run-step.ts'

/** Compares every row with its old columns, before they are given up. Rows that differ or do not open are set aside. */
export async function compare(parts: MigrationParts, held: HeldJob, isSwitching = false): Promise<StepEnd> {
  const moving = await movingRows(parts, layoutOf(parts.migration, false))
  // A null that may be seen is not told from one that the guard made, once the encrypted columns count: none may be waiting.
  const isStrict = isSwitching && moving.layout.columns.some(({ field }) => field.visibleNull)
  const { complete, progress } = await held.passes({
    ...pages(moving, (rows) => compareRows(moving, rows)),
    ...(isStrict ? {} : { isLast: onePass }),
  })
  return { complete: complete && progress.counts.failed === 0, progress }
}

/** Opens every row behind a switch, when the old columns have fallen behind. */
export async function checkAfterSwitch(parts: MigrationParts, held: HeldJob): Promise<StepEnd> {
  const moving = await movingRows(parts, layoutOf(parts.migration, true))
  const { complete, progress } = await held.passes(pages(moving, (rows) => compareRows(moving, rows)))
  return { complete: complete && progress.counts.failed === 0, progress }
}

/** The rows of a table as they are now. */
export async function movingRows({ cipher, table }: MigrationParts, layout: Layout): Promise<MovingRows> {
  return new MovingRows(cipher, layout, await table.describe())
}

/** A pass over rows that reads what moving them takes. */
export function pages({ columns, texts }: Pick<MovingRows, 'columns' | 'texts'>, rows: PassWork['rows']): PassWork {
  return { columns, texts, rows }
}

/**
 * One whole pass is enough where what applications write meanwhile is seen later: the guard empties what they make stale, and
 * the steps that come before something is given up want a pass that finds nothing.
 */
export function onePass(): boolean {
  return true
}
