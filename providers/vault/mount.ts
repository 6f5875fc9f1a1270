import { assertText } from '../../src/bytes.ts'
import { InvalidInputError } from '../../src/errors.ts'

const PATH = /^[\w-][\w./-]{0,255}$/

/** Refuses what is no path of a mount: it becomes part of the addresses that are asked. @throws InvalidInputError */
export function assertMount(path: unknown, name: string): asserts path is string {
  assertText(path, name)
  if (PATH.test(path) && !path.endsWith('/') && !/\/\/|\.\./.test(path)) return
  throw new InvalidInputError(`${name} must be a path of letters, digits, "_", "-", "." and "/"`)
}
