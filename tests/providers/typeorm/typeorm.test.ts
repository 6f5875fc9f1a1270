import { DataSource, type EntityManager, EntitySchema } from 'typeorm'
import { describe, expect, test } from 'vitest'
import { encryptedEntity, entityColumns } from '../../../providers/typeorm/index.ts'
import { type Case, describeAdapter } from '../../adapters/conformance.ts'
import type { AdapterHarness, AdapterQueries } from '../../adapters/harness.ts'
import { PostgresUnderTest } from '../../adapters/postgres-under-test.ts'
import * as suite from '../../adapters/records.ts'
import { customer, order, plain } from '../../adapters/samples.ts'

type CustomerRow = suite.Customer & { readonly orders?: suite.Order[] }

const Customers = new EntitySchema<CustomerRow>({
  name: 'Customer',
  tableName: 'customers',
  columns: {
    id: { type: 'text', primary: true },
    orgId: { type: 'text' },
    status: { type: 'text' },
    ...entityColumns(suite.customers),
  },
  relations: { orders: { type: 'one-to-many', target: 'Order', inverseSide: 'customer', cascade: ['insert'] } },
})
const Orders = new EntitySchema<suite.Order & { readonly customer?: CustomerRow }>({
  name: 'Order',
  tableName: 'orders',
  columns: {
    id: { type: 'integer', primary: true },
    orgId: { type: 'text' },
    customerId: { type: 'text' },
    ...entityColumns(suite.orders),
  },
  relations: {
    customer: {
      type: 'many-to-one',
      target: 'Customer',
      joinColumn: { name: 'customerId' },
      createForeignKeyConstraints: false,
    },
  },
})

let postgres: PostgresUnderTest
const sources: DataSource[] = []

describeAdapter(
  'TypeORM on PostgreSQL',
  async () => {
    postgres = await PostgresUnderTest.start()
    return postgres.with(open)
  },
  () => postgres.stop(),
  describeOwn,
)

async function open(room: suite.SuiteRoom): Promise<AdapterHarness> {
  const url = postgres.server.connectionString
  const source = new DataSource({ type: 'postgres', url, entities: [Customers, Orders] })
  await source.initialize()
  sources.unshift(source)
  const sealed = encryptedEntity(source, Customers, room.records.customers)
  encryptedEntity(source, Orders, room.records.orders)
  const { manager } = source
  const loose = manager.getRepository<Record<string, unknown>>(Customers as never)
  return {
    ...queries(manager, sealed),
    transaction: (work) => source.transaction((inner) => work(queries(inner, sealed))),
    raw: async (orgId) => sealed.decryptRaw(await source.query('select * from customers where "orgId" = $1', [orgId])),
    nextOrderId: async () => Number((await source.query("select nextval('order_ids') as id"))[0].id),
    refused: {
      compare: () => manager.findBy(Customers, { email: 'a@acme.example' }),
      order: () => manager.find(Customers, { order: { name: 'ASC' } }),
      updateUnknownRow: () => manager.update(Customers, { status: 'active' }, { name: 'x' }),
      changeTenant: () => manager.update(Customers, { status: 'active' }, { orgId: 'globex' }),
      writeIndex: () => loose.update({ status: 'active' }, { email_index: '0011' }),
      createWithoutId: () => loose.insert({ orgId: 'acme', email: 'x@acme.example' }),
      createWithoutField: () => loose.insert({ id: 'x', orgId: 'acme', name: 'x' }),
      rawWrite: () => source.query(`update customers set email = 'plain'`),
    },
    close: () => source.destroy(),
  }
}

function queries(manager: EntityManager, sealed: ReturnType<typeof sealedCustomers>): AdapterQueries {
  const customers = manager.getRepository(Customers)
  return {
    create: (row) => customers.save({ ...row }),
    createMany: (rows) => customers.insert(rows.map((row) => ({ ...row }))),
    update: async ({ id, orgId }, changes) => {
      if (Object.keys(changes).every((name) => name === 'status')) {
        return (await customers.update({ id, orgId }, { status: changes.status as string })).affected as number
      }
      return sealed.update(manager, { id, orgId }, changes)
    },
    updateMany: async ({ orgId, status }, changes) => {
      if (changes.status === undefined) return sealed.updateMany(manager, { orgId, status }, changes)
      return (await customers.update({ orgId, status }, { status: changes.status })).affected as number
    },
    upsert: (row) => sealed.upsert(manager, row),
    delete: async ({ id, orgId }) => {
      const row = await customers.findOneBy({ id, orgId })
      if (row === null) return undefined
      await customers.delete({ id, orgId })
      return row
    },
    get: async ({ id, orgId }) => (await customers.findOneBy({ id, orgId })) ?? undefined,
    findMany: (orgId) => customers.find({ where: { orgId }, order: { id: 'ASC' } }),
    search: (name, value, orgId) =>
      sealed.search(manager, name, value as never, { tenant: orgId }, { where: { orgId } }),
    pick: async (orgId) => {
      const select = { id: true, orgId: true, name: true, birthDate: true }
      const rows = await customers.find({ select, where: { orgId }, order: { id: 'ASC' } })
      return rows.map(({ name, birthDate }) => ({ name, birthDate }))
    },
    createWithOrders: (row, orders) =>
      manager.transaction(async (inner) => {
        await inner.insert(Customers, { ...row })
        await inner.insert(
          Orders,
          orders.map((order) => ({ ...order })),
        )
      }),
    withOrders: async (orgId) => {
      const rows = await customers.find({ where: { orgId }, relations: { orders: true } })
      return rows.map(({ orders = [], ...customer }) => ({ customer, orders }))
    },
  }
}

