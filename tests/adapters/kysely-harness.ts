import { type ColumnType, type Kysely, sql, type Transaction } from 'kysely'
import {
  decryptRows,
  type EncryptedTable,
  matching,
  strongroomPlugin,
  updateEach,
} from '../../providers/kysely/index.ts'
import type { AdapterHarness, AdapterQueries } from './harness.ts'
import type { Customer, customers, Order, orders, SuiteRoom } from './records.ts'

interface Database {
  customers: EncryptedTable<typeof customers, { id: string; orgId: string; status: string }>
  orders: EncryptedTable<typeof orders, { id: number; orgId: string; customerId: string }>
}

/** What differs between databases: whether `returning` and `on conflict` exist, and where ids come from. */
export interface KyselyDialect {
  readonly returning: boolean
  nextOrderId(db: Kysely<Database>): Promise<number>
}

/** Kysely as the suite wants it; every query is one that a user writes. */
export function kyselyHarness(plain: Kysely<unknown>, room: SuiteRoom, dialect: KyselyDialect): AdapterHarness {
  const db = (plain as Kysely<Database>).withPlugin(strongroomPlugin(room.records))
  const loose = db as unknown as Kysely<Record<string, Record<string, ColumnType<unknown, unknown, unknown>>>>
  return {
    ...queries(db, room, dialect),
    transaction: (work) => db.transaction().execute((trx) => work(queries(trx, room, dialect))),
    async *stream(orgId) {
      for await (const row of db.selectFrom('customers').selectAll().where('orgId', '=', orgId).stream(50)) {
        yield row as Customer
      }
    },
    raw: async (orgId) => {
      const { rows } = await sql<Customer>`select * from customers where ${sql.ref('orgId')} = ${orgId}`.execute(
        db.withoutPlugins(),
      )
      return decryptRows(room.records.customers, rows)
    },
    nextOrderId: () => dialect.nextOrderId(db),
    refused: {
      compare: () => loose.selectFrom('customers').selectAll().where('email', '=', 'a@acme.example').execute(),
      order: () => db.selectFrom('customers').selectAll().orderBy('name').execute(),
      updateUnknownRow: () => db.updateTable('customers').set({ rating: 1 }).where('status', '=', 'active').execute(),
      changeTenant: () => db.updateTable('customers').set({ orgId: 'globex' }).where('status', '=', 'active').execute(),
      writeIndex: () => loose.updateTable('customers').set({ email_index: '00' }).where('id', '=', 'x').execute(),
      createWithoutId: () => loose.insertInto('customers').values({ orgId: 'acme', email: 'x@acme.example' }).execute(),
      createWithoutField: () => loose.insertInto('customers').values({ id: 'x', orgId: 'acme', name: 'x' }).execute(),
      rawWrite: () => sql`update customers set email = 'plain'`.execute(db),
    },
    close: async () => undefined,
  }
}

function queries(
  db: Kysely<Database> | Transaction<Database>,
  room: SuiteRoom,
  dialect: KyselyDialect,
): AdapterQueries {
  const rowOf = (key: { id: string; orgId: string }) =>
    db.selectFrom('customers').selectAll().where('id', '=', key.id).where('orgId', '=', key.orgId).executeTakeFirst()
  const both = <Result>(work: (trx: Kysely<Database>) => Promise<Result>): Promise<Result> =>
    db.isTransaction ? work(db) : db.transaction().execute(work)
  return {
    create: async (row) => {
      if (dialect.returning) return db.insertInto('customers').values(row).returningAll().executeTakeFirstOrThrow()
      await db.insertInto('customers').values(row).execute()
      return (await rowOf(row)) as Customer
    },
    createMany: (rows) => db.insertInto('customers').values(rows).execute(),
    update: async ({ id, orgId }, changes) => {
      const update = db.updateTable('customers').set(changes).where('id', '=', id).where('orgId', '=', orgId)
      return Number((await update.executeTakeFirst()).numUpdatedRows)
    },
    updateMany: async ({ orgId, status }, changes) => {
      if (changes.status === undefined) {
        return updateEach(db, room.records.customers, (eb) => eb.and({ orgId, status }), changes)
      }
      const update = db.updateTable('customers').set(changes).where('orgId', '=', orgId).where('status', '=', status)
      return Number((await update.executeTakeFirst()).numUpdatedRows)
    },
    upsert: (row) => {
      const { id, orgId, ...changes } = row
      if (!dialect.returning) {
        return both(async (trx) => {
          const update = trx.updateTable('customers').set(changes).where('id', '=', id).where('orgId', '=', orgId)
          const { numUpdatedRows } = await update.executeTakeFirst()
          if (numUpdatedRows === 0n) await trx.insertInto('customers').values(row).execute()
        })
      }
      const insert = db.insertInto('customers').values(row)
      return insert.onConflict((conflict) => conflict.column('id').doUpdateSet(changes)).execute()
    },
    delete: async ({ id, orgId }) => {
      if (dialect.returning) {
        const remove = db.deleteFrom('customers').where('id', '=', id).where('orgId', '=', orgId)
        return remove.returningAll().executeTakeFirst()
      }
      return both(async (trx) => {
        const found = await queries(trx, room, dialect).get({ id, orgId })
        await trx.deleteFrom('customers').where('id', '=', id).where('orgId', '=', orgId).execute()
        return found
      })
    },
    get: rowOf,
    findMany: (orgId) => db.selectFrom('customers').selectAll().where('orgId', '=', orgId).orderBy('id').execute(),
    search: (name, value, orgId) =>
      db
        .selectFrom('customers')
        .selectAll()
        .where('orgId', '=', orgId)
        .where(matching(room.records.customers, name, value as never, { tenant: orgId }))
        .execute(),
    pick: (orgId) =>
      db.selectFrom('customers').select(['name', 'birthDate']).where('orgId', '=', orgId).orderBy('id').execute(),
    createWithOrders: (row, list) =>
      both(async (trx) => {
        await trx.insertInto('customers').values(row).execute()
        await trx.insertInto('orders').values(list).execute()
      }),
    withOrders: async (orgId) => {
      const rows = await db
        .selectFrom('customers')
        .leftJoin('orders', 'orders.customerId', 'customers.id')
        .where('customers.orgId', '=', orgId)
        .selectAll('customers')
        .select(['orders.id as orderId', 'customerId', 'memo', 'amount'])
        .execute()
      const found = new Map<string, { customer: Customer; orders: Order[] }>()
      for (const { orderId, customerId, memo, amount, ...customer } of rows) {
        const entry = found.get(customer.id) ?? { customer, orders: [] }
        if (orderId !== null) {
          entry.orders.push({ id: orderId, orgId, customerId, memo, amount } as Order)
        }
        found.set(customer.id, entry)
      }
      return [...found.values()]
    },
  }
}
