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
  const controller = new AbortController()
  const stop = () => {
    remove()
    controller.abort()
  }
  const remove = () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, stop)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  try {
    return await work(controller.signal)
  } catch (error) {
    if (!controller.signal.aborted) throw error
    throw new CommandError('interrupted: what was done stays done', { hint: again, cause: error })
  } finally {
    remove()
  }
}
