import type { RowKey } from './row-key.ts'

/** What a job does. */
export type JobKind = 'reencrypt' | 'migrate' | 'rollback'

/** Where a job stands. Only a `running` one has a holder; a `stopped` one is resumed by starting it again. */
export type JobState = 'running' | 'stopped' | 'failed' | 'done'

/** What a job has counted so far. */
export interface JobCounts {
  /** Rows looked at. */
  readonly rows: number
  /** Rows changed; with `dryRun`, rows that would be. */
  readonly written: number
  /** Rows that were changed by others in the meantime; they are looked at again. */
  readonly changed: number
  /** Rows that could not be decrypted and were left as they are. */
  readonly failed: number
}

/** How far a job has come. */
export interface JobProgress {
  /** The last key that is done; null at the beginning of a pass. */
  readonly after: RowKey | null
  /** 1, 2, 3, …: another pass follows while rows changed under the job. */
  readonly pass: number
  readonly counts: JobCounts
  /** Rows that were set aside, at most 1,000 of them. */
  readonly aside: readonly RowKey[]
  /** What the job must remember from one phase to the next. */
  readonly kept?: Readonly<Record<string, string>>
  /** The code of the error that ended it, while nobody has gone on with it. */
  readonly error?: string
}

/** A job as its database keeps it. */
export interface Job {
  /** A UUID. */
  readonly id: string
  readonly kind: JobKind
  /** The record that it works on. */
  readonly record: string
  /** Part of the table that it works on: behind `from`, up to and with `until`; null where there is no end. */
  readonly from: RowKey | null
  readonly until: RowKey | null
  readonly state: JobState
  /** The step in hand, of a job with several; each kind of job has names of its own. */
  readonly phase: string
  readonly progress: JobProgress
  /** Grows with every holder: what an old one writes is refused. */
  readonly token: number
  /** ISO 8601, UTC, by the clock of the database. */
  readonly startedAt: string
  /** When its holder was last heard of; as `startedAt`. */
  readonly seenAt: string
  /** When it was done or failed; null before. */
  readonly endedAt: string | null
  /** Whether its holder has been silent for longer than it may be. */
  readonly abandoned: boolean
}

/** Progress to write, by whoever holds the job. */
export interface JobWrite {
  readonly id: string
  readonly token: number
  readonly state?: JobState
  readonly phase?: string
  readonly progress: JobProgress
}

/** Which job to begin or to go on with. */
export interface JobStart {
  readonly kind: JobKind
  readonly record: string
  readonly phase: string
  readonly from?: RowKey | null
  readonly until?: RowKey | null
  /** ms of silence after which a holder counts as dead. */
  readonly staleMs: number
}

/** Keeps jobs in the database of their table, so that a batch and its checkpoint are one transaction. */
export interface JobStore {
  /** The SQL that makes the table of jobs, for whoever may create tables. */
  sql(): string
  /** Makes the table of jobs where it does not exist. @throws TableError */
  create(): Promise<void>
  /**
   * Begins a job, or takes over the unfinished one of the same kind, record and range.
   *
   * @throws JobBusyError while a living holder has it, or an unfinished job of another kind is there; TableError
   */
  start(options: JobStart): Promise<Job>
  /** Writes progress without rows. @throws JobLostError when it is no longer held; TableError */
  write(job: JobWrite): Promise<void>
  /**
   * The jobs of a record, newest first; of all records without one. At most `limit`. Empty when there is no table of jobs.
   *
   * @param query.staleMs ms of silence after which a holder counts as dead, and its job as `abandoned`
   * @throws TableError
   */
  list(query: { readonly record?: string; readonly limit: number; readonly staleMs: number }): Promise<Job[]>
}

export const NO_COUNTS: JobCounts = { rows: 0, written: 0, changed: 0, failed: 0 }
export const NO_PROGRESS: JobProgress = { after: null, pass: 1, counts: NO_COUNTS, aside: [] }
