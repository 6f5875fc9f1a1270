/** Time as the keyring sees it, so that tests can hold it. */
export interface Clock {
  /** Wall-clock time, for records. */
  date(): Date
  /** ms on a clock that never jumps. */
  now(): number
  /** Calls back after `ms`, without keeping the process alive. @returns a function that cancels it */
  after(ms: number, callback: () => void): () => void
  /** The same for work that somebody waits for: the process stays alive until then. */
  hold(ms: number, callback: () => void): () => void
}

/** The clock of this machine. */
export const systemClock: Clock = {
  date: () => new Date(),
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
  hold: (ms, callback) => {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}
