import type { Case } from '../../adapters/case.ts'
import { describeRefused } from './refused.ts'
import { describeShown } from './shown.ts'
import { describeWritten } from './written.ts'

/** What the adapter promises beyond the suite, on every database. */
export function describeOwn(the: () => Case): void {
  describeRefused(the)
  describeShown(the)
  describeWritten(the)
}
