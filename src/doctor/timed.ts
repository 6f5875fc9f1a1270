import { waitFor } from '../wait-for.ts'

/** What a call gave or threw, and how long it took. */
export type Timed<Value> =
  | { readonly value: Value; readonly ms: number }
  | { readonly error: unknown; readonly ms: number }

/** Runs a call that may hang: after `timeoutMs` it is left to itself and counts as failed. Never throws. */
export async function timed<Value>(
  timeoutMs: number,
  call: (signal: AbortSignal) => Promise<Value>,
): Promise<Timed<Value>> {
  const start = performance.now()
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const value = await waitFor(call(signal), signal)
    return { value, ms: performance.now() - start }
  } catch (error) {
    return { error, ms: performance.now() - start }
  }
}
