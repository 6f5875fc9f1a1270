import { blindIndex } from './blind-index-suite.ts'
import { kms } from './kms.ts'
import { passwords } from './passwords.ts'
import { records } from './records.ts'
import type { Suite } from './result.ts'

/** Every suite by the name it has on the command line. */
export const suites: Readonly<Record<string, Suite>> = {
  records,
  index: blindIndex,
  passwords,
  kms,
}
