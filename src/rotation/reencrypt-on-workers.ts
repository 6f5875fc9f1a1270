import { setTimeout as delay } from 'node:timers/promises'
import { assertCallback, assertMethods, assertObject, assertSignal } from '../bytes.ts'
import { InvalidInputError, SystemicFailureError } from '../errors.ts'
import { type Job, type JobCounts, NO_COUNTS } from '../job.ts'
import type { JobQueue } from '../job-queue.ts'
import type { RecordCipher } from '../records/record-cipher.ts'
import type { AnyRecord } from '../records/record-types.ts'
import type { Table } from '../table.ts'
import { assertTable } from '../table-shape.ts'
import { MAX_RANGES, planRanges, readRanges } from './ranges.ts'
import { type ReencryptOptions, reencryptTable } from './reencrypt.ts'
import type { JobReport } from './run-job.ts'

/** How to re-encrypt a table on several machines. */
export interface ReencryptOnWorkersOptions extends ReencryptOptions {
  /** Ranges to split the table into; 16 by default, 2 to 256. A few for each worker, so that none waits for a slow one. */
  readonly ranges?: number
}

const DEFAULT_RANGES = 16
const DEFAULT_STALE_MS = 60_000
const LOOK_MS = 500

/**
 * Re-encrypts a table by workers: splits it into ranges, puts them into a queue, waits until workers have done them all, and
 * passes over the whole table once more by itself. Only that last pass says that it is complete. Killed or stopped, it can be
 * started again: workers go on meanwhile, and it waits for what they have not finished.
 *
 * @returns counts of all ranges and of the last pass
 * @throws as `reencryptTable`; JobQueueError (`ERR_JOB_QUEUE`)
 */
export async function reencryptOnWorkers<Schema extends AnyRecord>(
  cipher: RecordCipher<Schema>,
  table: Table,
  queue: JobQueue,
  options: ReencryptOnWorkersOptions = {},
): Promise<JobReport> {
  assertMethods(cipher, ['reencryptSettled'], 'cipher')
  assertTable(table)
  assertMethods(queue, ['send', 'work'], 'queue')
  assertObject(options, 'the options')
  assertSignal(options.signal)
  assertCallback(options.onProgress, 'onProgress')
  const { ranges = DEFAULT_RANGES, ...job } = options
  if (!Number.isSafeInteger(ranges) || ranges < 2 || ranges > MAX_RANGES) {
    throw new InvalidInputError(`ranges must be a whole number from 2 to ${MAX_RANGES}`)
  }
  if (job.from !== undefined || job.until !== undefined) throw new InvalidInputError('a range is not split once more')
  if (job.dryRun) return reencryptTable(cipher, table, job)
  job.signal?.throwIfAborted()
  const staleMs = job.staleMs ?? DEFAULT_STALE_MS
  const which = { kind: 'reencrypt', record: cipher.schema.name, phase: 'reencrypt', staleMs } as const
  const done = await watch(await planRanges(table, which, ranges))
  const last = await reencryptTable(cipher, table, {
    ...job,
    onProgress: (progress) => {
      job.onProgress?.({ ...progress, pass: progress.pass + 1, counts: behind(done, progress.counts) })
    },
  })
  return { ...last, counts: behind(done, last.counts), passes: last.passes + 1 }

  /** Waits until workers have done every range. What nobody works on is put into the queue, again and again. */
  async function watch(jobs: readonly Job[]): Promise<JobCounts> {
    const ids = jobs.map(({ id }) => id)
    let sent = Number.NEGATIVE_INFINITY
    for (let now = jobs; ; now = await readRanges(table, which, ids)) {
      const counts = sum([NO_COUNTS, ...now.map(({ progress }) => progress.counts)])
      job.onProgress?.({ after: null, pass: 1, counts, aside: [] })
      const open = now.filter(({ state }) => state !== 'done')
      if (open.length === 0) return counts
      if (open.some(({ progress }) => progress.error === 'ERR_SYSTEMIC_FAILURE')) {
        throw new SystemicFailureError(counts.failed, counts.rows)
      }
      const idle = open.filter(({ state, abandoned }) => state !== 'running' || abandoned)
      if (performance.now() - sent > staleMs && idle.length > 0) {
        await queue.send(idle.map(({ id, kind, record }) => ({ jobId: id, kind, record })))
        sent = performance.now()
      }
      await delay(LOOK_MS, undefined, job.signal ? { signal: job.signal } : {}).catch(() => undefined)
      job.signal?.throwIfAborted()
    }
  }
}

/** The last pass looked at every row, so that those it could not read are all there are. */
function behind(done: JobCounts, last: JobCounts): JobCounts {
  return { ...sum([done, last]), failed: last.failed }
}

function sum(all: readonly JobCounts[]): JobCounts {
  return all.reduce((total, { rows, written, changed, failed }) => ({
    rows: total.rows + rows,
    written: total.written + written,
    changed: total.changed + changed,
    failed: total.failed + failed,
  }))
}
