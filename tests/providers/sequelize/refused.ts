import { col, fn, literal, Op, where } from 'sequelize'
import { describe, expect, test } from 'vitest'
import type { Case } from '../../adapters/case.ts'
import { refusal } from '../../adapters/refusal.ts'
import { customer } from '../../adapters/samples.ts'
import type { CustomerInstance, SequelizeHarness } from '../../adapters/sequelize-harness.ts'

type Attempt = (the: SequelizeHarness, loaded: CustomerInstance) => Promise<unknown>

const row = customer('acme', 1)
const other = () => ({ ...customer('acme', 2) }) as never
const own = { id: row.id, orgId: row.orgId }
const anything = (values: object) => values as never

/** Writes that must not reach the database. */
const WRITES: Readonly<Record<string, readonly [Attempt, RegExp]>> = {
  'create without hooks': [
    ({ Customer }) => Customer.create(other(), { hooks: false }),
    /takes only what was encrypted/,
  ],
  'save without hooks': [
    ({ Customer }) => Customer.build(other()).save({ hooks: false }),
    /takes only what was encrypted/,
  ],
  'save of a loaded instance without hooks': [
    (_, loaded) => loaded.set(anything({ name: 'plain' })).save({ hooks: false }),
    /takes only what was encrypted/,
  ],
  'bulkCreate without hooks': [
    ({ Customer }) => Customer.bulkCreate([other()], { hooks: false }),
    /takes only what was encrypted/,
  ],
  'update of a model without hooks': [
    ({ Customer }) => Customer.update(anything({ visits: 1 }), { where: own, hooks: false }),
    /visits takes only what was encrypted/,
  ],
  'update of a model without hooks and validation': [
    ({ Customer }) => Customer.update(anything({ visits: 1 }), { where: own, hooks: false, validate: false }),
    /visits takes only what was encrypted/,
  ],
  'update of a model by an expression': [
    ({ Customer }) => Customer.update(anything({ email: literal(`'plain'`) }), { where: own }),
    /email takes only what was encrypted/,
  ],
  'update of a model by an expression without hooks': [
    ({ Customer }) => Customer.update(anything({ email: literal(`'plain'`) }), { where: own, hooks: false }),
    /email takes only what was encrypted/,
  ],
  'create by an expression': [
    ({ Customer }) => Customer.create(anything({ ...customer('acme', 2), notes: literal(`'plain'`) })),
    /notes takes only what was encrypted/,
  ],
  'bulkCreate by an expression': [
    ({ Customer }) => Customer.bulkCreate([anything({ ...customer('acme', 2), notes: fn('lower', 'PLAIN') })]),
    /notes takes only what was encrypted/,
  ],
  'update of an instance by an expression': [
    (_, loaded) => loaded.update(anything({ email: fn('upper', 'plain') })),
    /email takes only what was encrypted/,
  ],
  upsert: [({ Customer }) => Customer.upsert(other()), /upsert\(\) of encryptedModel/],
  'upsert without hooks': [
    ({ Customer }) => Customer.upsert(other(), { hooks: false }),
    /takes only what was encrypted/,
  ],
  'bulkCreate that updates duplicates': [
    ({ Customer }) => Customer.bulkCreate([other()], { updateOnDuplicate: ['email' as never] }),
    /upsert\(\) of encryptedModel/,
  ],
  'bulkCreate that updates the tenant of duplicates': [
    ({ Customer }) => Customer.bulkCreate([other()], { updateOnDuplicate: ['orgId'] }),
    /upsert\(\) of encryptedModel/,
  ],
  increment: [({ Customer }) => Customer.increment('visits' as never, { where: own }), /visits takes only/],
  decrement: [({ Customer }) => Customer.decrement('visits' as never, { where: own }), /visits takes only/],
  'increment of an instance': [(_, loaded) => loaded.increment('visits' as never), /visits takes only/],
  'decrement of an instance': [(_, loaded) => loaded.decrement('visits' as never), /visits takes only/],
  'bulkInsert of the query interface': [
    ({ sequelize }) => sequelize.getQueryInterface().bulkInsert('customers', [{ ...own, email: 'plain' }]),
    /email takes only/,
  ],
  'bulkUpdate of the query interface': [
    ({ sequelize }) => sequelize.getQueryInterface().bulkUpdate('customers', { email: 'plain' }, own),
    /email takes only/,
  ],
  'upsert of the query interface': [
    ({ sequelize, Customer }) =>
      sequelize.getQueryInterface().upsert('customers', { id: 'x', nickname: 'plain' }, { nickname: 'plain' }, own, {
        model: Customer,
      } as never),
    /nickname|takes only/,
  ],
  'SQL with replacements': [
    ({ sequelize }) => sequelize.query('update customers set email = ?', { replacements: ['plain'] }),
    /email takes only/,
  ],
  'SQL with parameters': [
    ({ sequelize }) => sequelize.query('update customers set email = $1', { bind: ['plain'] }),
    /email takes only/,
  ],
  'SQL with named parameters': [
    ({ sequelize }) => sequelize.query('update customers set email = $mail', { bind: { mail: 'plain' } }),
    /email takes only/,
  ],
  'SQL behind a literal that ends with a backslash': [
    ({ sequelize }) => sequelize.query(`update customers set status = ?, email = 'plain'`, { replacements: ['\\'] }),
    /email takes only/,
  ],
  'SQL with the names of columns by the numbers of their characters': [
    ({ sequelize }) => sequelize.query(`update customers set U&"\\0065mail" = $1`, { bind: ['plain'] }),
    /write the name as it is/,
  ],
  'SQL with the name of the table by the numbers of its characters': [
    ({ sequelize }) => sequelize.query(`update U&"\\0063ustomers" set email = 'pl' || 'ain'`),
    /write the name as it is/,
  ],
  'SQL with a value that begins like a ciphertext': [
    ({ sequelize }) => sequelize.query('update customers set email = $1', { bind: ['sr1_plain'] }),
    /email takes only/,
  ],
  'SQL with a value that is hexadecimal for an index': [
    ({ sequelize }) => sequelize.query('update customers set email_index = ?', { replacements: ['123456'] }),
    /email_index is an index column/,
  ],
  'SQL that makes a row without its fields': [
    ({ sequelize }) => sequelize.query(`insert into customers (id, "orgId", status) values ('9', 'acme', 'x')`),
    /email is missing/,
  ],
  'another tenant for a loaded instance': [(_, loaded) => loaded.update({ orgId: 'globex' }), /cannot be changed/],
  'another tenant for a loaded instance without hooks': [
    (_, loaded) => loaded.update({ orgId: 'globex' }, { hooks: false }),
    /orgId cannot be changed/,
  ],
  'another tenant for many rows, one by one': [
    ({ Customer }) => Customer.update({ orgId: 'globex' }, { where: own, individualHooks: true }),
    /orgId cannot be changed/,
  ],
  'an instance that claims to be the row of another tenant': [
    ({ Customer }) => {
      const claimed = Customer.build(anything({ ...row, orgId: 'globex' }), { isNewRecord: false })
      return claimed.set(anything({ visits: 5 })).save()
    },
    /there is no row/,
  ],
  'an index column of a new row': [
    ({ Customer }) => Customer.create(anything({ ...customer('acme', 2), email_index: 'aa' })),
    /email_index is an index column/,
  ],
  'an index column of an instance': [
    (_, loaded) => loaded.update(anything({ email_index: 'aa' })),
    /email_index is an index column/,
  ],
  'an index column without hooks': [
    (_, loaded) => loaded.update(anything({ email_index: 'aa' }), { hooks: false }),
    /email_index is an index column/,
  ],
}

