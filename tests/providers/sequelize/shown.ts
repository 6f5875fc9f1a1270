import { inspect } from 'node:util'
import { fn, literal, QueryTypes } from 'sequelize'
import { describe, expect, test } from 'vitest'
import type { Case } from '../../adapters/case.ts'
import { customer, order, plain } from '../../adapters/samples.ts'
import type { CustomerInstance, SequelizeHarness } from '../../adapters/sequelize-harness.ts'

const row = customer('acme', 1)
const second = customer('acme', 2)
const orders = [order(row, 1), order(row, 2, null)]
const where = { id: row.id }

/** Promises of what is read: values as their real types by every method that reads, and ciphertexts by none. */
export function describeShown(the: () => Case): void {
  const adapter = () => the().adapter as SequelizeHarness
  const values = (instance: CustomerInstance | null) => plain((instance as CustomerInstance).get({ plain: true }))

  describe('a read', () => {
    const reads: Record<string, () => Promise<CustomerInstance | null | undefined>> = {
      findAll: async () => (await adapter().Customer.findAll())[0],
      'findAll without hooks': async () => (await adapter().Customer.findAll({ hooks: false } as never))[0],
      findOne: () => adapter().Customer.findOne({ where }),
      findByPk: () => adapter().Customer.findByPk(row.id),
      findAndCountAll: async () => (await adapter().Customer.findAndCountAll({ where })).rows[0],
      findOrCreate: async () => (await adapter().Customer.findOrCreate({ where, defaults: row as never }))[0],
      findCreateFind: async () => (await adapter().Customer.findCreateFind({ where, defaults: row as never }))[0],
      findOrBuild: async () => (await adapter().Customer.findOrBuild({ where }))[0],
      'a scope': async () => adapter().Customer.unscoped().scope([]).findOne({ where }),
      'a relation of a model': async () => {
        const found = await adapter().Order.findOne({ include: ['customer'] })
        return (found as unknown as { customer: CustomerInstance }).customer
      },
      'SQL that is mapped to the model': async () => {
        const { Customer, sequelize } = adapter()
        const options = { model: Customer, mapToModel: true, type: QueryTypes.SELECT } as const
        return (await sequelize.query('select * from customers', options))[0] as CustomerInstance
      },
      reload: async () => {
        const found = await adapter().Customer.findOne({ where, attributes: ['id', 'orgId'] })
        return found?.reload({ attributes: Object.keys(row) })
      },
    }
    for (const [name, read] of Object.entries(reads)) {
      test(`by ${name} gives values, and no index column`, async () => {
        await adapter().createWithOrders(row, [orders[0] as (typeof orders)[0]])
        expect(values((await read()) as CustomerInstance)).toEqual(plain(row))
      })
    }

    test('of raw rows gives values, flat or nested', async () => {
      await adapter().createWithOrders(row, orders.slice(0, 1))
      const { Customer } = adapter()
      const [flat] = await Customer.findAll({ raw: true, include: ['orders'] })
      const { id, ...child } = orders[0] as (typeof orders)[0]
      const prefixed = Object.fromEntries(
        Object.entries({ id, ...child }).map(([name, value]) => [`orders.${name}`, value]),
      )
      expect(plain(flat as object)).toEqual(plain({ ...row, ...prefixed }))
      const [nested] = await Customer.findAll({ raw: true, nest: true, include: ['orders'] })
      expect(plain(nested as object)).toEqual(plain({ ...row, orders: orders[0] }))
    })

    test('of relations by a query of their own, and of none, gives values', async () => {
      await adapter().createWithOrders(row, orders)
      await adapter().create(second)
      const include = [{ association: 'orders', separate: true, order: ['id'] as never }]
      const found = await adapter().Customer.findAll({ include, order: ['id'] })
      expect(found.map(({ orders: own }) => own?.map((one) => one.get({ plain: true })))).toEqual([orders, []])
      const raw = await adapter().Customer.findAll({
        raw: true,
        include: ['orders'],
        where: { id: second.id },
      })
      expect(raw).toEqual([
        expect.objectContaining({ email: 'person2@acme.example', 'orders.id': null, 'orders.memo': null }),
      ])
    })

    test('of a selection gives its columns, and further expressions', async () => {
      await adapter().create(row)
      const { Customer } = adapter()
      const attributes = ['id', 'orgId', 'balance', [fn('upper', literal('status')), 'upper']] as never
      const [found] = await Customer.findAll({ attributes })
      expect(found?.get({ plain: true })).toEqual({ id: row.id, orgId: 'acme', balance: row.balance, upper: 'TRIAL' })
      expect(await Customer.findAll({ attributes: ['status'], group: ['status'], raw: true })).toEqual([
        { status: 'trial' },
      ])
      expect(await Customer.count()).toBe(1)
    })

    test("by SQL of one's own without a model shows nothing, and is written nowhere", async () => {
      await adapter().create(row)
      const { sequelize, Customer } = adapter()
      const [rows] = await sequelize
        .query('select id, email, photo, max(status) from customers group by id, email, photo')
        .catch(() => sequelize.query('select id, email, photo from customers'))
      const [stored] = rows as Record<string, unknown>[]
      expect(JSON.stringify(rows) + inspect(rows, { depth: 9 })).not.toMatch(/sr1_/)
      expect(String(stored?.email)).toBe('[encrypted]')
      await expect(Customer.update({ status: stored?.email as string }, { where })).rejects.toThrow()
      expect(
        await sequelize.query('select count(*) as n from customers where nickname is null', {
          plain: true,
          type: QueryTypes.SELECT,
        }),
      ).toBeTruthy()
    })
  })
}
