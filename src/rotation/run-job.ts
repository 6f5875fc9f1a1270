import { assertCallback } from '../bytes.ts'
import { InvalidInputError, StrongroomError } from '../errors.ts'
import type { Job, JobCounts, JobKind, JobProgress } from '../job.ts'
import type { RowKey } from '../row-key.ts'
import type { RowChange, Table, TableRow } from '../table.ts'
import { held, Passes, type PassSettings } from './passes.ts'
import { Throttle, type ThrottleOptions } from './throttle.ts'

/** How a job runs, whatever it does. */
export interface JobOptions {
  /** Rows in a batch, and between two checkpoints; 500 by default, 1 to 10,000. */
  readonly batch?: number
  /** Ends the job after the batch in hand; it goes on where it stopped when it is started again. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: JobProgress) => void
  readonly throttle?: ThrottleOptions
  /** Counts what would be written, and writes nothing, not even progress. */
  readonly dryRun?: boolean
  /** ms of silence after which another process may take the job over; 60,000 by default, 1,000 at least. */
  readonly staleMs?: number
  /** Part of the table: behind this key. */
  readonly from?: RowKey
  /** Part of the table: up to and with this key. */
  readonly until?: RowKey
  /** Ends after one pass: for a range of a table that is passed over as a whole behind it. */
  readonly onePass?: boolean
}

/** What is to be done about a page of rows. */
export interface PageChanges {
  readonly changes: readonly RowChange[]
  /** The keys of the rows that could not be read. */
  readonly failed: readonly RowKey[]
}

/** What is done with every page of rows, pass after pass. */
export interface PassWork {
  readonly columns: readonly string[]
  readonly texts?: readonly string[]
  /** Called for one page after the other, while the changes of the page before may still be on their way. */
  readonly rows: (rows: readonly TableRow[]) => Promise<PageChanges>
  /** Whether a whole pass with these counts was the last; by default, when it wrote nothing and nothing changed meanwhile. */
  readonly isLast?: (pass: JobCounts) => boolean
}

/** What a job is, and what it does with a page of rows. */
export interface JobWork extends PassWork {
  readonly kind: JobKind
  readonly record: string
  readonly phase: string
}

/** How a job ended. */
export interface JobReport {
  /** Undefined for a dry run. */
  readonly id: string | undefined
  /** False when rows were still being changed under old keys after many passes: run it again. */
  readonly complete: boolean
  readonly counts: JobCounts
  readonly passes: number
  /** Keys of rows that could not be read and were left as they are, at most 1,000 of them. */
  readonly aside: readonly RowKey[]
}

const DEFAULT_BATCH = 500
const DEFAULT_STALE_MS = 60_000

/**
 * Runs a job over a table, from where it stopped when it ran before: pass after pass, until a whole pass finds nothing to
 * change. Each batch and its checkpoint are one transaction, so that a process killed at any moment loses nothing.
 *
 * @throws JobBusyError, JobLostError, TableError, SystemicFailureError; the signal's reason when it ends early
 */
export async function runJob(table: Table, work: JobWork, options: JobOptions = {}): Promise<JobReport> {
  const { staleMs } = settingsOf(table, options)
  options.signal?.throwIfAborted()
  if (!options.dryRun) await table.jobs.create()
  const job = options.dryRun
    ? undefined
    : await table.jobs.start({ ...work, from: options.from ?? null, until: options.until ?? null, staleMs })
  const { progress, complete } = await runPasses(table, work, job, options)
  if (job !== undefined) {
    // A job that gave up begins with the first row and the first pass when it is started again.
    const end = complete ? progress : { ...progress, after: null, pass: 1 }
    await table.jobs.write({ ...held(job), state: complete ? 'done' : 'stopped', progress: end })
  }
  return { id: job?.id, complete, counts: progress.counts, passes: progress.pass, aside: progress.aside }
}

/**
 * The passes of a job that is held, from where it stopped; without a job, one pass that writes nothing. When it fails the
 * job is written as stopped or failed; when it comes to its end the job is left running.
 *
 * @throws as `runJob`
 */
export async function runPasses(
  table: Table,
  work: PassWork,
  job: Job | undefined,
  options: JobOptions = {},
): Promise<{ progress: JobProgress; complete: boolean }> {
  const run = new Passes(table, work, job, settingsOf(table, options))
  try {
    const progress = await run.run()
    return { progress, complete: run.complete }
  } catch (error) {
    if (job !== undefined) {
      const state = options.signal?.aborted ? 'stopped' : 'failed'
      // The batch in hand was not written: what is kept is the progress of the one before.
      const progress = { ...run.progress, ...(!options.signal?.aborted && { error: codeOf(error) }) }
      await table.jobs.write({ ...held(job), state, progress }).catch(() => undefined)
    }
    throw error
  }
}

function settingsOf(table: Table, options: JobOptions): PassSettings {
  const { batch = DEFAULT_BATCH, staleMs = DEFAULT_STALE_MS } = options
  assertWhole('batch', batch, 1, 10_000)
  assertWhole('staleMs', staleMs, 1_000, 86_400_000)
  assertCallback(options.onProgress, 'onProgress')
  return { ...options, batch, staleMs, throttle: new Throttle(table, options.throttle) }
}

function codeOf(error: unknown): string {
  return error instanceof StrongroomError || error instanceof InvalidInputError ? error.code : 'ERR_UNKNOWN'
}

function assertWhole(name: string, value: number, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new InvalidInputError(`${name} must be a whole number from ${least} to ${most}`)
  }
}
