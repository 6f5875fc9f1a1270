import { DataSource, type DataSourceOptions, type EntityManager, EntitySchema } from 'typeorm'
import { encryptedEntity, entityColumns } from '../../providers/typeorm/index.ts'
import type { AdapterHarness, AdapterQueries } from './harness.ts'
import { PostgresQueryStream } from './postgres-query-stream.ts'
import * as suite from './records.ts'

type CustomerRow = suite.Customer & { readonly orders?: suite.Order[] }

/** The entities, with columns of bytes as a database calls them. */
export function suiteEntities(bytes: 'bytea' | 'longblob' | 'blob') {
  const customers = new EntitySchema<CustomerRow>({
    name: 'Customer',
    tableName: 'customers',
    columns: {
      id: { type: 'text', primary: true },
      orgId: { type: 'text' },
      status: { type: 'text' },
      ...entityColumns(suite.customers, { bytes }),
    },
    relations: { orders: { type: 'one-to-many', target: 'Order', inverseSide: 'customer', cascade: ['insert'] } },
  })
  const orders = new EntitySchema<suite.Order & { readonly customer?: CustomerRow }>({
    name: 'Order',
    tableName: 'orders',
    columns: {
      id: { type: 'integer', primary: true },
      orgId: { type: 'text' },
      customerId: { type: 'text' },
      ...entityColumns(suite.orders, { bytes }),
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

  return { customers, orders }
}

/** TypeORM finds an entity by its name, so these are the entities of every data source. */
export const { customers: Customers, orders: Orders } = suiteEntities('bytea')

const NEXT_ORDER_ID = {
  postgres: "select nextval('order_ids') as id",
  mariadb: 'select nextval(order_ids) as id',
  'better-sqlite3': 'insert into order_ids default values returning id',
}

/** The harness, with what cases of TypeORM alone need. */
export interface TypeormHarness extends AdapterHarness {
  readonly source: DataSource
  readonly sealed: ReturnType<typeof sealedCustomers>
}

/** A data source as the suite wants it; every call is one that a user writes. */
export async function typeormHarness(options: DataSourceOptions, room: suite.SuiteRoom): Promise<TypeormHarness> {
  const source = await new DataSource(options).initialize()
  const isPostgres = options.type === 'postgres'
  if (isPostgres) Object.assign(source.driver, { loadStreamDependency: () => PostgresQueryStream })
  const all = `select * from customers where ${source.driver.escape('orgId')} = ${isPostgres ? '$1' : '?'}`
  const next = NEXT_ORDER_ID[options.type as keyof typeof NEXT_ORDER_ID]
  const sealed = encryptedEntity(source, Customers, room.records.customers)
  encryptedEntity(source, Orders, room.records.orders)
  const { manager } = source
  const loose = manager.getRepository<Record<string, unknown>>(Customers as never)
  return {
    source,
    sealed,
    ...queries(manager, sealed),
    transaction: (work) => source.transaction((inner) => work(queries(inner, sealed))),
    ...(options.type === 'better-sqlite3'
      ? {}
      : {
          stream: (orgId: string) => {
            return sealed.stream(manager.createQueryBuilder(Customers, 'c').where('c.orgId = :orgId', { orgId }))
          },
        }),
    raw: async (orgId) => sealed.decryptRaw(await source.query(all, [orgId])),
    nextOrderId: async () => Number((await source.query(next))[0].id),
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
