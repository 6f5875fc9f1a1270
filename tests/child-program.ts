import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { bundle } from './bundle.ts'

/** A program that the tests of a suite start: built before the first of them, gone after the last. */
export function childProgram(entry: string): { readonly path: string } {
  let built: string | undefined
  beforeAll(async () => {
    built = await bundle(entry)
  }, 60_000)
  afterAll(() => {
    if (built !== undefined) rmSync(dirname(built), { recursive: true, force: true })
  })
  return {
    get path() {
      if (built === undefined) throw new Error(`${entry} is built before the first test, not earlier`)
      return built
    },
  }
}
