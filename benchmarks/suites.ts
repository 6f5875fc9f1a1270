import { blindIndex } from './blind-index-suite.ts'
import { keys } from './keys.ts'
import { kms } from './kms.ts'
import { benchmarkMessages } from './messages.ts'
import { orm } from './orm.ts'
import { passwords } from './passwords.ts'
import { records } from './records.ts'
import type { Suite } from './result.ts'
import { rotation } from './rotation.ts'
import { rotationScale } from './rotation-scale.ts'
import { scale } from './scale.ts'
import { startup } from './startup.ts'

/** Every suite by the name it has on the command line. */
export const suites: Readonly<Record<string, Suite>> = {
  records,
  index: blindIndex,
  keys,
  startup,
  scale,
  messages: benchmarkMessages,
  passwords,
  kms,
  orm,
  rotation,
  'rotation-scale': rotationScale,
}
