import { describe, expect, test } from 'vitest'
import type { Case } from './case.ts'
import type { Refusals } from './harness.ts'
import { refusal } from './refusal.ts'
import { manyCustomers } from './samples.ts'

const PROMISES: Readonly<Record<keyof Refusals, readonly [promise: string, says: RegExp]>> = {
  compare: ['a comparison of an encrypted column names the index to use', /email_index/],
  order: ['an order by an encrypted column is refused with the reason', /order/],
  updateUnknownRow: ['an update of an encrypted column says that it must know the row', /\bid\b/],
  changeTenant: ['a row cannot move to another tenant by an update', /orgId/],
  writeIndex: ['an index column cannot be written by hand', /email_index/],
  createWithoutId: ['a row without its id is refused', /\bid\b/],
  createWithoutField: ['a row without a field is refused', /email/],
  rawWrite: ['SQL that would write past the adapter is refused', /customers/],
}

/** Promises of what cannot be done: an error that says what to do instead, and not one changed byte. */
export function describeRefusals(the: () => Case): void {
  describe('refusals', () => {
    for (const [name, [promise, says]] of Object.entries(PROMISES) as [keyof Refusals, readonly [string, RegExp]][]) {
      test(promise, async ({ skip }) => {
        const { adapter, said, under } = the()
        await adapter.createMany(manyCustomers('acme', 4))
        const before = await under.stored('customers')
        const attempt = adapter.refused[name]
        if (attempt === undefined) return skip(said[name] ?? 'it cannot happen with this mapper, see its page')
        const error: unknown = await Promise.resolve()
          .then(attempt)
          .then(
            () => undefined,
            (reason: unknown) => reason,
          )
        expect(error).toEqual(refusal(says))
        expect(await under.stored('customers')).toEqual(before)
      })
    }
  })
}
