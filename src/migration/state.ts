import { assertText, assertWhole } from '../bytes.ts'
import { type JobCounts, NO_COUNTS } from '../job.ts'
import type { RowKey } from '../row-key.ts'
import type { Table, TableDescription } from '../table.ts'
import { assertTable } from '../table-shape.ts'
import type { Migration } from './define-migration.ts'
import { isSwapped } from './layout.ts'
import { findMigrationJobs, isSwitchedPhase, type MigrationPhase, NEXT } from './phase.ts'

/** Where the migration of a record stands. */
export interface MigrationState {
  readonly record: string
  readonly phase: MigrationPhase | 'none'
  /** What to do next. */
  readonly next: string
  /** Of its job; `none` before it began. */
  readonly state: 'none' | 'running' | 'abandoned' | 'stopped' | 'failed' | 'done'
  /** ISO 8601, UTC; when the job was last heard of. */
  readonly seenAt: string | null
  /** Of the phase it is in. */
  readonly counts: JobCounts
  readonly aside: readonly RowKey[]
}

const STALE_MS = 60_000

/**
 * Where a migration stands, from the job that its database keeps. Changes nothing.
 *
 * @param record the name of the record
 * @param staleMs ms of silence after which whoever held the job counts as dead; 60,000 by default, 1,000 to 86,400,000
 * @throws TableError, InvalidInputError
 */
export async function migrationState(
  table: Table,
  record: string,
  staleMs: number = STALE_MS,
): Promise<MigrationState> {
  assertTable(table)
  assertText(record, 'record')
  assertWhole(staleMs, 'staleMs', 1_000, 86_400_000)
  const { now } = await findMigrationJobs(table, record, staleMs)
  if (now === undefined) {
    return { record, phase: 'none', next: 'run begins', state: 'none', seenAt: null, counts: NO_COUNTS, aside: [] }
  }
  const phase = now.phase as MigrationPhase
  const { counts, aside } = now.progress
  return {
    record,
    phase,
    next: NEXT[phase],
    state: now.abandoned ? 'abandoned' : now.state,
    seenAt: now.seenAt,
    counts,
    aside,
  }
}

/** Whether the encrypted columns are the ones that count: by their names, or where those do not change, by the phase. */
export function looksSwitched(migration: Migration, described: TableDescription, { phase }: MigrationState): boolean {
  return isSwapped(migration, described) === true || (phase !== 'none' && isSwitchedPhase(phase))
}
