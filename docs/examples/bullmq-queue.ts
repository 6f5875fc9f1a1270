import { type JobQueue, JobQueueError, parseRangeTask, type RangeTask } from 'strongroom'

/** The part of the package `bullmq` that is used: hand over `import * as bullmq from 'bullmq'`. */
export interface BullMq {
  readonly Queue: new (
    name: string,
    options: { connection: object },
  ) => {
    add(name: string, data: RangeTask, options: object): Promise<unknown>
    on(event: 'error', listener: (error: Error) => void): unknown
    close(): Promise<void>
  }
  readonly Worker: new (
    name: string,
    handle: (job: { readonly data: unknown }) => Promise<void>,
    options: object,
  ) => {
    run(): Promise<void>
    on(event: 'error', listener: (error: Error) => void): unknown
    close(): Promise<void>
  }
}

export interface BullMqQueueOptions {
  /** Redis, as BullMQ takes it, for example `{ host: 'redis.internal' }`. */
  readonly connection: object
  readonly queue?: string
  /** ms before a task that could not be done is tried again; 10,000 by default. */
  readonly retryMs?: number
  /** Further options of BullMQ's worker. */
  readonly worker?: object
}

/** Carries ranges of tables to workers through BullMQ, on Redis. */
export function bullMqQueue({ Queue, Worker }: BullMq, options: BullMqQueueOptions): JobQueue {
  const { connection, queue: name = 'strongroom', retryMs = 10_000 } = options
  let queue: InstanceType<BullMq['Queue']> | undefined
  return {
    name: `bullmq ${name}`,
    async send(tasks) {
      if (queue === undefined) {
        queue = new Queue(name, { connection })
        queue.on('error', () => undefined) // `add` throws as well
      }
      for (const task of tasks) {
        // A job of the same id that waits already stays alone; one that ended is gone, so that it can be sent again.
        const job = {
          jobId: task.jobId,
          attempts: 1000,
          backoff: { type: 'fixed', delay: retryMs },
          removeOnComplete: true,
          removeOnFail: true,
        }
        await queue.add('range', task, job).catch((cause) => {
          throw new JobQueueError(`bullmq ${name}`, { cause })
        })
      }
    },
    async work(handle, signal) {
      const settings = { connection, autorun: false, concurrency: 1, maxStalledCount: 1000, ...options.worker }
      const worker = new Worker(
        name,
        async ({ data }) => {
          const task = parseRangeTask(data)
          if (task !== undefined) await handle(task)
        },
        settings,
      )
      worker.on('error', () => undefined) // BullMQ connects again by itself
      const running = worker.run()
      if (!signal.aborted) {
        await Promise.race([
          running,
          new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true })),
        ])
      }
      await worker.close() // waits for the task in hand
      await running
    },
    close: async () => queue?.close(),
  }
}
