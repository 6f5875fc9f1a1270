import { JobBusyError } from '../errors.ts'
import type { Job, JobKind, JobProgress, JobStart, JobState } from '../job.ts'
import type { RowKey } from '../row-key.ts'

/** The most jobs that one list gives. */
export const MAX_JOBS = 1000

/** The job in a row, whose keys and progress are JSON, and whose times are ISO 8601 in UTC. */
export function parseJob(row: Readonly<Record<string, unknown>>): Job {
  return {
    id: String(row.id),
    kind: row.kind as JobKind,
    record: String(row.record),
    from: JSON.parse(String(row.from_key)) as RowKey | null,
    until: JSON.parse(String(row.until_key)) as RowKey | null,
    state: row.state as JobState,
    phase: String(row.phase),
    progress: JSON.parse(String(row.progress)) as JobProgress,
    token: Number(row.token),
    startedAt: String(row.started_at),
    seenAt: String(row.seen_at),
    endedAt: row.ended_at === null ? null : String(row.ended_at),
    abandoned: row.abandoned === true,
  }
}

/**
 * Which of the unfinished jobs of a record is the one to go on with, or undefined for a new one. To be called where no
 * other process can begin a job of the record.
 *
 * @throws JobBusyError
 */
export function unfinishedJob(
  unfinished: readonly Job[],
  { kind, from = null, until = null }: JobStart,
): Job | undefined {
  const range = JSON.stringify([from, until])
  const own = unfinished.find((job) => job.kind === kind && JSON.stringify([job.from, job.until]) === range)
  const blocking = unfinished.find((job) => job.id !== own?.id && (job.kind !== kind || overlaps(job, from, until)))
  if (blocking !== undefined) throw busy(blocking)
  if (own?.state === 'running' && !own.abandoned) throw busy(own)
  return own
}

/** Ranges of one table are made by `splits`, so that two of them are the same, or whole tables, or lie side by side. */
function overlaps(job: Job, from: RowKey | null, until: RowKey | null): boolean {
  const isWhole = (a: RowKey | null, b: RowKey | null) => a === null && b === null
  return isWhole(job.from, job.until) || isWhole(from, until)
}

function busy(job: Job): JobBusyError {
  const doing =
    job.state === 'running' && !job.abandoned ? 'is running' : 'is not finished: start it again to finish it'
  return new JobBusyError(`job ${job.id} (${job.kind}) of ${job.record} ${doing}`)
}
