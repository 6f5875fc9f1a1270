import { inspect } from 'node:util'
import { type CreationAttributes, type Model, Op, type Sequelize } from 'sequelize'
import { describe, expect, test } from 'vitest'
import type { Case } from '../../adapters/case.ts'
import { customer, manyCustomers, order, plain } from '../../adapters/samples.ts'
import type { CustomerInstance, SequelizeHarness } from '../../adapters/sequelize-harness.ts'

type New = CreationAttributes<CustomerInstance>

/** Promises of what is written with Sequelize beyond the suite, and of what instances show meanwhile. */
export function describeWritten(the: () => Case): void {
  const adapter = () => the().adapter as SequelizeHarness
  const people = manyCustomers('acme', 9)
  const person = (at: number) => people[at] as (typeof people)[0]
  const row = person(1)
  const given = (at: number, changes = {}) => ({ ...person(at), ...changes }) as unknown as New
  const load = async (id = row.id) => (await adapter().Customer.findByPk(id)) as CustomerInstance
  const values = (instance: Model) => plain(instance.get({ plain: true }) as object)

  describe('an instance', () => {
    test('that was loaded is saved with what was changed, and its indexes with it', async () => {
      await adapter().create(row)
      const [before] = await the().under.stored('customers')
      const loaded = await load()
      loaded.name = 'Ada'
      expect(loaded.changed()).toEqual(['name'])
      await loaded.save()
      expect(loaded.changed()).toBe(false)
      expect(values(loaded)).toEqual(plain({ ...row, name: 'Ada' }))
      const [after] = await the().under.stored('customers')
      expect(after).toMatchObject({ email: before?.email, email_index: before?.email_index, visits: before?.visits })
      const ada = { name: 'Ada', birthDate: row.birthDate as Date }
      expect((await adapter().search('person_index', ada, 'acme')).map(({ id }) => id)).toEqual([row.id])
      await (await loaded.reload()).update({ status: 'closed' })
      expect(values(await load())).toEqual(plain({ ...row, name: 'Ada', status: 'closed' }))
    })

    test('that was created can be changed at once', async () => {
      const made = await adapter().Customer.create(given(1))
      made.visits = 77
      await made.save()
      expect((await load()).visits).toBe(77)
    })

    test('that an application builds for a row that is there is saved', async () => {
      await adapter().create(row)
      const built = adapter().Customer.build({ ...row, name: 'x' } as unknown as New, { isNewRecord: false })
      built.visits = 5
      await built.save({ fields: ['visits'] as never })
      expect(await load()).toMatchObject({ visits: 5, name: row.name })
    })

    test('has its values while and after a write that fails', async () => {
      await adapter().create(row)
      const { Customer } = adapter()
      const twice = Customer.build(given(2, { email: row.email }))
      await expect(twice.save()).rejects.toThrow()
      expect(twice.email).toBe(row.email)
      expect(plain(twice.dataValues)).toMatchObject({ email: row.email, balance: person(2).balance })
      twice.email = 'other@acme.example'
      await twice.save()
      const loaded = await load()
      await expect(loaded.update({ email: 'other@acme.example' } as never)).rejects.toThrow()
      expect(loaded.email).toBe('other@acme.example')
      await expect(loaded.update({ email: row.email, visits: 8 } as never)).resolves.toMatchObject({ visits: 8 })
    })

    test('has its values when something else fails before it is written', async () => {
      const fail = () => {
        throw new Error('no')
      }
      const sequelize = adapter().sequelize as Sequelize
      sequelize.addHook('beforeCreate', 'failing', fail)
      const made = adapter().Customer.build(given(1))
      try {
        await expect(made.save()).rejects.toThrow('no')
        expect(made.email).toBe(row.email)
        expect(made.get('balance')).toBe(row.balance)
        expect(inspect(made.dataValues)).not.toMatch(/sr1_/)
      } finally {
        sequelize.removeHook('beforeCreate', 'failing')
      }
      await made.save()
      expect(values(await load())).toEqual(plain(row))
    })

    test('shows values to hooks and validators of the application, which may change them', async () => {
      const { Customer } = adapter()
      const seen: unknown[] = []
      Customer.addHook('beforeSave', 'own', (instance) => {
        seen.push(instance.get('email'))
        instance.set({ nickname: 'by hook' } as never)
      })
      Customer.addHook('afterSave', 'own', (instance) => void seen.push(instance.get('email')))
      Customer.addHook('afterFind', 'own', (found) => void seen.push((found as CustomerInstance).email))
      const made = await Customer.create(given(1))
      made.email = 'new@acme.example'
      await made.save()
      expect((await load()).nickname).toBe('by hook')
      expect(seen).toEqual([row.email, row.email, 'new@acme.example', 'new@acme.example', 'new@acme.example'])
    })

    test('that is deleted takes nothing of others with it', async () => {
      await adapter().createMany(people.slice(0, 3))
      await (await load(person(1).id)).destroy()
      expect(await adapter().Customer.destroy({ where: { id: person(2).id } })).toBe(1)
      expect((await adapter().findMany('acme')).map(({ id }) => id)).toEqual([person(0).id])
    })
  })

  describe('many rows', () => {
    test('are changed one by one where Sequelize is told to, each under its own id', async () => {
      await adapter().createMany(people.slice(0, 6))
      const where = { status: 'active' }
      const options = { where, individualHooks: true }
      const [changed] = await adapter().Customer.update(
        { visits: 1_000, name: 'Same', birthDate: null } as never,
        options,
      )
      expect(changed).toBe(3)
      expect((await adapter().findMany('acme')).map(({ visits }) => visits)).toEqual([1_000, -6, 1_000, -4, 1_000, -2])
      const again = await adapter().Customer.update({ visits: 1_000 } as never, options)
      expect(again[0]).toBe(3)
    })

    test('are changed one by one where there is only one, and another one comes meanwhile', async () => {
      await adapter().create(row)
      const { Customer } = adapter()
      Customer.addHook('beforeUpdate', 'slow', async () => void (await adapter().create(person(3))))
      await Customer.update({ visits: 5 } as never, { where: { status: 'trial' }, individualHooks: true })
      expect((await adapter().findMany('acme')).map(({ visits }) => visits)).toEqual([5, -4])
    })

    test('are inserted one by one, validated, and with literals of every kind', async () => {
      const { Customer } = adapter()
      const odd = [`it's`, 'back\\', `\\'; --`, '"quoted" $$', 'sr2_?', '`name` = :x', '#1', '/* */']
      const rows = odd.map((status, at) => given(at, { status }))
      await Customer.bulkCreate(rows.slice(0, 4), { individualHooks: true })
      const made = await Customer.bulkCreate(rows.slice(4), { validate: true })
      expect(plain(made[0]?.get({ plain: true }) as object)).toMatchObject({
        status: 'sr2_?',
        email: 'person4@acme.example',
      })
      const found = await adapter().findMany('acme')
      expect(found.map(({ status }) => status)).toEqual(odd)
      for (const status of odd) expect(await Customer.count({ where: { status } })).toBe(1)
      await Customer.update({ status: `x'\\` }, { where: { status: `it's` } })
      expect(await Customer.count({ where: { status: { [Op.like]: `x'%` } } })).toBe(1)
    })

    test('that exist are left alone where duplicates are ignored', async () => {
      await adapter().create(row)
      const before = await the().under.stored('customers')
      const ignored = [{ ...customer('globex', 2), id: row.id }, person(3)] as unknown as New[]
      const made = await adapter().Customer.bulkCreate(ignored, { ignoreDuplicates: true })
      const after = await the().under.stored('customers')
      expect(after).toHaveLength(2)
      expect(after.find(({ id }) => id === row.id)).toEqual(before[0])
      const claimed = made[0] as CustomerInstance
      claimed.visits = 123
      await claimed.save().catch(() => undefined)
      expect(values(await load())).toEqual(plain(row))
      expect((await load(person(3).id)).name).not.toMatch(/sr1_/)
    })

    test('are inserted with their relations, on both sides', async () => {
      const { Customer, Order } = adapter()
      const nested = [1, 2].map((at) => ({ ...given(at), orders: [{ ...order(person(at), at) }] }))
      await Customer.bulkCreate(nested as never, { include: ['orders'] })
      const parent = person(3)
      await Order.create({ ...order(parent, 9), customer: parent } as never, { include: ['customer'] })
      const found = await adapter().withOrders('acme')
      expect(found.map(({ orders }) => orders.map(({ memo }) => memo))).toEqual([['memo 1'], ['memo 2'], ['memo 9']])
      expect(found.map(({ customer: { email } }) => email)).toEqual([1, 2, 3].map((at) => `person${at}@acme.example`))
    })
  })

  describe('one row', () => {
    test('is changed by a model whose condition says which one', async () => {
      await adapter().create(row)
      const where = { [Op.and]: [{ id: { [Op.eq]: row.id } }, { orgId: 'acme' }], status: 'trial' }
      const [changed] = await adapter().Customer.update(
        { email: 'new@acme.example', status: 'x' } as never,
        { where } as never,
      )
      expect(changed).toBe(1)
      expect(values(await load())).toEqual(plain({ ...row, email: 'new@acme.example', status: 'x' }))
      expect(await adapter().search('email', 'new@acme.example', 'acme')).toHaveLength(1)
    })

    test('is made by findOrCreate, findCreateFind and a built instance when it is not there', async () => {
      const { Customer } = adapter()
      const find = (at: number) => ({ where: { id: person(at).id, orgId: 'acme' }, defaults: given(at) })
      const made = [await Customer.findOrCreate(find(1)), await Customer.findCreateFind(find(2))]
      expect(made.map(([instance, isNew]) => [instance.email, isNew])).toEqual([
        ['person1@acme.example', true],
        ['person2@acme.example', true],
      ])
      const [built] = await Customer.findOrBuild(find(3))
      await built.save()
      expect((await adapter().findMany('acme')).map(({ balance }) => balance)).toEqual(
        [1, 2, 3].map((at) => person(at).balance),
      )
    })

    test('cannot be encrypted for one row and written as another', async () => {
      const { Order } = adapter()
      const parent = person(3)
      const nested = { ...order(person(4), 9), customer: parent }
      await Order.create(nested as never, { include: ['customer'] })
      const [found] = await Order.findAll()
      expect(found?.get({ plain: true })).toMatchObject({ customerId: parent.id, memo: 'memo 9' })
      adapter().sequelize.addHook(
        'beforeCreate',
        'moving',
        (instance: Model) => void instance.setDataValue('orgId', 'globex'),
      )
      await expect(Order.create(order(parent, 10) as never)).rejects.toThrow(/cannot be changed/)
      expect(await the().under.stored('orders')).toHaveLength(1)
    })
  })
}
