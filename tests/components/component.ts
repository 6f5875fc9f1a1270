import { describe } from 'vitest'

/**
 * Describes tests that need more than npm: skipped with one line where the component is missing, failed in CI, so that
 * a skip never hides there.
 *
 * @param missing how to get what is missing, or undefined when it is there
 */
export function describeComponent(name: string, missing: string | undefined, tests: () => void): void {
  if (missing === undefined) return void describe(name, tests)
  if (process.env.STRONGROOM_CI === '1') throw new Error(`${name} must not be skipped here: ${missing}`)
  console.info(`skipped ${name}: ${missing}`)
  describe.skip(name, tests)
}
