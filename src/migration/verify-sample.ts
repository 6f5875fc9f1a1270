import { assertSignal, assertWhole } from '../bytes.ts'
import type { RowKey } from '../row-key.ts'
import { compareRows } from './compare.ts'
import { layoutOf } from './layout.ts'
import { assertAllowed } from './phase.ts'
import { MovingRows } from './rows.ts'
import { assertParts, type MigrationParts } from './run-step.ts'
import { looksSwitched, migrationState } from './state.ts'

/** What a part of the rows says. It proves nothing of the others: a switch compares every row. */
export interface VerifiedSample {
  /** Rows that were looked at. */
  readonly rows: number
  /** Rows that wait to be filled: never filled, or changed since. */
  readonly waiting: number
  /** Rows that are not right. */
  readonly failed: number
  readonly aside: readonly RowKey[]
}

const PAGE = 100

/**
 * Compares some rows, in pages spread evenly over the table. Nothing is written and nothing is recorded.
 *
 * @param wanted rows to look at, about
 * @param signal stops between two pages
 * @throws MigrationStateError before the columns are there; InvalidInputError, TableError, SystemicFailureError, the signal's reason
 */
export async function verifySample(
  parts: MigrationParts,
  wanted: number,
  signal?: AbortSignal,
): Promise<VerifiedSample> {
  assertParts(parts)
  assertWhole(wanted, 'rows', 1, Number.MAX_SAFE_INTEGER)
  assertSignal(signal)
  const { cipher, table, migration } = parts
  const state = await migrationState(table, migration.record.name)
  if (!['backfill', 'index', 'switch', 'catch-up', 'rollback', 'follow', 'rolled-back'].includes(state.phase))
    assertAllowed('verify', state.phase, state.record)
  const described = await table.describe()
  const moving = new MovingRows(cipher, layoutOf(migration, looksSwitched(migration, described, state)), described)
  const { columns, texts } = moving
  const starts = [undefined, ...(await table.splits(Math.min(10_000, Math.max(1, Math.round(wanted / PAGE)))))]
  let [rows, waiting] = [0, 0]
  const aside: RowKey[] = []
  for (const after of starts) {
    signal?.throwIfAborted()
    const page = await table.page({ columns, texts, limit: Math.min(PAGE, wanted), ...(after && { after }) })
    const { changes, failed } = await compareRows(moving, page)
    rows += page.length
    waiting += changes.length
    aside.push(...failed)
  }
  return { rows, waiting, failed: aside.length, aside }
}