const sealedCustomers = (source: DataSource, room: suite.SuiteRoom) =>
  encryptedEntity(source, Customers, room.records.customers)

function describeOwn(the: () => Case): void {
  const manager = () => (sources[0] as DataSource).manager
  const refusal = (says: RegExp) =>
    expect.objectContaining({ code: 'ERR_INVALID_INPUT', message: expect.stringMatching(says) })

  describe('save', () => {
    test('of a loaded entity updates it, its indexes with it, and leaves the entity as it was given', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const loaded = await manager().findOneByOrFail(Customers, { id: row.id })
      const changed = Object.assign(loaded, { name: 'Ada', birthDate: null })
      const saved = await manager().save(Customers, changed)
      expect(plain(saved)).toEqual(plain({ ...row, name: 'Ada', birthDate: null }))
      expect(plain((await the().adapter.get(row)) as object)).toEqual(plain(saved))
      expect((await the().adapter.search('name', 'ada', 'acme')).map(({ id }) => id)).toEqual([row.id])
    })

    test('of a part of an entity completes compound indexes from the row', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      await manager().save(Customers, { id: row.id, orgId: 'acme', name: 'Ada' } as suite.Customer)
      const value = { name: 'Ada', birthDate: row.birthDate as Date }
      expect((await the().adapter.search('person_index', value, 'acme')).map(({ id }) => id)).toEqual([row.id])
      expect((await the().adapter.get(row))?.email).toBe(row.email)
    })

    test('of an entity with new children encrypts all of them', async () => {
      const row = customer('acme', 1)
      const children = [order(row, 1), order(row, 2, null)]
      await manager().save(Customers, { ...row, orders: children.map((child) => ({ ...child })) })
      expect(await the().adapter.withOrders('acme')).toEqual([{ customer: expect.anything(), orders: children }])
    })

    test('that moves a row to another tenant is refused', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      await expect(manager().save(Customers, { ...row, orgId: 'globex' })).rejects.toThrow(refusal(/orgId/))
    })

    test('that fails gives the entity its values back', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const twice = { ...customer('acme', 2), email: row.email }
      await expect(manager().save(Customers, twice)).rejects.toThrow(/unique/)
      expect(twice.email).toBe(row.email)
      await expect(manager().insert(Customers, twice)).rejects.toThrow(/unique/)
      expect(twice.email).toBe(row.email)
    })
  })

  describe('a query builder', () => {
    const select = () => manager().createQueryBuilder(Customers, 'c')
    const attempts: Record<string, [() => Promise<unknown>, RegExp]> = {
      'with a condition in text': [() => select().where('c.name = :name', { name: 'x' }).getMany(), /name_index/],
      'with like': [() => select().where('c.name like :name', { name: 'x%' }).getMany(), /name_index/],
      'with an order': [() => select().orderBy('c.visits').getMany(), /order/],
      'with an order and pages over a relation': [
        () => select().leftJoinAndSelect('c.orders', 'o').orderBy('c.visits').take(5).getMany(),
        /order/,
      ],
      'that inserts without listeners': [
        () =>
          manager()
            .createQueryBuilder()
            .insert()
            .into(Customers)
            .values(customer('acme', 9))
            .callListeners(false)
            .execute(),
        /takes only what was encrypted/,
      ],
      'that updates by an expression': [
        () =>
          manager()
            .createQueryBuilder()
            .update(Customers)
            .set({ name: () => "'plain'" })
            .where('id = :id', { id: 'x' })
            .execute(),
        /takes only what was encrypted/,
      ],
      'that inserts by an expression': [
        () =>
          manager()
            .createQueryBuilder()
            .insert()
            .into(Customers)
            .values({ ...customer('acme', 9), name: () => "'plain'" })
            .execute(),
        /takes only what was encrypted/,
      ],
      'that upserts on another column than the id': [
        () => manager().upsert(Customers, customer('acme', 9), ['email_index' as 'id']),
        /on conflict/,
      ],
    }
    for (const [name, [attempt, says]] of Object.entries(attempts)) {
      test(`${name} is refused`, async () => {
        await the().adapter.create(customer('acme', 1))
        const before = await the().under.stored('customers')
        await expect(attempt()).rejects.toThrow(refusal(says))
        expect(await the().under.stored('customers')).toEqual(before)
      })
    }
  })

  describe('SQL text', () => {
    const statements: [string, unknown[]][] = [
      [`update customers set status = 'x', "name" = $1`, ['plain']],
      [`update "customers" as c set name = 'plain' where id = '1'`, []],
      [`update customers set "orgId" = 'globex'`, []],
      [`insert into customers (id, "orgId", email) values ('1', 'acme', 'plain')`, []],
      [`insert into customers (id, "orgId", email) values ('1', 'acme', $1)`, ['plain']],
      [`insert into "customers" values ('1')`, []],
      [`insert into customers (id, email) select '1', 'plain'`, []],
      [`merge into customers using orders on true when matched then update set email = 'plain'`, []],
    ]
    for (const [text, parameters] of statements) {
      test(`is refused: ${text}`, async () => {
        await the().adapter.create(customer('acme', 1))
        await expect((sources[0] as DataSource).query(text, parameters)).rejects.toMatchObject({
          code: 'ERR_INVALID_INPUT',
        })
      })
    }

    test('that reads, deletes or writes other columns runs', async () => {
      await the().adapter.create(customer('acme', 1))
      const { query } = sources[0] as DataSource
      const run = query.bind(sources[0])
      expect(await run('select count(*)::int as count from customers')).toEqual([{ count: 1 }])
      await run(`update customers set status = 'x' where "orgId" = $1`, ['acme'])
      await run('delete from customers')
    })
  })
}
