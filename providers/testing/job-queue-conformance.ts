import { deepEqual, equal, ok } from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { JobQueue, RangeTask } from '../../src/job-queue.ts'
import { type ConformanceCase, casesOf } from './conformance-case.ts'

/** What the suite needs to know about a queue. */
export interface JobQueueHarness {
  /** Empty, and made so that a task is tried again, and taken back from a silent worker, within a few seconds. */
  readonly queue: JobQueue
  /** A second handle on the same queue, as another machine would have. */
  readonly second: JobQueue
  /** Called after each case. */
  close?(): Promise<void>
}

/**
 * Every promise of the `JobQueue` contract, for any test runner. Takes some seconds: it waits for tasks that come back.
 *
 * @param make called before each case; its `close` is called after
 */
export function jobQueueConformance(make: () => Promise<JobQueueHarness>): ConformanceCase[] {
  return casesOf(make, promises)
}

const PATIENCE_MS = 30_000

const promises: Readonly<Record<string, (harness: JobQueueHarness) => Promise<void>>> = {
  'hands every task to a worker, as it was sent': async ({ queue, second }) => {
    const tasks = [task(), task(), task()]
    await queue.send(tasks)
    const worker = listen(second)
    await worker.until(() => worker.got.length >= tasks.length)
    await worker.end()
    deepEqual(byId(worker.got), byId(tasks))
  },
  'hands out what was sent before and after a worker began': async ({ queue }) => {
    const [early, late] = [task(), task()]
    await queue.send([early])
    const worker = listen(queue)
    await worker.until(() => worker.got.length === 1)
    await queue.send([late])
    await worker.until(() => worker.got.length === 2)
    await worker.end()
    deepEqual(worker.got, [early, late])
  },
  'shares tasks among workers': async ({ queue, second }) => {
    const tasks = Array.from({ length: 8 }, task)
    const both = [listen(queue, () => delay(300)), listen(second, () => delay(300))] as const
    await queue.send(tasks)
    await both[0].until(() => both[0].got.length + both[1].got.length >= tasks.length)
    await Promise.all(both.map((worker) => worker.end()))
    ok(both[0].got.length > 0 && both[1].got.length > 0, 'one worker took everything')
    deepEqual(byId([...both[0].got, ...both[1].got]), byId(tasks))
  },
  'gives a worker one task at a time': async ({ queue }) => {
    let now = 0
    let most = 0
    const worker = listen(queue, async () => {
      most = Math.max(most, ++now)
      await delay(50)
      now--
    })
    await queue.send([task(), task(), task()])
    await worker.until(() => worker.got.length === 3)
    await worker.end()
    equal(most, 1)
  },
  'hands a task out again that could not be done': async ({ queue }) => {
    const worker = listen(queue, async () => {
      if (worker.got.length < 3) throw new Error('not yet')
    })
    const one = task()
    await queue.send([one])
    await worker.until(() => worker.got.length === 3)
    await worker.end()
    deepEqual(worker.got, [one, one, one])
  },
  'hands a task out again whose worker says nothing more': async ({ queue, second }) => {
    const one = task()
    await queue.send([one])
    let release = () => {}
    const silent = listen(queue, () => new Promise<void>((resolve) => (release = resolve)))
    await silent.until(() => silent.got.length === 1)
    const other = listen(second)
    await other.until(() => other.got.length === 1)
    await other.end()
    release()
    await silent.end()
    deepEqual(other.got, [one])
  },
  'ends when the signal says so, behind the task in hand': async ({ queue }) => {
    let done = false
    const worker = listen(queue, async () => {
      await delay(300)
      done = true
    })
    await queue.send([task()])
    await worker.until(() => worker.got.length === 1)
    await worker.end()
    equal(done, true)
    const idle = listen(queue)
    await idle.end()
    equal(idle.got.length, 0)
  },
  'takes no task at all as well': async ({ queue }) => {
    await queue.send([])
  },
}

function task(): RangeTask {
  return { jobId: randomUUID(), kind: 'reencrypt', record: 'people' }
}

function byId(tasks: readonly RangeTask[]): RangeTask[] {
  return tasks.toSorted((a, b) => (a.jobId < b.jobId ? -1 : 1))
}

function listen(queue: JobQueue, work: (task: RangeTask) => Promise<unknown> = async () => undefined) {
  const got: RangeTask[] = []
  const stop = new AbortController()
  const running = queue.work(async (one) => {
    got.push(one)
    await work(one)
  }, stop.signal)
  running.catch(() => undefined)
  return {
    got,
    async until(isDone: () => boolean): Promise<void> {
      const end = performance.now() + PATIENCE_MS
      while (!isDone()) {
        ok(performance.now() < end, `waited ${PATIENCE_MS / 1000} s in vain`)
        await Promise.race([delay(20), running])
      }
    },
    async end(): Promise<void> {
      stop.abort()
      await running
    },
  }
}
