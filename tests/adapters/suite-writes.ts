import { describe, expect, test } from 'vitest'
import type { Case } from './case.ts'
import { customer, manyCustomers, order, plain } from './samples.ts'

/** Promises of what is written: each kind of write encrypts, and is read back as it was. */
export function describeWrites(the: () => Case): void {
  describe('writes', () => {
    test('create returns every value in its own type, and another process reads it so', async () => {
      const row = customer('acme', 1)
      expect(plain(await the().adapter.create(row))).toEqual(plain(row))
      const other = await the().another(['acme'])
      const read = await other.get(row)
      expect(plain(read as object)).toEqual(plain(row))
      expect(read?.birthDate).toBeInstanceOf(Date)
      expect(typeof read?.balance).toBe('bigint')
    })

    test('null is encrypted like a value, and shown where the field says so', async () => {
      const row = customer('acme', 1, { birthDate: null, photo: null, nickname: null })
      await the().adapter.create(row)
      expect(await the().adapter.get(row)).toEqual(row)
      const [stored] = await the().under.stored('customers')
      expect(stored?.birthDate).toMatch(/^sr1_/)
      expect(stored?.photo).toBeInstanceOf(Uint8Array)
      expect(stored?.nickname).toBeNull()
    })

    test('values at the edges of their types come back unchanged', async () => {
      const row = customer('acme', 1, {
        name: "O'Brien \\ 𝄞 % _",
        birthDate: new Date(-1),
        visits: Number.MIN_SAFE_INTEGER,
        rating: -0,
        balance: -(2n ** 200n),
        photo: new Uint8Array(0),
        notes: [],
        nickname: '',
      })
      await the().adapter.create(row)
      expect(plain((await the().adapter.get(row)) as object)).toEqual(plain(row))
    })

    test('a bulk insert encrypts every row under its own id', async () => {
      const rows = manyCustomers('acme', 50)
      await the().adapter.createMany(rows)
      expect((await the().adapter.findMany('acme')).map(plain)).toEqual(rows.map(plain))
      const stored = await the().under.stored('customers')
      expect(new Set(stored.map(({ name }) => name)).size).toBe(50)
    })

    test('an update changes what it names, its index with it, and nothing else', async () => {
      const [row, other] = [customer('acme', 1), customer('acme', 2)]
      await the().adapter.createMany([row, other])
      const before = await the().under.stored('customers')
      expect(await the().adapter.update(row, { email: 'new@acme.example', visits: 99 })).toBe(1)
      const changed = { ...row, email: 'new@acme.example', visits: 99 }
      expect(plain((await the().adapter.get(row)) as object)).toEqual(plain(changed))
      expect((await the().adapter.search('email', 'NEW@acme.example', 'acme')).map(({ id }) => id)).toEqual([row.id])
      expect(await the().adapter.search('email', row.email, 'acme')).toEqual([])
      const after = await the().under.stored('customers')
      const columns = (rows: typeof after, id: string) => rows.find((stored) => stored.id === id)
      expect(columns(after, other.id)).toEqual(columns(before, other.id))
      expect(columns(after, row.id)?.name).toBe(columns(before, row.id)?.name)
    })

    test('a partial update of plain columns leaves every ciphertext alone', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const [before] = await the().under.stored('customers')
      expect(await the().adapter.update(row, { status: 'closed' })).toBe(1)
      expect(await the().under.stored('customers')).toEqual([{ ...before, status: 'closed' }])
    })

    test('an update to null is encrypted, and an update of one field of a compound index is refused', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      await the().adapter.update(row, { nickname: null, photo: null })
      expect(await the().adapter.get(row)).toEqual({ ...row, nickname: null, photo: null })
      const before = await the().under.stored('customers')
      await expect(the().adapter.update(row, { name: 'Half' })).rejects.toThrow(/person_index/)
      expect(await the().under.stored('customers')).toEqual(before)
    })

    test('an update of a row that is not there, or is of another tenant, changes nothing', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const before = await the().under.stored('customers')
      expect(await the().adapter.update({ ...row, orgId: 'globex' }, { visits: 5 })).toBe(0)
      expect(await the().adapter.update({ ...row, id: customer('acme', 2).id }, { visits: 5 })).toBe(0)
      expect(await the().under.stored('customers')).toEqual(before)
    })

    test('an update of many rows encrypts each under its own id', async () => {
      const rows = manyCustomers('acme', 20)
      await the().adapter.createMany(rows)
      await the().adapter.createMany(manyCustomers('globex', 4))
      const changed = await the().adapter.updateMany({ orgId: 'acme', status: 'active' }, { visits: 1_000, vip: true })
      expect(changed).toBe(10)
      const expected = rows.map((row) => (row.status === 'active' ? { ...row, visits: 1_000, vip: true } : row))
      expect((await the().adapter.findMany('acme')).map(plain)).toEqual(expected.map(plain))
      const stored = await the().under.stored('customers')
      expect(new Set(stored.map(({ visits }) => visits)).size).toBe(24)
    })

    test('an update of many rows in plain columns alone is one ordinary statement', async () => {
      await the().adapter.createMany(manyCustomers('acme', 6))
      expect(await the().adapter.updateMany({ orgId: 'acme', status: 'active' }, { status: 'closed' })).toBe(3)
      expect((await the().adapter.findMany('acme')).map(({ status }) => status)).toEqual(
        manyCustomers('acme', 6).map(({ status }) => (status === 'active' ? 'closed' : status)),
      )
    })

    test('an upsert inserts, and then replaces the values of the row', async () => {
      const row = customer('acme', 1)
      await the().adapter.upsert(row)
      const changed = { ...customer('acme', 2), id: row.id }
      await the().adapter.upsert(changed)
      expect((await the().adapter.findMany('acme')).map(plain)).toEqual([plain(changed)])
      expect((await the().adapter.search('email', changed.email, 'acme')).map(({ id }) => id)).toEqual([row.id])
      expect(await the().adapter.search('email', row.email, 'acme')).toEqual([])
    })

    test('an upsert with the id of a row of another tenant leaves that row as it is', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const before = await the().under.stored('customers')
      await the()
        .adapter.upsert({ ...customer('globex', 2), id: row.id })
        .catch(() => undefined)
      expect(await the().under.stored('customers')).toEqual(before)
      expect(plain((await the().adapter.get(row)) as object)).toEqual(plain(row))
    })

    test('delete returns what the row held', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      expect(plain((await the().adapter.delete(row)) as object)).toEqual(plain(row))
      expect(await the().adapter.delete(row)).toBeUndefined()
      expect(await the().under.stored('customers')).toEqual([])
    })

    test('a unique index refuses an equal value of the same tenant, and allows it to another', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      await expect(the().adapter.create(customer('acme', 2, { email: row.email.toUpperCase() }))).rejects.toThrow()
      await the().adapter.create(customer('globex', 3, { email: row.email }))
      expect(await the().under.stored('customers')).toHaveLength(2)
    })

    test('a row and its children are written together, under ids known before they are written', async () => {
      const row = customer('acme', 1)
      const ids = [await the().adapter.nextOrderId(), await the().adapter.nextOrderId()]
      const own = ids.map((id) => order(row, id))
      await the().adapter.createWithOrders(row, own)
      const [found] = await the().adapter.withOrders('acme')
      expect(plain(found?.customer as object)).toEqual(plain(row))
      expect(found?.orders.toSorted((a, b) => a.id - b.id)).toEqual(own)
    })

    test('children that cannot be written take their parent with them', async () => {
      const row = customer('acme', 1)
      const same = [order(row, 1), order(row, 1)]
      await expect(the().adapter.createWithOrders(row, same)).rejects.toThrow()
      expect(await the().under.stored('customers')).toEqual([])
      expect(await the().under.stored('orders')).toEqual([])
    })

    test('a transaction commits all of its writes, or none', async () => {
      const rows = manyCustomers('acme', 3)
      const [first, second, third] = rows as [(typeof rows)[0], (typeof rows)[0], (typeof rows)[0]]
      await the().adapter.transaction(async (queries) => {
        await queries.create(first)
        await queries.update(first, { visits: 1 })
        expect((await queries.get(first))?.visits).toBe(1)
      })
      const failed = the().adapter.transaction(async (queries) => {
        await queries.create(second)
        await queries.updateMany({ orgId: 'acme', status: first.status }, { visits: 2 })
        await queries.upsert({ ...third, id: first.id })
        throw new Error('changed my mind')
      })
      await expect(failed).rejects.toThrow('changed my mind')
      expect((await the().adapter.findMany('acme')).map(plain)).toEqual([plain({ ...first, visits: 1 })])
    })
  })
}
