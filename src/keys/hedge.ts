import { type Clock, systemClock } from './clock.ts'

/** The first success, or every failure in the order of the tries. */
export type Outcome<T> = { readonly won: true; readonly value: T } | { readonly won: false; readonly errors: unknown[] }

/**
 * Starts one try after another, the next when the one before it failed or has not answered for `afterMs`, until one
 * succeeds; then the others are aborted.
 *
 * @param discard takes values that came too late
 * @throws the reason of `signal` when it aborts
 */
export async function firstOf<T>(
  tries: readonly ((signal: AbortSignal) => Promise<T>)[],
  afterMs: number,
  signal: AbortSignal | undefined,
  discard: (late: T) => void,
  clock: Clock = systemClock,
): Promise<Outcome<T>> {
  signal?.throwIfAborted()
  const stop = new AbortController()
  const errors: unknown[] = new Array(tries.length)
  let started = 0
  let failed = 0
  let settled = false
  let cancelNext: (() => void) | undefined
  let onAbort: (() => void) | undefined
  try {
    return await new Promise<Outcome<T>>((resolve, reject) => {
      onAbort = () => {
        settled = true
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      const start = () => {
        cancelNext?.()
        const index = started++
        const attempt = tries[index]
        if (attempt === undefined) return
        if (started < tries.length) cancelNext = clock.hold(afterMs, start)
        attempt(stop.signal).then(
          (value) => {
            if (settled) return discard(value)
            settled = true
            resolve({ won: true, value })
          },
          (error) => {
            if (settled) return
            errors[index] = error
            failed++
            if (failed === tries.length) resolve({ won: false, errors })
            else if (failed === started) start()
          },
        )
      }
      start()
    })
  } finally {
    cancelNext?.()
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort)
    stop.abort()
  }
}
