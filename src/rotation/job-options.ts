import { assertArray, assertCallback, assertFlag, assertSignal, assertText, assertWhole } from '../bytes.ts'
import type { JobProgress } from '../job.ts'
import type { RowKey } from '../row-key.ts'
import type { Table } from '../table.ts'
import { Throttle, type ThrottleOptions } from './throttle.ts'

/** How a job runs, whatever it does. */
export interface JobOptions {
  /** Rows in a batch, and between two checkpoints; 500 by default, 1 to 10,000. */
  readonly batch?: number
  /** Ends the job after the batch in hand; it goes on where it stopped when it is started again. */
  readonly signal?: AbortSignal
  /** Told how far the job has come, after each batch. */
  readonly onProgress?: (progress: JobProgress) => void
  /** How much of the database the job may take; everything by default. */
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

/** The options of a job, checked and complete. */
export type JobSettings = Omit<JobOptions, 'throttle'> & {
  readonly batch: number
  readonly throttle: Throttle
  readonly staleMs: number
}

const DEFAULT_BATCH = 500
const DEFAULT_STALE_MS = 60_000

/** The options of a job on a table, checked. @throws InvalidInputError when a number is out of its range or `onProgress` is no function */
export function jobSettings(table: Pick<Table, 'lag'>, options: JobOptions): JobSettings {
  const { batch = DEFAULT_BATCH, staleMs = DEFAULT_STALE_MS } = options
  assertWhole(batch, 'batch', 1, 10_000)
  assertWhole(staleMs, 'staleMs', 1_000, 86_400_000)
  assertCallback(options.onProgress, 'onProgress')
  assertSignal(options.signal)
  assertFlag(options.dryRun, 'dryRun')
  assertFlag(options.onePass, 'onePass')
  assertRowKey(options.from, 'from')
  assertRowKey(options.until, 'until')
  return { ...options, batch, staleMs, throttle: new Throttle(table, options.throttle) }
}

function assertRowKey(key: unknown, name: string): void {
  if (key === undefined) return
  assertArray(key, name)
  for (const part of key) assertText(part, `each part of ${name}`)
}
