import { setTimeout as delay } from 'node:timers/promises'
import { TableError } from '../errors.ts'
import { type Job, type JobProgress, NO_PROGRESS } from '../job.ts'
import type { JobOptions } from '../rotation/job-options.ts'
import type { PassWork } from '../rotation/passes.ts'
import { runPasses } from '../rotation/run-job.ts'
import type { Table, TableChange } from '../table.ts'
import type { MigrationPhase } from './phase.ts'

/** What a migration remembers of the table, so that it can be led back. */
export type Kept = Readonly<Record<string, string>>

const ATTEMPTS = 10
const PAUSE_MS = 500

/** The one job of a migration while this process has it: its phase, what it remembers, and changes to the table. */
export class HeldJob {
  phase: MigrationPhase
  kept: Kept
  readonly #table: Table
  readonly #job: Job
  readonly #options: JobOptions & { readonly onPhase?: ((phase: MigrationPhase) => void) | undefined }
  #progress: JobProgress
  #isOpen = true

  constructor(
    table: Table,
    job: Job,
    options: JobOptions & { onPhase?: ((phase: MigrationPhase) => void) | undefined },
  ) {
    this.#table = table
    this.#job = job
    this.#options = options
    this.phase = job.phase as MigrationPhase
    this.kept = job.progress.kept ?? {}
    this.#progress = job.progress
  }

  get id(): string {
    return this.#job.id
  }

  /** Goes on to another phase, from its first row. @throws JobLostError when another process has the job */
  async to(phase: MigrationPhase, kept: Kept = this.kept): Promise<void> {
    const progress = { ...NO_PROGRESS, kept }
    await this.#write(progress, { phase })
    this.phase = phase
    this.kept = kept
    this.#options.onPhase?.(phase)
  }

  /** The last phase, and the end, in one write: one that is killed between the two could be neither gone on with nor begun anew. */
  async finish(phase: MigrationPhase): Promise<void> {
    this.#isOpen = false
    await this.#write({ ...NO_PROGRESS, kept: this.kept }, { phase, state: 'done' })
    this.phase = phase
    this.#options.onPhase?.(phase)
  }

  /** The passes of this phase. */
  async passes(work: PassWork): Promise<{ progress: JobProgress; complete: boolean }> {
    this.#options.signal?.throwIfAborted()
    try {
      const done = await runPasses(this.#table, work, { ...this.#job, progress: this.#progress }, this.#options)
      this.#progress = { ...NO_PROGRESS, kept: this.kept }
      return done
    } catch (error) {
      this.#isOpen = false // it was written as stopped or failed
      throw error
    }
  }

  /** Makes changes to the table one after the other. Others may hold the table for a while: each is tried several times. */
  async change(changes: readonly TableChange[]): Promise<void> {
    for (const change of changes) {
      this.#options.signal?.throwIfAborted()
      const statements = await this.#table.changeSql(change)
      await this.#alive(() => this.#patiently(statements))
    }
  }

  /** Gives the job back, to be gone on with. */
  async end(state: 'stopped' | 'failed'): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#write(this.#progress, { state })
  }

  async #write(progress: JobProgress, more: { phase?: MigrationPhase; state?: 'done' | 'stopped' | 'failed' } = {}) {
    await this.#table.jobs.write({ id: this.#job.id, token: this.#job.token, progress, ...more })
    this.#progress = progress
  }

  /** All statements of a change in one call: a lock that the first takes must hold for the others. */
  async #patiently(statements: readonly string[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#table.run(statements)
      } catch (error) {
        const isLocked = error instanceof TableError && error.fault === 'locked'
        if (!isLocked || attempt === ATTEMPTS || this.#options.signal?.aborted) throw error
        await delay(PAUSE_MS)
      }
    }
  }

  /** An index takes hours to make: meanwhile the job says that it lives. */
  async #alive<Result>(work: () => Promise<Result>): Promise<Result> {
    const beat = setInterval(
      () => void this.#write(this.#progress).catch(() => undefined),
      (this.#options.staleMs ?? 60_000) / 4,
    )
    try {
      return await work()
    } finally {
      clearInterval(beat)
    }
  }
}
