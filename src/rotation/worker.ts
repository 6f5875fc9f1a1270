import { assertCallback, assertMethods, assertObject } from '../bytes.ts'
import { InvalidInputError, SystemicFailureError } from '../errors.ts'
import type { Job } from '../job.ts'
import { type JobQueue, parseRangeTask, type RangeTask } from '../job-queue.ts'
import { assertAllowed } from '../keys/states.ts'
import type { RecordCipher } from '../records/record-cipher.ts'
import type { AnyRecord } from '../records/record-types.ts'
import type { Table } from '../table.ts'
import { assertTables } from '../table-shape.ts'
import { jobSettings } from './job-options.ts'
import { unfinishedRanges } from './ranges.ts'
import { type ReencryptOptions, reencryptTable } from './reencrypt.ts'
import type { JobReport } from './run-job.ts'

/** What a worker needs of a Strongroom: its record ciphers, by their names in the configuration, and fresh keys. */
export interface WorkerRoom {
  /** By their names in the configuration. */
  readonly records: Readonly<Record<string, Pick<RecordCipher<AnyRecord>, 'schema' | 'inspect'>>>
  /** As `Strongroom.refresh`. */
  refresh(): Promise<void>
}

/** How a worker works. */
export interface WorkerOptions extends Pick<ReencryptOptions, 'batch' | 'throttle' | 'staleMs' | 'allow'> {
  /** Ends the worker after the batch in hand; what is left of its range is given back. */
  readonly signal: AbortSignal
  /** Told what became of each range. */
  readonly onRange?: (event: WorkerEvent) => void
}

/** What became of a range. */
export type WorkerEvent =
  | { readonly type: 'done'; readonly job: Job; readonly report: JobReport }
  | { readonly type: 'failed'; readonly task: RangeTask; readonly error: unknown }

const DEFAULT_STALE_MS = 60_000

/**
 * Works on ranges of tables that `reencryptOnWorkers` has put into a queue, one after the other, until the signal ends it.
 * Any number of processes on any number of machines may do so. Killed in the middle of a range, it loses nothing: the
 * next worker goes on behind the last batch.
 *
 * @param tables by the names of their records in the configuration
 * @throws SystemicFailureError (`ERR_SYSTEMIC_FAILURE`), behind which no worker begins another range of this table
 * @throws JobQueueError (`ERR_JOB_QUEUE`), InvalidInputError (`ERR_INVALID_INPUT`)
 */
export async function workOnRanges(
  room: WorkerRoom,
  tables: Readonly<Record<string, Table | undefined>>,
  queue: JobQueue,
  workerOptions: WorkerOptions,
): Promise<void> {
  assertObject(room, 'room')
  assertObject(tables, 'tables')
  assertTables(tables)
  assertMethods(queue, ['send', 'work'], 'queue')
  assertObject(workerOptions, 'the options')
  const { signal, onRange, ...options } = workerOptions
  assertMethods(signal, ['throwIfAborted', 'addEventListener'], 'signal')
  assertCallback(onRange, 'onRange')
  jobSettings({ lag: async () => 0 }, options)
  if (options.allow !== undefined) assertAllowed(options.allow)
  const end = new AbortController()
  let systemic: SystemicFailureError | undefined
  const handle = async (task: RangeTask): Promise<void> => {
    try {
      const done = await workOnRange(room, tables, task, { ...options, signal })
      if (done !== undefined) onRange?.({ type: 'done', ...done })
    } catch (error) {
      if (signal.aborted) throw error
      onRange?.({ type: 'failed', task, error })
      if (!(error instanceof SystemicFailureError)) throw error
      systemic = error
      end.abort()
    }
  }
  await queue.work(handle, AbortSignal.any([signal, end.signal]))
  if (systemic !== undefined) throw systemic
}

async function workOnRange(
  room: WorkerRoom,
  tables: Readonly<Record<string, Table | undefined>>,
  task: RangeTask,
  options: ReencryptOptions,
): Promise<{ job: Job; report: JobReport } | undefined> {
  const known = parseRangeTask(task)
  if (known === undefined) throw new InvalidInputError('the queue handed out what is no range of a table')
  const { jobId, kind, record } = known
  const [name, cipher] = Object.entries(room.records).find(([, { schema }]) => schema.name === record) ?? []
  const table = name !== undefined && Object.hasOwn(tables, name) ? tables[name] : undefined
  if (cipher === undefined || table === undefined)
    throw new InvalidInputError(`no table of record ${record} is configured`)
  if (kind !== 'reencrypt') throw new InvalidInputError('this release splits no jobs but those of reencrypt')
  const left = await unfinishedRanges(table, {
    kind,
    record,
    phase: kind,
    staleMs: options.staleMs ?? DEFAULT_STALE_MS,
  })
  const job = left.find(({ id }) => id === jobId)
  if (job === undefined || left.some(({ progress }) => progress.error === 'ERR_SYSTEMIC_FAILURE')) return undefined
  // A worker may be days old: under the keys of yesterday it would find every row current.
  await room.refresh()
  const { from, until } = job
  const report = await reencryptTable(cipher as RecordCipher<AnyRecord>, table, {
    ...options,
    ...(from && { from }),
    ...(until && { until }),
    onePass: true,
  })
  return { job, report }
}
