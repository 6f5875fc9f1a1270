import { afterAll, beforeAll } from 'vitest'

/** For the tests of a file or a `describe` that end in thousands of expected errors: nobody reads where they come from. */
export function withoutStacks(): void {
  const { stackTraceLimit } = Error
  beforeAll(() => {
    Error.stackTraceLimit = 0
  })
  afterAll(() => {
    Error.stackTraceLimit = stackTraceLimit
  })
}
