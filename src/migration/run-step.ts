import { assertCallback, assertMethods, assertObject, assertSignal } from '../bytes.ts'
import { type JobCounts, type JobProgress, NO_COUNTS } from '../job.ts'
import type { JobOptions } from '../rotation/job-options.ts'
import type { RowKey } from '../row-key.ts'
import type { Table } from '../table.ts'
import { assertTable } from '../table-shape.ts'
import { assertMigration, type Migration } from './define-migration.ts'
import { HeldJob } from './held-job.ts'
import { assertAllowed, findMigrationJobs, type MigrationPhase, type MigrationStep } from './phase.ts'
import type { RowCipher } from './rows.ts'

/** What a migration works with. */
export interface MigrationParts {
  /** Of the record, `room.records.customers`. */
  readonly cipher: RowCipher
  readonly table: Table
  readonly migration: Migration
}

/** Refuses what is no cipher, no table or no migration. @throws InvalidInputError */
export function assertParts(parts: MigrationParts): void {
  assertObject(parts, 'the parts of a migration')
  assertTable(parts.table)
  assertMethods(parts.cipher, ['decryptSettled', 'encryptSettled'], 'cipher')
  assertMigration(parts.migration)
}

/** How a step runs. */
export interface MigrationOptions extends Omit<JobOptions, 'from' | 'until' | 'dryRun'> {
  /** Told each phase that the step goes on to. */
  readonly onPhase?: (phase: MigrationPhase) => void
  /** Which side is right where both hold a value and they differ. Such rows are set aside by default. */
  readonly prefer?: 'old' | 'new'
}

/** How a step ended. */
export interface MigrationReport {
  /** Of the job, a UUID. */
  readonly id: string
  readonly phase: MigrationPhase
  /** Whether the step came to its end; otherwise run it again, after what is told of rows set aside. */
  readonly complete: boolean
  /** Of the last phase that looked at rows. */
  readonly counts: JobCounts
  /** Keys of rows that were set aside and left as they are, at most 1,000 of them. */
  readonly aside: readonly RowKey[]
}

/** The end of a step, without what every step has. */
export interface StepEnd {
  readonly complete: boolean
  readonly progress?: JobProgress
}

const STALE_MS = 60_000

/** Holds the job of a migration for one step. @throws MigrationStateError, JobBusyError, and what the step throws */
export async function runStep(
  step: MigrationStep,
  parts: MigrationParts,
  options: MigrationOptions,
  work: (held: HeldJob) => Promise<StepEnd>,
): Promise<MigrationReport> {
  assertParts(parts)
  assertObject(options, 'the options')
  assertSignal(options.signal)
  assertCallback(options.onPhase, 'onPhase')
  assertCallback(options.onProgress, 'onProgress')
  const { table, migration } = parts
  const { staleMs = STALE_MS, signal } = options
  const record = migration.record.name
  signal?.throwIfAborted()
  const { now, done: last } = await findMigrationJobs(table, record, staleMs)
  const phase = (now?.phase ?? 'none') as MigrationPhase | 'none'
  // One that is done is begun anew: forward when it was undone, and back when it was cleaned.
  const isAnew = (phase === 'undone' && step === 'run') || (phase === 'cleaned' && step === 'rollback')
  if (!isAnew) assertAllowed(step, phase, record)
  await table.jobs.create()
  const first: MigrationPhase = step === 'rollback' ? 'recreate' : 'add'
  const job = await table.jobs.start({ kind: 'migrate', record, phase: first, staleMs })
  // A rollback of what was cleaned remembers what the job before it knew of the table.
  const kept = job.progress.kept ?? (job.phase === 'recreate' ? last?.progress.kept : undefined)
  const held = new HeldJob(table, { ...job, progress: { ...job.progress, ...(kept && { kept }) } }, options)
  try {
    // Another process may have gone on with it in the meantime.
    assertAllowed(step, held.phase, record)
    const { complete, progress } = await work(held)
    await held.end('stopped')
    const { counts = NO_COUNTS, aside = [] } = progress ?? {}
    return { id: held.id, phase: held.phase, complete, counts, aside }
  } catch (error) {
    const isStopped = signal?.aborted || (error as { code?: unknown }).code === 'ERR_MIGRATION_STATE'
    await held.end(isStopped ? 'stopped' : 'failed').catch(() => undefined)
    throw error
  }
}
