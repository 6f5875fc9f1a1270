/** Ranges of tables on pg-boss, for workers on several machines. Import from `strongroom/pg-boss`. */

import { setTimeout as delay } from 'node:timers/promises'
import { assertFilled, assertObject, assertWhole } from '../../src/bytes.ts'
import { ClosedError, ConfigError } from '../../src/errors.ts'
import { type JobQueue, JobQueueError, parseRangeTask } from '../../src/job-queue.ts'
import { assertConnection, type PgBossConnection, type PgBossLike, startBoss } from './boss.ts'

export type { PgBossConnection, PgBossLike } from './boss.ts'

/** A queue of ranges on pg-boss. */
export interface PgBossQueueOptions extends PgBossConnection {
  /** The name of the queue; `strongroom` by default. */
  readonly queue?: string
  /** s after which a task whose worker says nothing more is handed to another one; 900 by default, 1 to 86,400. */
  readonly expireSeconds?: number
  /** s before a task that could not be done is tried again; 10 by default. */
  readonly retrySeconds?: number
  /** ms between looks at an empty queue; 2,000 by default, 100 at least. */
  readonly pollMs?: number
}

/** So many times a task is handed out before pg-boss gives it up: whoever waits for it puts it in again. */
const RETRY_LIMIT = 1000
const ATTEMPTS = 6
const FIRST_WAIT_MS = 250
const DEADLOCK = '40P01'

/**
 * Hands ranges of tables to workers through pg-boss 10, on PostgreSQL 13 or newer. pg-boss makes its tables by itself,
 * so that its role may create a schema, or owns an existing one.
 *
 * @throws InvalidInputError
 */
export function pgBossQueue(options: PgBossQueueOptions): JobQueue {
  assertObject(options, 'the options')
  const { queue = 'strongroom', expireSeconds = 900, retrySeconds = 10, pollMs = 2000 } = options
  assertConnection(options)
  assertFilled(queue, 'queue')
  assertWhole(expireSeconds, 'expireSeconds', 1, 86_400)
  assertWhole(retrySeconds, 'retrySeconds', 0, 86_400)
  assertWhole(pollMs, 'pollMs', 100, 3_600_000)
  const place = `pg-boss ${queue}`
  let started: ReturnType<typeof startBoss> | undefined
  let closed = false

  async function open(): Promise<PgBossLike> {
    if (closed) throw new ClosedError('pgBossQueue')
    started ??= startBoss(options).then(async (one) => {
      await createQueue(one.boss, queue)
      return one
    })
    const { boss } = await started.catch((error) => {
      started = undefined
      throw error
    })
    return boss
  }

  async function call<Result>(work: (boss: PgBossLike) => Promise<Result>): Promise<Result> {
    try {
      return await work(await open())
    } catch (error) {
      if (error instanceof ClosedError || error instanceof ConfigError) throw error
      throw new JobQueueError(place, { cause: error })
    }
  }

  /** Asks again for a while: a worker outlives a restart of its database. */
  async function callAgain<Result>(work: (boss: PgBossLike) => Promise<Result>, signal: AbortSignal): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call(work)
      } catch (error) {
        if (attempt === ATTEMPTS || signal.aborted || !(error instanceof JobQueueError)) throw error
        await pause(FIRST_WAIT_MS * 2 ** attempt, signal)
      }
    }
  }

  return {
    name: place,
    send: (tasks) =>
      call(async (boss) => {
        for (const task of tasks) {
          await boss.send(queue, task, {
            singletonKey: task.jobId,
            retryLimit: RETRY_LIMIT,
            retryDelay: retrySeconds,
            expireInSeconds: expireSeconds,
          })
        }
      }),
    async work(handle, signal) {
      let looked = Number.NEGATIVE_INFINITY
      while (!signal.aborted) {
        // pg-boss looks by itself as well, but once a minute at the most.
        if (performance.now() - looked > (expireSeconds * 1000) / 2) {
          await callAgain((boss) => boss.expire(), signal)
          looked = performance.now()
        }
        const [job] = await callAgain((boss) => boss.fetch(queue), signal)
        if (job === undefined) {
          await pause(pollMs, signal)
          continue
        }
        const task = parseRangeTask(job.data)
        const done = task === undefined || (await handle(task).then(succeeded, failed))
        await callAgain((boss) => (done ? boss.complete(queue, job.id) : boss.fail(queue, job.id)), signal)
      }
    },
    close: async () => {
      closed = true
      await (await started?.catch(() => undefined))?.stop()
    },
  }
}

/** One task a job waits at a time: what is sent again is not added. Processes that make queues at once can lock each other out. */
async function createQueue(boss: PgBossLike, queue: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return void (await boss.createQueue(queue, { name: queue, policy: 'short' }))
    } catch (error) {
      if (attempt === ATTEMPTS || (error as { code?: unknown }).code !== DEADLOCK) throw error
      await delay(Math.random() * FIRST_WAIT_MS)
    }
  }
}

const succeeded = () => true
const failed = () => false

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined)
}
