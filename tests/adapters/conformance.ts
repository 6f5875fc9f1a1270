import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { assertStoredEncrypted } from './assert-stored.ts'
import type { Case } from './case.ts'
import { type Differences, describeDifferences } from './differences.ts'
import type { AdapterHarness, AdapterUnderTest } from './harness.ts'
import { manyCustomers, plain } from './samples.ts'
import { describeReads } from './suite-reads.ts'
import { describeRefusals } from './suite-refusals.ts'
import { SuiteRooms } from './suite-room.ts'
import { describeScopes } from './suite-scopes.ts'
import { describeWrites } from './suite-writes.ts'

/**
 * Every promise of an adapter of an object mapper, the same for all of them.
 *
 * @param name the adapter and its database
 * @param start makes the database with the empty tables; called once
 * @param stop called once, after the last case
 * @param own further cases of this adapter, with an empty database each
 * @param differences what it does otherwise, as its page says
 */
export function describeAdapter(
  name: string,
  start: () => Promise<AdapterUnderTest>,
  stop: () => Promise<unknown>,
  own: (the: () => Case) => void = () => undefined,
  differences?: Differences,
): void {
  describe(name, () => {
    let under: AdapterUnderTest
    let rooms: SuiteRooms
    let open: AdapterHarness[]
    let current: Case

    beforeAll(async () => {
      under = await start()
    }, 60_000)
    afterAll(stop)
    beforeEach(async () => {
      await under.clear()
      rooms = new SuiteRooms()
      open = []
      const another = async (tenants: readonly string[]) => {
        const adapter = await under.open(await rooms.open(tenants))
        open.push(adapter)
        return adapter
      }
      current = { under, rooms, another, said: differences?.said ?? {}, adapter: await another(['acme', 'globex']) }
    })
    afterEach(async () => {
      await assertStoredEncrypted(under)
      for (const adapter of open) await adapter.close()
      await rooms.close()
    })

    describeWrites(() => current)
    describeReads(() => current)
    describeScopes(() => current)
    describeRefusals(() => current)
    own(() => current)
    if (differences !== undefined) describeDifferences(differences)

    const count = process.env.STRONGROOM_SLOW === '1' ? 10_000 : 500
    test(`reads ${count} rows and loads each key once`, { timeout: 120_000 }, async () => {
      const rows = manyCustomers('acme', count)
      for (let at = 0; at < count; at += 500) await current.adapter.createMany(rows.slice(at, at + 500))
      const second = await current.another(['acme'])
      const before = { reads: rooms.reads, unwraps: rooms.unwraps }
      const found = await second.findMany('acme')
      expect(found.length).toBe(count)
      expect(plain(found[count - 1] as object)).toEqual(plain(rows[count - 1] as object))
      expect(rooms.reads - before.reads).toBeLessThanOrEqual(1)
      expect(rooms.unwraps).toBe(before.unwraps)
    })
  })
}
