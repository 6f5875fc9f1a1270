import type { Clock } from './clock.ts'

/** An attempt or a whole call ran out of time, or its caller gave up. Never leaves `resilience.ts`. */
export class TimeUp extends Error {}

/**
 * The time of one call and of its attempts. The timer of the whole call starts with `watch`, once something went
 * wrong: a healthy call needs the timer of its only attempt and no other.
 */
export class CallTime {
  readonly #clock: Clock
  readonly #endsAt: number
  readonly #attemptMs: number
  #attempt: AbortController | undefined
  #giveUp: ((reason: unknown) => void) | undefined
  #stopWatching: (() => void) | undefined
  #stopWaiting: (() => void) | undefined
  #over = false

  /** @param deadlineMs for the call. @param attemptMs for one attempt */
  constructor(clock: Clock, deadlineMs: number, attemptMs: number) {
    this.#clock = clock
    this.#endsAt = clock.now() + deadlineMs
    this.#attemptMs = attemptMs
  }

  /** Milliseconds until the deadline, 0 when the caller already has its answer. */
  get left(): number {
    return this.#over ? 0 : Math.max(0, this.#endsAt - this.#clock.now())
  }

  /** Whether the caller has its answer, so that whatever still happens reaches nobody. */
  get over(): boolean {
    return this.#over
  }

  startAttempt(): AbortController {
    this.#attempt = new AbortController()
    return this.#attempt
  }

  /** What `work` gives, or TimeUp when it takes longer than an attempt may; `stop` is aborted then. */
  limit<T>(work: Promise<T>, stop: AbortController): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const cancel = this.#clock.hold(Math.min(this.#attemptMs, this.left), () => {
        reject(new TimeUp())
        stop.abort()
      })
      const settle = () => {
        cancel()
        if (this.#attempt === stop) this.#attempt = undefined
      }
      work.then(
        (value) => {
          settle()
          resolve(value)
        },
        (error) => {
          settle()
          reject(error)
        },
      )
    })
  }

  /** Lets `ms` pass between attempts. TimeUp when the caller has its answer meanwhile. */
  wait(ms: number): Promise<void> {
    if (this.#over) return Promise.reject(new TimeUp())
    return new Promise<void>((resolve, reject) => {
      const cancel = this.#clock.hold(ms, resolve)
      this.#stopWaiting = () => {
        cancel()
        reject(new TimeUp())
      }
    })
  }

  /** From now on the call ends at its deadline, also while it waits between attempts. */
  watch(): void {
    if (this.#stopWatching !== undefined || this.#over) return
    this.#stopWatching = this.#clock.hold(this.left, () => {
      if (this.#attempt === undefined) this.#giveUp?.(new TimeUp()) // an attempt in flight has a timer of its own
    })
  }

  /** What `work` gives, or TimeUp at the deadline, or the reason of `signal`, at once. */
  async untilOver<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    let onAbort: (() => void) | undefined
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#giveUp = reject
        if (signal !== undefined) {
          onAbort = () => {
            this.#over = true
            reject(signal.reason)
            this.#attempt?.abort(signal.reason)
          }
          signal.addEventListener('abort', onAbort, { once: true })
        }
        work.then(resolve, reject)
      })
    } finally {
      this.#over = true
      this.#stopWatching?.()
      this.#stopWaiting?.()
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort)
    }
  }
}
