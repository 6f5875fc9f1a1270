import { setTimeout as delay } from 'node:timers/promises'

const ROUNDS = 8

/** Runs a transaction again, up to eight times, when it lost to another one and nothing of it was written. */
export async function tryAgain<Result>(
  isRace: (error: unknown) => boolean,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let round = 1; ; round++) {
    try {
      return await work()
    } catch (error) {
      if (round === ROUNDS || !isRace(error)) throw error
      await delay(Math.random() * 10 * 2 ** round)
    }
  }
}
