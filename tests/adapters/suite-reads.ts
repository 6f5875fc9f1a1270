import { describe, expect, test } from 'vitest'
import type { Case } from './case.ts'
import { customer, manyCustomers, order, plain } from './samples.ts'

/** Promises of what is found: the rows that match, whole or in part, and no other. */
export function describeReads(the: () => Case): void {
  describe('reads', () => {
    test('a search finds a value however it is written, by an index that rows share', async () => {
      const rows = manyCustomers('acme', 40)
      await the().adapter.createMany(rows)
      const stored = await the().under.stored('customers')
      const tags = new Map(stored.map((row) => [row.id, row.name_index]))
      const wanted = rows[17] as (typeof rows)[0]
      const sharing = rows.filter(({ id }) => tags.get(id) === tags.get(wanted.id))
      expect(sharing.length).toBeGreaterThan(1)
      const found = await the().adapter.search('name', wanted.name.toUpperCase(), 'acme')
      expect(found.map(plain)).toEqual([plain(wanted)])
      expect(await the().adapter.search('name', 'Nobody', 'acme')).toEqual([])
    })

    test('a search by a unique index finds one row', async () => {
      await the().adapter.createMany(manyCustomers('acme', 5))
      const found = await the().adapter.search('email', ' Person3@ACME.example', 'acme')
      expect(found.map(({ name }) => name)).toEqual(['Person Number3'])
    })

    test('a search by a compound index finds rows in which all fields match', async () => {
      const rows = manyCustomers('acme', 20)
      await the().adapter.createMany(rows)
      const { id, name, birthDate } = rows[4] as (typeof rows)[0]
      const at = (date: Date | null) => the().adapter.search('person_index', { name, birthDate: date as Date }, 'acme')
      expect((await at(birthDate)).map((row) => row.id)).toEqual([id])
      expect(await at(new Date(0))).toEqual([])
    })

    test('a search finds what was written under an index key that was rotated since', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const room = await the().rooms.open(['acme'])
      await room.keys.rotate({ purpose: 'index', scope: { tenant: 'acme' } })
      const other = await the().another(['acme'])
      const later = customer('acme', 2, { name: row.name })
      await other.create(later)
      const found = await other.search('name', row.name, 'acme')
      expect(found.map(({ id }) => id).sort()).toEqual([row.id, later.id])
    })

    test('a selection of columns has those columns alone', async () => {
      const rows = manyCustomers('acme', 5)
      await the().adapter.createMany(rows)
      expect(await the().adapter.pick('acme')).toEqual(rows.map(({ name, birthDate }) => ({ name, birthDate })))
    })

    test('a relation decrypts both sides, and a row without children has none', async () => {
      const rows = manyCustomers('acme', 3)
      const [first, , third] = rows as [(typeof rows)[0], (typeof rows)[0], (typeof rows)[0]]
      await the().adapter.createMany(rows.slice(1))
      const ids = [await the().adapter.nextOrderId(), await the().adapter.nextOrderId()]
      const own = [order(first, ids[0] as number), order(first, ids[1] as number, null)]
      await the().adapter.createWithOrders(first, own)
      const found = await the().adapter.withOrders('acme')
      const of = (id: string) => found.find(({ customer: { id: own } }) => own === id)
      expect(found).toHaveLength(3)
      expect(plain(of(first.id)?.customer as object)).toEqual(plain(first))
      expect(of(first.id)?.orders.toSorted((a, b) => a.id - b.id)).toEqual(own)
      expect(of(third.id)?.orders).toEqual([])
    })

    test('a stream gives every row, decrypted', async ({ skip }) => {
      const { adapter, said } = the()
      if (adapter.stream === undefined) return skip(said.stream ?? 'this mapper has no cursor')
      const rows = manyCustomers('acme', 250)
      await adapter.createMany(rows)
      const seen = new Set<string>()
      for await (const row of adapter.stream('acme')) {
        expect(row.email).toMatch(/^person\d+@acme\.example$/)
        seen.add(row.id)
      }
      expect(seen.size).toBe(250)
    })

    test('a stream that is left early gives its connection back', async ({ skip }) => {
      const { adapter, said } = the()
      if (adapter.stream === undefined) return skip(said.stream ?? 'this mapper has no cursor')
      await adapter.createMany(manyCustomers('acme', 250))
      for (let tries = 0; tries < 12; tries++) {
        for await (const { id } of adapter.stream('acme')) {
          expect(id).toBeTypeOf('string')
          break
        }
      }
      expect(await adapter.findMany('acme')).toHaveLength(250)
    })

    test("rows of one's own SQL are decrypted by the adapter's helper", async () => {
      const rows = manyCustomers('acme', 3)
      await the().adapter.createMany(rows)
      const found = await the().adapter.raw('acme')
      expect(found.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(plain)).toEqual(rows.map(plain))
    })
  })
}
