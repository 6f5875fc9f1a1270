import { InvalidInputError, StrongroomError } from '../errors.ts'
import { type Job, type JobCounts, type JobKind, type JobProgress, NO_PROGRESS } from '../job.ts'
import type { RowKey } from '../row-key.ts'
import type { PageQuery, RowChange, Table, TableRow } from '../table.ts'
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

/** What is done with every page of rows, pass after pass. */
export interface PassWork {
  readonly columns: readonly string[]
  readonly texts?: readonly string[]
  /** @returns the changes to make, and the keys of the rows that could not be read */
  readonly rows: (rows: readonly TableRow[]) => Promise<{ changes: readonly RowChange[]; failed: readonly RowKey[] }>
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

const MAX_ASIDE = 1000
const MAX_PASSES = 20
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
  const run = new Run(table, work, job, settingsOf(table, options))
  try {
    const progress = await run.passes()
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

function settingsOf(table: Table, options: JobOptions): Settings {
  const { batch = DEFAULT_BATCH, staleMs = DEFAULT_STALE_MS } = options
  assertWhole('batch', batch, 1, 10_000)
  assertWhole('staleMs', staleMs, 1_000, 86_400_000)
  return { ...options, batch, staleMs, throttle: new Throttle(table, options.throttle) }
}

type Settings = JobOptions & { readonly batch: number; readonly throttle: Throttle; readonly staleMs: number }

class Run {
  progress: JobProgress
  complete = false
  readonly #table: Table
  readonly #work: PassWork
  readonly #job: Job | undefined
  readonly #settings: Settings
  readonly #lastPass: number
  #seen = performance.now()

  constructor(table: Table, work: PassWork, job: Job | undefined, settings: Settings) {
    this.#table = table
    this.#work = work
    this.#job = job
    this.#settings = settings
    const { error: _, ...progress } = job?.progress ?? NO_PROGRESS
    this.progress = progress
    this.#lastPass = progress.pass + MAX_PASSES - 1
  }

  async passes(): Promise<JobProgress> {
    for (;;) {
      const before = this.progress.after === null ? this.progress.counts : undefined
      await this.#pass()
      const { counts, pass } = this.progress
      // A pass that was begun by another process may have written before it stopped: only a whole one proves the end.
      const isClean = before !== undefined && (this.#work.isLast ?? wroteNothing)(difference(counts, before))
      // A dry run changes nothing, so that another pass would find the same.
      this.complete = isClean || this.#job === undefined || this.#settings.onePass === true
      if (this.#job === undefined || this.complete || pass >= this.#lastPass) return this.progress
      this.progress = { ...this.progress, after: null, pass: pass + 1, aside: [], counts: { ...counts, failed: 0 } }
      await this.#table.jobs.write({ ...held(this.#job), progress: this.progress })
    }
  }

  async #pass(): Promise<void> {
    const { batch, until, from } = this.#settings
    let next = this.#page(this.progress.after ?? from)
    try {
      for (;;) {
        const rows = await next
        if (rows.length === 0) return
        const last = (rows.at(-1) as TableRow).key
        const isLast = rows.length < batch || (until !== undefined && same(last, until))
        // The next page is read while this one is worked on.
        if (!isLast) next = this.#page(last)
        await this.#batch(rows, last)
        if (isLast) return
      }
    } finally {
      next.catch(() => undefined)
    }
  }

  #page(after: RowKey | undefined): Promise<TableRow[]> {
    const { columns, texts } = this.#work
    const { batch: limit, until } = this.#settings
    const query: PageQuery = {
      columns,
      limit,
      ...(texts && { texts }),
      ...(after && { after }),
      ...(until && { until }),
    }
    const page = this.#table.page(query)
    page.catch(() => undefined) // whoever awaits it reports it
    return page
  }

  async #batch(rows: readonly TableRow[], last: RowKey): Promise<void> {
    const { signal, throttle, onProgress } = this.#settings
    signal?.throwIfAborted()
    await throttle.before(rows.length, signal, () => this.#stayAlive())
    const { changes, failed } = await this.#work.rows(rows)
    const { counts, aside } = this.progress
    const after = (written: number): JobProgress => ({
      ...this.progress,
      after: last,
      counts: {
        rows: counts.rows + rows.length,
        written: counts.written + written,
        changed: counts.changed + changes.length - written,
        failed: counts.failed + failed.length,
      },
      aside: [...aside, ...failed].slice(0, MAX_ASIDE),
    })
    if (this.#job === undefined) this.progress = after(changes.length)
    else {
      // Written as if every change had been made: what the others found is added with the next checkpoint.
      const made = await this.#table.write(changes, { ...held(this.#job), progress: after(changes.length) })
      this.progress = after(made.filter(Boolean).length)
    }
    this.#seen = performance.now()
    onProgress?.(this.progress)
  }

  /** A holder that waits says so now and then. Never beside a batch, whose checkpoint it would undo. */
  async #stayAlive(): Promise<void> {
    if (this.#job === undefined || performance.now() - this.#seen < this.#settings.staleMs / 4) return
    await this.#table.jobs.write({ ...held(this.#job), progress: this.progress })
    this.#seen = performance.now()
  }
}

function codeOf(error: unknown): string {
  return error instanceof StrongroomError || error instanceof InvalidInputError ? error.code : 'ERR_UNKNOWN'
}

function held({ id, token }: Job): { id: string; token: number } {
  return { id, token }
}

function wroteNothing({ written, changed }: JobCounts): boolean {
  return written === 0 && changed === 0
}

function difference(now: JobCounts, before: JobCounts): JobCounts {
  return {
    rows: now.rows - before.rows,
    written: now.written - before.written,
    changed: now.changed - before.changed,
    failed: now.failed,
  }
}

function same(a: RowKey, b: RowKey): boolean {
  return a.length === b.length && a.every((text, at) => text === b[at])
}

function assertWhole(name: string, value: number, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new InvalidInputError(`${name} must be a whole number from ${least} to ${most}`)
  }
}
