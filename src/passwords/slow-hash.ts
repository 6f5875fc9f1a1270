import { SLOW_HASH, type SlowHash } from '../index/slow-tag.ts'
import { argon2Runner } from './argon2-runner.ts'

/** The hash of slow indexes, by the fastest Argon2 engine that is here, which is loaded when it is first needed. */
export function slowHash(): SlowHash {
  const run = argon2Runner(undefined)
  return (password, salt) => run({ ...SLOW_HASH, password, salt })
}
