import { setImmediate } from 'node:timers/promises'

const SLICE_MS = 4

/** Does a cheap step many times on the main thread, and lets other work in between every few milliseconds. */
export async function repeat(times: number, step: (round: number) => void): Promise<void> {
  let until = performance.now() + SLICE_MS
  for (let round = 0; round < times; round++) {
    step(round)
    if (round % 64 === 63 && performance.now() > until) {
      await setImmediate()
      until = performance.now() + SLICE_MS
    }
  }
}
