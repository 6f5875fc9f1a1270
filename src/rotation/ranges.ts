import { JobBusyError } from '../errors.ts'
import type { Job, JobStart } from '../job.ts'
import type { Table } from '../table.ts'

/** Ranges that one table can be split into: all of their jobs fit into one list. */
export const MAX_RANGES = 256

/** Jobs to look through: the ranges of a table, and what was done before. */
const MAX_JOBS = 1000

type Which = Omit<JobStart, 'from' | 'until'>

/** The ranges of a table that an earlier run has begun and not finished. */
export async function unfinishedRanges(table: Table, { kind, record, staleMs }: Which): Promise<Job[]> {
  const jobs = await table.jobs.list({ record, limit: MAX_JOBS, staleMs })
  return jobs.filter((job) => job.kind === kind && job.state !== 'done' && !(job.from === null && job.until === null))
}

/** The jobs of these ids as they stand. */
export async function readRanges(table: Table, { record, staleMs }: Which, ids: readonly string[]): Promise<Job[]> {
  const jobs = await table.jobs.list({ record, limit: MAX_JOBS, staleMs })
  return jobs.filter(({ id }) => ids.includes(id))
}

/**
 * Splits a table into ranges of about equal size, each with a job that waits for a worker; or finds those that an earlier
 * run has not finished. Together they cover the whole table, unless this process died while it made them: so the table
 * is passed over once more as a whole when they are done.
 *
 * @returns the jobs; none for a table that is too small to be split
 * @throws JobBusyError when the table as a whole is being worked on
 */
export async function planRanges(table: Table, which: Which, parts: number): Promise<Job[]> {
  await table.jobs.create()
  const left = await unfinishedRanges(table, which)
  if (left.length > 0) return Promise.all(left.map((job) => forgetError(table, which, job)))
  const ends = await table.splits(parts)
  const made: Job[] = []
  for (let at = 0; at <= ends.length && ends.length > 0; at++) {
    made.push(await wait(table, { ...which, from: ends[at - 1] ?? null, until: ends[at] ?? null }))
  }
  return made
}

/** Whoever starts a job again has looked at why it failed: workers may go on with it. */
async function forgetError(table: Table, which: Which, job: Job): Promise<Job> {
  if (job.progress.error === undefined) return job
  return wait(table, { ...which, from: job.from, until: job.until }).catch((error) => {
    if (error instanceof JobBusyError) return job // a worker has it
    throw error
  })
}

async function wait(table: Table, start: JobStart): Promise<Job> {
  const job = await table.jobs.start(start)
  const { error: _, ...progress } = job.progress
  await table.jobs.write({ id: job.id, token: job.token, state: 'stopped', progress })
  return { ...job, state: 'stopped', progress }
}
