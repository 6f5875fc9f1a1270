import type { Clock } from '../src/keys/clock.ts'

interface Timer {
  readonly at: number
  readonly callback: () => void
}

/**
 * A clock whose time passes only when there is nothing else to do: what runs on it takes as long, in its time, on a
 * machine that is busy as on one that is not, and an hour of waiting takes no time at all.
 *
 * Everything that runs must wait for nothing but promises and this clock.
 */
export class SimulatedClock implements Clock {
  readonly #timers = new Set<Timer>()
  #now = 0

  date(): Date {
    return new Date(this.#now)
  }

  now(): number {
    return this.#now
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(ms, 0), callback }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  hold(ms: number, callback: () => void): () => void {
    return this.after(ms, callback)
  }

  /** Waits; rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const abort = () => {
        cancel()
        reject(signal?.reason)
      }
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      })
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** Runs `work` to its end, moving on from timer to timer. @throws what it throws, or Error when it waits for ever */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    let ended = false
    const end = () => {
      ended = true
    }
    const running = work()
    running.then(end, end)
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve)) // every promise that can settle has done so then
      if (ended) return running
      const next = this.#earliest()
      if (next === undefined) throw new Error('waits for something that this clock does not bring')
      this.#timers.delete(next)
      this.#now = next.at
      next.callback()
    }
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined
    for (const timer of this.#timers) if (earliest === undefined || timer.at < earliest.at) earliest = timer
    return earliest
  }
}
