import { CommandError } from './output.ts'

/**
 * Runs work that Ctrl-C or SIGTERM stops after its current step; a second signal ends the process as usual.
 *
 * @param again what to tell the operator to go on
 * @throws CommandError when it was stopped
 */
export async function untilInterrupted<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  again: string,
): Promise<Result> {
  const { signal, release } = stopSignal()
  try {
    return await work(signal)
  } catch (error) {
    if (!signal.aborted) throw error
    throw new CommandError('interrupted: what was done stays done', { hint: again, cause: error })
  } finally {
    release()
  }
}

/** A signal that Ctrl-C or SIGTERM aborts; a second one ends the process as usual. Call `release` when nothing listens any more. */
export function stopSignal(): { signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  const stop = () => {
    release()
    controller.abort()
  }
  const release = () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, stop)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  return { signal: controller.signal, release }
}
