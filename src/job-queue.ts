import { StrongroomError } from './errors.ts'
import type { JobKind } from './job.ts'

/** One range of a table to work on, as a queue carries it: plain JSON, without a secret. */
export interface RangeTask {
  /** The job in the table of jobs: that says from where to where, and how far it has come. */
  readonly jobId: string
  readonly kind: JobKind
  /** The name of the record. */
  readonly record: string
}

/**
 * Hands ranges to workers on other machines. It may lose a task, and may hand one out twice or to two workers at once: what
 * is done, and by whom, stands in the table of jobs. Prove yours with `jobQueueConformance` from `strongroom/testing`.
 */
export interface JobQueue {
  /** What messages call it, for example `pg-boss strongroom`. */
  readonly name: string

  /** Puts tasks in. One whose job waits there already need not be added again. @throws JobQueueError */
  send(tasks: readonly RangeTask[]): Promise<void>

  /**
   * Takes tasks out, one after the other. One whose `handle` rejects, or whose worker died, is handed out again.
   *
   * @returns when the signal is aborted and the task in hand has ended
   * @throws JobQueueError when the queue cannot be reached for longer
   */
  work(handle: (task: RangeTask) => Promise<void>, signal: AbortSignal): Promise<void>

  /** Frees connections. Called by `Strongroom.close`. */
  close?(): Promise<void>
}

/** A queue of jobs cannot be reached. Nothing is lost: what was done stands in the table of jobs. `code` is `ERR_JOB_QUEUE`. */
export class JobQueueError extends StrongroomError {
  constructor(queue: string, options: { cause: unknown }) {
    super('ERR_JOB_QUEUE', `${queue} cannot be reached: see the cause`, options)
  }
}

/** Reads a task as a queue gives it back. @returns undefined for what is none */
export function parseRangeTask(data: unknown): RangeTask | undefined {
  const { jobId, kind, record } = (data ?? {}) as Partial<Record<keyof RangeTask, unknown>>
  if (typeof jobId !== 'string' || typeof kind !== 'string' || typeof record !== 'string') return undefined
  return { jobId, kind: kind as JobKind, record }
}
