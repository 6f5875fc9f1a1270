import { and, eq, relations, sql } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { encryptedTable, pgColumns } from '../../../providers/drizzle/index.ts'
import { describeAdapter } from '../../adapters/conformance.ts'
import type { AdapterHarness, AdapterQueries, CustomerKey } from '../../adapters/harness.ts'
import { PostgresUnderTest } from '../../adapters/postgres-under-test.ts'
import * as suite from '../../adapters/records.ts'

const customers = pgTable('customers', {
  id: text().primaryKey(),
  orgId: text().notNull(),
  status: text().notNull(),
  ...pgColumns(suite.customers),
})
const orders = pgTable('orders', {
  id: integer().primaryKey(),
  orgId: text().notNull(),
  customerId: text().notNull(),
  ...pgColumns(suite.orders),
})
const schema = {
  customers,
  orders,
  customersRelations: relations(customers, ({ many }) => ({ orders: many(orders) })),
  ordersRelations: relations(orders, ({ one }) => ({
    customer: one(customers, { fields: [orders.customerId], references: [customers.id] }),
  })),
}
type Db = NodePgDatabase<typeof schema>

let postgres: PostgresUnderTest

describeAdapter(
  'Drizzle on PostgreSQL',
  async () => {
    postgres = await PostgresUnderTest.start()
    const db = drizzle(postgres.pool, { schema })
    return postgres.with(async (room) => harness(db, room))
  },
  () => postgres.stop(),
)

function harness(db: Db, room: suite.SuiteRoom): AdapterHarness {
  const sealed = encryptedTable(customers, room.records.customers)
  const loose = sealed as unknown as {
    encrypt(rows: object[]): Promise<never>
    update(db: Db, key: object, changes: object): Promise<number>
  }
  return {
    ...queries(db, room),
    transaction: (work) => db.transaction((trx) => work(queries(trx, room))),
    raw: async (orgId) => {
      const { rows } = await db.execute(sql`select * from customers where ${customers.orgId} = ${orgId}`)
      return (await sealed.decryptRaw(rows)) as unknown as suite.Customer[]
    },
    nextOrderId: async () => {
      const { rows } = await db.execute<{ id: string }>(sql`select nextval('order_ids') as id`)
      return Number(rows[0]?.id)
    },
    refused: {
      compare: async () =>
        db
          .select()
          .from(customers)
          .where(eq(customers.email, 'a@acme.example' as never)),
      order: () => sealed.decrypt(db.select().from(customers).orderBy(customers.name)),
      updateUnknownRow: async () =>
        db
          .update(customers)
          .set({ name: 'x' as never })
          .where(eq(customers.status, 'active')),
      changeTenant: () => loose.update(db, { id: 'x', orgId: 'acme' }, { orgId: 'globex' }),
      writeIndex: async () => db.update(customers).set({ email_index: '0011' as never }),
      createWithoutId: () => loose.encrypt([{ orgId: 'acme', email: 'x@acme.example' }]),
      createWithoutField: () => loose.encrypt([{ id: 'x', orgId: 'acme', name: 'x' }]),
    },
    close: async () => undefined,
  }
}

function queries(
  db: Pick<Db, 'select' | 'insert' | 'update' | 'delete' | 'query' | 'transaction'>,
  room: suite.SuiteRoom,
): AdapterQueries {
  const sealed = encryptedTable(customers, room.records.customers)
  const sealedOrders = encryptedTable(orders, room.records.orders)
  const inTenant = (orgId: string) => eq(customers.orgId, orgId)
  return {
    create: async (row) => {
      const values = await sealed.encrypt([row])
      const [made] = await sealed.decrypt(db.insert(customers).values(values).returning())
      return made as suite.Customer
    },
    createMany: async (rows) => db.insert(customers).values(await sealed.encrypt(rows)),
    update: async (key, changes) => {
      if (Object.keys(changes).every((name) => name === 'status')) {
        return (await db.update(customers).set({ status: changes.status }).where(sealed.row(key))).rowCount as number
      }
      return sealed.update(db, key, changes)
    },
    updateMany: async ({ orgId, status }, changes) => {
      const where = and(inTenant(orgId), eq(customers.status, status))
      if (changes.status === undefined) return sealed.updateMany(db, where, changes)
      return (await db.update(customers).set({ status: changes.status }).where(where)).rowCount as number
    },
    upsert: (row) => sealed.upsert(db, [row]),
    delete: async (key: CustomerKey) => {
      const [row] = await sealed.decrypt(db.delete(customers).where(sealed.row(key)).returning())
      return row
    },
    get: async (key) => {
      const [row] = await sealed.decrypt(db.select().from(customers).where(sealed.row(key)))
      return row
    },
    findMany: (orgId) => sealed.decrypt(db.select().from(customers).where(inTenant(orgId)).orderBy(customers.id)),
    search: (name, value, orgId) =>
      sealed.search(name, value as never, { tenant: orgId }, (where) => {
        return db
          .select()
          .from(customers)
          .where(and(inTenant(orgId), where))
      }),
    pick: async (orgId) => {
      const { id, name, birthDate } = customers
      const selected = db.select({ id, orgId: customers.orgId, name, birthDate }).from(customers)
      const rows = await sealed.decrypt(selected.where(inTenant(orgId)).orderBy(id))
      return rows.map((row) => ({ name: row.name, birthDate: row.birthDate }))
    },
    createWithOrders: (row, list) =>
      db.transaction(async (trx) => {
        await trx.insert(customers).values(await sealed.encrypt([row]))
        await trx.insert(orders).values(await sealedOrders.encrypt(list))
      }),
    withOrders: async (orgId) => {
      const query = db.query.customers.findMany({ where: inTenant(orgId), with: { orders: true } })
      const rows = await sealed.decrypt(query, { orders: sealedOrders })
      return rows.map(({ orders: own, ...customer }) => ({ customer, orders: own }))
    },
  }
}
