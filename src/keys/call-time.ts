/** An attempt or a whole call ran out of time, or its caller gave up. Never leaves `resilience.ts`. */
export class TimeUp extends Error {}

/**
 * The time of one call and of its attempts. The timer of the whole call starts with `watch`, once something went
 * wrong: a healthy call needs the timer of its only attempt and no other.
 */
export class CallTime {
  readonly #endsAt: number
  readonly #attemptMs: number
  #attempt: AbortController | undefined
  #giveUp: ((reason: unknown) => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #over = false

  /** @param deadlineMs for the call. @param attemptMs for one attempt */
  constructor(deadlineMs: number, attemptMs: number) {
    this.#endsAt = performance.now() + deadlineMs
    this.#attemptMs = attemptMs
  }

  /** Milliseconds until the deadline, 0 when the caller already has its answer. */
  get left(): number {
    return this.#over ? 0 : Math.max(0, this.#endsAt - performance.now())
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
      const timer = setTimeout(
        () => {
          reject(new TimeUp())
          stop.abort()
        },
        Math.min(this.#attemptMs, this.left),
      )
      const settle = () => {
        clearTimeout(timer)
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

  /** From now on the call ends at its deadline, also while it waits between attempts. */
  watch(): void {
    if (this.#timer !== undefined || this.#over) return
    this.#timer = setTimeout(() => {
      if (this.#attempt === undefined) this.#giveUp?.(new TimeUp()) // an attempt in flight has a timer of its own
    }, this.left)
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
      clearTimeout(this.#timer)
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort)
    }
  }
}
