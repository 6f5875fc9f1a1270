import { describe, expect, test } from 'vitest'
import type { Case } from './case.ts'
import { customer, manyCustomers, plain } from './samples.ts'

/** Promises of tenants and keys: never one for the other, never plaintext for want of a key. */
export function describeScopes(the: () => Case): void {
  describe('tenants and keys', () => {
    test('two tenants that work at the same time never see each other', async () => {
      const work = async (orgId: string) => {
        for (let at = 0; at < 12; at++) {
          const row = customer(orgId, at, { name: 'Shared Name', email: `same${at}@example.com` })
          await the().adapter.create(row)
          await the().adapter.update(row, { visits: at })
          const found = await the().adapter.search('name', 'shared name', orgId)
          expect(found).toHaveLength(at + 1)
          expect(found.every((other) => other.orgId === orgId)).toBe(true)
          expect((await the().adapter.get(row))?.visits).toBe(at)
        }
      }
      await Promise.all([work('acme'), work('globex')])
      const stored = await the().under.stored('customers')
      const tags = (orgId: string) => new Set(stored.filter((row) => row.orgId === orgId).map((row) => row.email_index))
      expect([...tags('acme')].filter((tag) => tags('globex').has(tag))).toEqual([])
      expect(stored).toHaveLength(24)
    })

    test('each tenant has a key of its own', async () => {
      await the().adapter.createMany([...manyCustomers('acme', 3), ...manyCustomers('globex', 3)])
      const stored = await the().under.stored('customers')
      const keys = (orgId: string) =>
        new Set(stored.filter((row) => row.orgId === orgId).map(({ name }) => String(name).slice(0, 20)))
      expect(keys('acme').size).toBe(1)
      expect(keys('acme')).not.toEqual(keys('globex'))
    })

    test('without the key of a tenant a write loads it or says where to unlock, and writes no plaintext', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const other = await the().another([])
      const attempts = {
        create: () => other.create(customer('acme', 2)),
        createMany: () => other.createMany([customer('acme', 3), customer('globex', 4)]),
        update: () => other.update(row, { visits: 3 }),
        upsert: () => other.upsert(customer('acme', 5)),
        search: () => other.search('name', row.name, 'acme'),
      }
      for (const [name, attempt] of Object.entries(attempts)) {
        const error: unknown = await attempt().then(
          () => undefined,
          (reason: unknown) => reason,
        )
        if (error === undefined) continue
        expect(error, name).toMatchObject({ code: 'ERR_KEY_NOT_RESIDENT', message: expect.stringContaining('unlock') })
      }
      const found = await the().adapter.findMany('acme')
      expect(found.every(({ email }) => email.includes('@'))).toBe(true)
    })

    test('without the key of a tenant a read loads it or says where to unlock', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const other = await the().another([])
      const read = await other.get(row).catch((error: unknown) => error)
      if (read instanceof Error) {
        expect(read).toMatchObject({ code: 'ERR_KEY_NOT_RESIDENT', message: expect.stringContaining('unlock') })
      } else expect(plain(read as object)).toEqual(plain(row))
    })

    test('a value moved to another row is not decrypted', async () => {
      const rows = manyCustomers('acme', 2)
      await the().adapter.createMany(rows)
      const stored = await the().under.stored('customers')
      await the().under.move('email', stored[0]?.id as string, stored[1]?.id as string)
      const moved = rows.find(({ id }) => id === stored[1]?.id)
      await expect(the().adapter.get(moved as (typeof rows)[0])).rejects.toMatchObject({
        code: 'ERR_DECRYPTION_FAILED',
      })
    })
  })
}
