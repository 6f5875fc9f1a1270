import { expect } from 'vitest'

/** The error of what an adapter refuses, whose message says this. */
export const refusal = (says: RegExp) =>
  expect.objectContaining({ code: 'ERR_INVALID_INPUT', message: expect.stringMatching(says) })
