import { InvalidInputError, StrongroomError } from '../errors.ts'
import type { Job, JobCounts, JobKind, JobProgress } from '../job.ts'
import type { RowKey } from '../row-key.ts'
import type { Table } from '../table.ts'
import { type JobOptions, jobSettings } from './job-options.ts'
import { held, Passes, type PassWork } from './passes.ts'

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

/**
 * Runs a job over a table, from where it stopped when it ran before: pass after pass, until a whole pass finds nothing to
 * change. Each batch and its checkpoint are one transaction, so that a process killed at any moment loses nothing.
 *
 * @throws JobBusyError, JobLostError, TableError, SystemicFailureError; the signal's reason when it ends early
 */
export async function runJob(table: Table, work: JobWork, options: JobOptions = {}): Promise<JobReport> {
  const { staleMs } = jobSettings(table, options)
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
  const run = new Passes(table, work, job, jobSettings(table, options))
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

function codeOf(error: unknown): string {
  return error instanceof StrongroomError || error instanceof InvalidInputError ? error.code : 'ERR_UNKNOWN'
}