/** Reads that would compare, order by or calculate with ciphertexts, or show them as something else. */
const READS: Readonly<Record<string, readonly [Attempt, RegExp]>> = {
  'a condition': [({ Customer }) => Customer.findOne({ where: anything({ email: row.email }) }), /email_index/],
  'a condition without hooks': [
    ({ Customer }) => Customer.findOne({ where: anything({ email: row.email }), hooks: false } as never),
    /email_index/,
  ],
  'a condition of a list': [
    ({ Customer }) => Customer.findAll({ where: anything({ name: ['a', 'b'] }) }),
    /name_index/,
  ],
  'a condition by Op.like': [
    ({ Customer }) => Customer.findAll({ where: anything({ name: { [Op.like]: 'a%' } }) }),
    /name_index/,
  ],
  'a condition by Op.is null': [({ Customer }) => Customer.findAll({ where: anything({ photo: null }) }), /photo/],
  'a condition deep in others': [
    ({ Customer }) =>
      Customer.findAll({
        where: anything({ [Op.or]: [{ status: 'x' }, { [Op.and]: [{ [Op.not]: { vip: true } }] }] }),
      }),
    /vip/,
  ],
  'a condition by literal': [({ Customer }) => Customer.findAll({ where: literal(`email = 'x'`) }), /email_index/],
  'a condition by a function': [
    ({ Customer }) => Customer.findAll({ where: where(fn('lower', col('email')), 'x') }),
    /email_index/,
  ],
  'a condition by a column': [
    ({ Customer }) => Customer.findAll({ where: where(col('Customer.email'), 'x') }),
    /email_index/,
  ],
  'a condition on another column': [
    ({ Customer }) => Customer.findAll({ where: anything({ status: { [Op.eq]: col('email') } }) }),
    /email_index/,
  ],
  'a condition on an included model': [
    ({ Order, Customer }) =>
      Order.findAll({ include: [{ model: Customer, as: 'customer', where: anything({ email: row.email }) }] }),
    /email_index/,
  ],
  'a condition on a nested column': [
    ({ Order }) => Order.findAll({ where: anything({ '$customer.email$': 'x' }), include: ['customer'] }),
    /email_index/,
  ],
  'a condition of an include': [
    ({ Customer }) =>
      Customer.findAll({ include: [{ association: 'orders', on: literal(`"orders"."memo" = 'x'`), required: false }] }),
    /memo/,
  ],
  'a condition of count': [({ Customer }) => Customer.count({ where: anything({ visits: 1 }) }), /visits/],
  'a condition of findAndCountAll': [
    ({ Customer }) => Customer.findAndCountAll({ where: anything({ visits: 1 }) }),
    /visits/,
  ],
  'a condition of destroy': [({ Customer }) => Customer.destroy({ where: anything({ name: 'x' }) }), /name_index/],
  'a condition of update': [
    ({ Customer }) => Customer.update({ status: 'x' }, { where: anything({ name: 'x' }) }),
    /name_index/,
  ],
  'a condition of findOrCreate': [
    ({ Customer }) => Customer.findOrCreate({ where: anything({ email: row.email }), defaults: other() }),
    /email_index/,
  ],
  'a condition of findOrBuild': [
    ({ Customer }) => Customer.findOrBuild({ where: anything({ email: row.email }), defaults: other() }),
    /email_index/,
  ],
  'a condition of findCreateFind': [
    ({ Customer }) => Customer.findCreateFind({ where: anything({ email: row.email }), defaults: other() }),
    /email_index/,
  ],
  'a condition on an index column': [
    ({ Customer }) => Customer.findAll({ where: anything({ email_index: 'aabb' }) }),
    /email_index is an index column/,
  ],
  'a condition of the query interface': [
    ({ sequelize }) => sequelize.getQueryInterface().bulkDelete('customers', { email: 'x' }),
    /email_index/,
  ],
  'a condition in SQL': [
    ({ sequelize }) => sequelize.query(`select 1 from customers where email = 'x'`),
    /email_index/,
  ],
  'a natural join in SQL': [
    ({ sequelize }) => sequelize.query('select 1 from customers natural join orders'),
    /natural join/,
  ],
  'a subquery that is compared': [
    ({ Customer }) => Customer.findAll({ where: literal(`'x' in (select email from customers)`) }),
    /email_index/,
  ],
  'an order by literal': [({ Customer }) => Customer.findAll({ order: literal('email desc') }), /order/],
  'an order in SQL': [({ sequelize }) => sequelize.query('select * from customers c order by c.email'), /order/],
  'an order by an included model': [
    ({ Order }) => Order.findAll({ include: ['customer'], order: [['customer', 'name', 'ASC']] }),
    /order/,
  ],
  'an order with pages over an include': [
    ({ Customer }) => Customer.findAll({ include: ['orders'], order: ['visits'], limit: 5 }),
    /order/,
  ],
  'a group': [
    ({ Customer }) => Customer.findAll({ attributes: ['name', [fn('count', col('id')), 'n']], group: ['name'] }),
    /name_index/,
  ],
  'a group of count': [({ Customer }) => Customer.count({ attributes: ['vip'], group: ['vip'] }), /vip/],
  'a condition of having': [
    ({ Customer }) =>
      Customer.findAll({ attributes: ['status'], group: ['status'], having: where(fn('max', col('name')), 'x') }),
    /name_index/,
  ],
  max: [({ Customer }) => Customer.max('visits' as never), /visits is encrypted/],
  min: [({ Customer }) => Customer.min('birthDate' as never), /birthDate is encrypted/],
  sum: [({ Customer }) => Customer.sum('rating' as never), /rating is encrypted/],
  aggregate: [({ Customer }) => Customer.aggregate('visits' as never, 'avg'), /visits is encrypted/],
  'count of distinct values': [({ Customer }) => Customer.count({ distinct: true, col: 'name' }), /name_index/],
  'a function': [
    ({ Customer }) => Customer.findAll({ attributes: ['id', 'orgId', [fn('upper', col('email')), 'upper']] }),
    /email is encrypted/,
  ],
  'a subquery': [
    ({ Customer }) =>
      Customer.findAll({ attributes: ['id', 'orgId', [literal('(select max(name) from customers)'), 'most']] }),
    /name is encrypted/,
  ],
  'another name': [
    ({ Customer }) => Customer.findAll({ attributes: ['id', 'orgId', ['email', 'mail']] }),
    /encrypted value as mail/,
  ],
  'the name of a plain column': [
    ({ Customer }) => Customer.findAll({ attributes: ['id', 'orgId', ['email', 'status']] }),
    /encrypted value as status/,
  ],
  'another name in raw rows': [
    ({ Customer }) => Customer.findAll({ attributes: ['id', 'orgId', [col('email'), 'mail']], raw: true }),
    /encrypted value as mail/,
  ],
  'another name in the rows of another model': [
    ({ Order }) =>
      Order.findAll({ attributes: ['id', 'orgId', [col('customer.email'), 'mail']], include: ['customer'] }),
    /encrypted value as mail/,
  ],
  'a selection without the tenant': [({ Customer }) => Customer.findAll({ attributes: ['id', 'email'] }), /orgId/],
  'a selection without the id': [({ Customer }) => Customer.findAll({ attributes: ['orgId', 'email'] }), /\bid\b/],
}

/** Promises of what cannot be done with Sequelize, whichever of its methods is called. */
export function describeRefused(the: () => Case): void {
  const refuse = (attempts: typeof WRITES) => {
    for (const [name, [attempt, says]] of Object.entries(attempts)) {
      test(`${name} is refused`, async () => {
        const adapter = the().adapter as SequelizeHarness
        await adapter.createWithOrders(row, [{ id: 1, orgId: 'acme', customerId: row.id, memo: 'x', amount: 1 }])
        const before = await the().under.stored('customers')
        const loaded = await adapter.Customer.findByPk(row.id)
        adapter.statements.length = 0
        const error = await attempt(adapter, loaded as CustomerInstance).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        expect(error).toEqual(refusal(says))
        expect(await the().under.stored('customers')).toEqual(before)
        expect(adapter.statements.join()).not.toMatch(/plain'|@acme/)
      })
    }
  }
  describe('a write by', () => refuse(WRITES))
  describe('a read by', () => refuse(READS))
}
