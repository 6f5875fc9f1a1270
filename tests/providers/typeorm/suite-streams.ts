import { describe, expect, test } from 'vitest'
import type { Case } from '../../adapters/case.ts'
import { customer, manyCustomers } from '../../adapters/samples.ts'
import { Customers, type TypeormHarness } from '../../adapters/typeorm-harness.ts'

/** Promises of `stream()`, TypeORM's own and that of an encrypted entity, where the database has streams. */
export function describeStreams(the: () => Case): void {
  const refused = { code: 'ERR_INVALID_INPUT' }
  const harness = () => the().adapter as TypeormHarness
  const select = () => harness().source.manager.createQueryBuilder(Customers, 'c')

  describe('stream() of TypeORM', () => {
    const refusals: [string, () => Promise<unknown>][] = [
      ['a write of plaintext', () => streamed(`update customers set email = 'plain'`)],
      ['a write of an index', () => streamed(`update customers set email_index = 'plain'`)],
      ['an order by an encrypted column', () => select().orderBy('c.name').stream()],
      ['a comparison with one', () => select().where('c.name = :name', { name: 'x' }).stream()],
    ]
    for (const [name, attempt] of refusals) {
      test(`refuses ${name}, and gives its connection back`, async () => {
        await the().adapter.create(customer('acme', 1))
        const before = await the().under.stored('customers')
        // More often than pools have connections.
        for (let tries = 0; tries < 12; tries++) await expect(attempt()).rejects.toMatchObject(refused)
        expect(await the().under.stored('customers')).toEqual(before)
        expect(await the().adapter.findMany('acme')).toHaveLength(1)
      })
    }

    test('that is refused in a transaction leaves it to go on', async () => {
      await harness().source.transaction(async (inner) => {
        const query = inner.createQueryBuilder(Customers, 'c').orderBy('c.name')
        await expect(query.stream()).rejects.toMatchObject(refused)
        await inner.insert(Customers, customer('acme', 1))
      })
      expect(await the().adapter.findMany('acme')).toHaveLength(1)
    })
  })

  describe('stream() of an encrypted entity', () => {
    test('in a transaction that leaves it early goes on', async () => {
      const rows = manyCustomers('acme', 250)
      await the().adapter.createMany(rows)
      await harness().source.transaction(async (inner) => {
        for await (const row of harness().sealed.stream(inner.createQueryBuilder(Customers, 'c'))) {
          expect(rows.map(({ id }) => id)).toContain(row.id)
          break
        }
        await inner.insert(Customers, customer('acme', 999))
      })
      expect(await the().adapter.findMany('acme')).toHaveLength(251)
    })

    test('refuses what cannot be read, other entities and queries without the tenant', async () => {
      await the().adapter.create(customer('acme', 1))
      const joined = select().leftJoin('c.orders', 'o').addSelect('c.email', 'other')
      const attempts = [select().orderBy('c.name'), joined, select().select(['c.id', 'c.name']), 5]
      for (const query of attempts) {
        for (let tries = 0; tries < 12; tries++) {
          const next = harness()
            .sealed.stream(query as never)
            .next()
          await expect(next).rejects.toMatchObject(refused)
        }
      }
      const orders = harness().source.manager.createQueryBuilder('Order', 'o')
      await expect(
        harness()
          .sealed.stream(orders as never)
          .next(),
      ).rejects.toThrow('Customer')
    })

    test('gives a selection of columns, and what else the query selects under its own name', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const query = select().select(['c.id', 'c.orgId', 'c.name']).addSelect('42', 'answer')
      const found: object[] = []
      for await (const one of harness().sealed.stream(query))
        found.push({ ...one, answer: Number((one as { answer?: unknown }).answer) })
      expect(found).toEqual([{ id: row.id, orgId: 'acme', name: row.name, answer: 42 }])
    })
  })

  async function streamed(sql: string): Promise<unknown> {
    const runner = harness().source.createQueryRunner()
    return runner.stream(sql).finally(() => runner.release())
  }
}
