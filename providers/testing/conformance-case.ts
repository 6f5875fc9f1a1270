/** One promise of a contract, and how to check it. `run` rejects with an `AssertionError` when it does not hold. */
export interface ConformanceCase {
  /** The promise, as a sentence. */
  readonly name: string
  /** Makes a harness, checks the promise, and closes the harness. */
  readonly run: () => Promise<void>
}

/** Makes cases that each get a harness of their own, closed when the case ends however it ends. */
export function casesOf<Harness extends { close?(): Promise<void> }>(
  make: () => Promise<Harness>,
  promises: Readonly<Record<string, (harness: Harness) => Promise<void>>>,
): ConformanceCase[] {
  return Object.entries(promises).map(([name, check]) => ({
    name,
    run: async () => {
      const harness = await make()
      try {
        await check(harness)
      } finally {
        await harness.close?.()
      }
    },
  }))
}
