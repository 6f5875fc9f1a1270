/**
 * Waits for work that others wait for too: the signal ends the wait, not the work.
 *
 * @throws what the work throws, or the reason of the signal
 */
export function waitFor<Value>(work: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (!signal) return work
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    const settle = (): void => signal.removeEventListener('abort', abort)
    signal.addEventListener('abort', abort, { once: true })
    work.finally(settle).then(resolve, reject)
  })
}
