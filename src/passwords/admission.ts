import { availableParallelism } from 'node:os'
import { assertOptions, assertWhole } from '../bytes.ts'
import { InvalidInputError, OverloadedError } from '../errors.ts'

/** How much may be hashed at once, and how long others wait. */
export interface AdmissionOptions {
  /** Memory for all hashes in flight, in MiB. Default 256. */
  readonly memoryMiB?: number
  /** Hashing threads at once. Default: the cores, at most 3, so that one of libuv's four threads stays free for files and DNS. */
  readonly concurrency?: number
  /** Calls that may wait. Default 64; 0 refuses at once. */
  readonly queue?: number
  /** Longest wait in ms. Default 5,000. */
  readonly deadlineMs?: number
}

/** What one piece of work takes while it runs. */
export interface WorkCost {
  readonly memoryKiB: number
  readonly threads: number
}

/** Whose work it is, and how it is called off. */
export interface WorkOptions {
  /** Calls with one key wait behind each other, not in front of others: an IP address or a user name. */
  readonly key?: string | undefined
  /** Ends the wait. Work that has begun is finished in the background, and its result dropped. */
  readonly signal?: AbortSignal | undefined
}

interface Waiting {
  readonly key: string
  readonly cost: WorkCost
  readonly start: () => void
  readonly refuse: (reason: unknown) => void
}

const DEFAULT_THREADS = 3
const FIRST_GUESS_MS = 250

/**
 * Lets work run while a budget of memory and threads lasts, and makes the rest wait: a bounded time, in a bounded queue,
 * taking turns between keys. When the queue is full, the key that has most calls waiting loses its newest one.
 */
export class Admission {
  readonly memoryKiB: number
  readonly #threads: number
  readonly #queueLimit: number
  readonly #deadlineMs: number
  readonly #queues = new Map<string, Waiting[]>()
  #waiting = 0
  #memoryUsed = 0
  #threadsUsed = 0
  #meanMs = FIRST_GUESS_MS

  /** @throws InvalidInputError when a limit is no whole number in its range */
  constructor(options: AdmissionOptions = {}) {
    assertOptions(options, 'admission')
    const { memoryMiB = 256, queue = 64, deadlineMs = 5_000 } = options
    const { concurrency = Math.min(availableParallelism(), DEFAULT_THREADS) } = options
    assertWhole(memoryMiB, 'memoryMiB', 1, 1_048_576)
    assertWhole(concurrency, 'concurrency', 1, 1_024)
    assertWhole(queue, 'queue', 0, 1_000_000)
    assertWhole(deadlineMs, 'deadlineMs', 1, 600_000)
    this.memoryKiB = memoryMiB * 1024
    this.#threads = concurrency
    this.#queueLimit = queue
    this.#deadlineMs = deadlineMs
  }

  /**
   * Runs `work` when the budget allows.
   *
   * @param cost at most the whole memory budget; more threads than there are count as all of them
   * @throws OverloadedError when the queue is full or the wait too long; `signal.reason` when it was called off
   */
  async run<Result>(cost: WorkCost, work: () => Promise<Result>, options: WorkOptions = {}): Promise<Result> {
    const { key = '', signal } = options
    signal?.throwIfAborted()
    if (cost.memoryKiB > this.memoryKiB) {
      throw new InvalidInputError(`work of ${cost.memoryKiB} KiB does not fit a budget of ${this.memoryKiB} KiB`)
    }
    const needed = { memoryKiB: cost.memoryKiB, threads: Math.min(Math.max(cost.threads, 1), this.#threads) }
    if (this.#waiting === 0 && this.#fits(needed)) this.#take(needed)
    else await this.#wait(needed, key, signal)
    const running = this.#timed(needed, work)
    return signal === undefined ? running : unlessAborted(running, signal)
  }

  #wait(cost: WorkCost, key: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting >= this.#queueLimit && !this.#makeRoom(key)) throw this.#overloaded('the queue is full')
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      const waiting: Waiting = {
        key,
        cost,
        start: () => {
          settle()
          resolve()
        },
        refuse: (reason) => {
          settle()
          reject(reason)
        },
      }
      const drop = (reason: unknown) => {
        this.#remove(waiting)
        waiting.refuse(reason)
        this.#next() // a large piece of work may have held up smaller ones
      }
      const abort = () => drop(signal?.reason)
      const timer = setTimeout(() => drop(this.#overloaded(`waited ${this.#deadlineMs} ms`)), this.#deadlineMs)
      signal?.addEventListener('abort', abort, { once: true })
      const line = this.#queues.get(key)
      if (line === undefined) this.#queues.set(key, [waiting])
      else line.push(waiting)
      this.#waiting++
    })
  }

  /** Refuses the newest call of the key that has most waiting, unless that is `key` itself. */
  #makeRoom(key: string): boolean {
    let longest: Waiting[] = []
    for (const line of this.#queues.values()) if (line.length > longest.length) longest = line
    if (longest.length <= (this.#queues.get(key)?.length ?? 0) + 1) return false
    const last = longest.at(-1) as Waiting
    this.#remove(last)
    last.refuse(this.#overloaded('the queue is full'))
    return true
  }

  #next(): void {
    for (const [key, line] of this.#queues) {
      const waiting = line[0] as Waiting
      if (!this.#fits(waiting.cost)) return
      this.#remove(waiting)
      if (line.length > 0) {
        this.#queues.delete(key)
        this.#queues.set(key, line) // behind the other keys, where this loop meets it again
      }
      this.#take(waiting.cost)
      waiting.start()
    }
  }

  async #timed<Result>(cost: WorkCost, work: () => Promise<Result>): Promise<Result> {
    const started = performance.now()
    try {
      return await work()
    } finally {
      this.#meanMs += (performance.now() - started - this.#meanMs) / 8
      this.#memoryUsed -= cost.memoryKiB
      this.#threadsUsed -= cost.threads
      this.#next()
    }
  }

  #fits(cost: WorkCost): boolean {
    return this.#threadsUsed + cost.threads <= this.#threads && this.#memoryUsed + cost.memoryKiB <= this.memoryKiB
  }

  #take(cost: WorkCost): void {
    this.#memoryUsed += cost.memoryKiB
    this.#threadsUsed += cost.threads
  }

  #remove(waiting: Waiting): void {
    const line = this.#queues.get(waiting.key)
    const at = line?.indexOf(waiting) ?? -1
    if (line === undefined || at < 0) return
    line.splice(at, 1)
    if (line.length === 0) this.#queues.delete(waiting.key)
    this.#waiting--
  }

  #overloaded(why: string): OverloadedError {
    const retryAfter = Math.ceil((this.#meanMs * (this.#waiting + 1)) / this.#threads)
    return new OverloadedError(`too many passwords to hash at once: ${why}`, retryAfter)
  }
}

async function unlessAborted<Result>(running: Promise<Result>, signal: AbortSignal): Promise<Result> {
  running.catch(() => undefined) // reported by the race, or dropped after an abort
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
  })
  try {
    return await Promise.race([running, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
