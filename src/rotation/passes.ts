import { type Job, type JobCounts, type JobProgress, NO_PROGRESS } from '../job.ts'
import type { RowKey } from '../row-key.ts'
import type { PageQuery, RowChange, Table, TableRow } from '../table.ts'
import type { JobSettings } from './job-options.ts'

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

const MAX_ASIDE = 1000
const MAX_PASSES = 20

/** The passes of one holder of a job. */
export class Passes {
  progress: JobProgress
  complete = false
  readonly #table: Table
  readonly #work: PassWork
  readonly #job: Job | undefined
  readonly #settings: JobSettings
  readonly #lastPass: number
  #seen = performance.now()

  constructor(table: Table, work: PassWork, job: Job | undefined, settings: JobSettings) {
    this.#table = table
    this.#work = work
    this.#job = job
    this.#settings = settings
    const { error: _, ...progress } = job?.progress ?? NO_PROGRESS
    this.progress = progress
    this.#lastPass = progress.pass + MAX_PASSES - 1
  }

  async run(): Promise<JobProgress> {
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

  /** Three batches are in hand at once: one is read, one is worked on, one is written. They are written one after the other. */
  async #pass(): Promise<void> {
    const { batch, until, from, signal, throttle } = this.#settings
    let next = this.#page(this.progress.after ?? from)
    let writing = Promise.resolve()
    try {
      for (let isLast = false; !isLast; ) {
        const rows = await next
        if (rows.length === 0) break
        const last = (rows.at(-1) as TableRow).key
        isLast = rows.length < batch || (until !== undefined && same(last, until))
        if (!isLast) next = this.#page(last)
        signal?.throwIfAborted()
        if (throttle.isSet) {
          await writing // a sign of life beside a batch would undo its checkpoint
          await throttle.before(rows.length, signal, () => this.#stayAlive())
        }
        const done = await this.#work.rows(rows)
        await writing
        signal?.throwIfAborted()
        writing = this.#write(rows, last, done)
        writing.catch(() => undefined) // whoever awaits it reports it
      }
      await writing
    } finally {
      // Whatever ended the pass, the batch in hand is written or not before anything else is said of the job.
      await writing.catch(() => undefined)
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

  async #write(rows: readonly TableRow[], last: RowKey, { changes, failed }: PageChanges): Promise<void> {
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
    this.#settings.onProgress?.(this.progress)
  }

  /** A holder that waits says so now and then. */
  async #stayAlive(): Promise<void> {
    if (this.#job === undefined || performance.now() - this.#seen < this.#settings.staleMs / 4) return
    await this.#table.jobs.write({ ...held(this.#job), progress: this.progress })
    this.#seen = performance.now()
  }
}

/** What a holder writes under. */
export function held({ id, token }: Job): { id: string; token: number } {
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
