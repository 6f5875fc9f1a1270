import { and, eq, type Logger, type SQL, sql } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { encryptedTable, guardedLogger } from '../../providers/drizzle/index.ts'
import type { DrizzleSchema } from './drizzle-schema.ts'
import type { AdapterHarness, AdapterQueries, CustomerKey } from './harness.ts'
import type * as suite from './records.ts'

/** What a query is built from. Those of other databases are given the types of PostgreSQL. */
export type DrizzleDb = Pick<NodePgDatabase<DrizzleSchema>, 'select' | 'insert' | 'update' | 'delete' | 'query'>

/** What differs between databases and their drivers. */
export interface DrizzleDialect {
  readonly db: DrizzleDb
  readonly schema: DrizzleSchema
  /** Whether writes have `returning`. */
  readonly returning: boolean
  /** Whether selects have an `iterator()`. */
  readonly iterates?: boolean
  transaction<Result>(work: (db: DrizzleDb) => Promise<Result>): Promise<Result>
  /** Runs SQL of one's own. */
  execute(query: SQL): Promise<readonly Record<string, unknown>[]>
  nextOrderId(): Promise<number>
  close?(): Promise<void>
}

/** Drizzle as the suite wants it; every query is one that a user writes. */
export function drizzleHarness(
  { customers, orders }: DrizzleSchema,
  open: (logger: Logger) => DrizzleDialect,
  room: suite.SuiteRoom,
): AdapterHarness {
  const sealed = encryptedTable(customers, room.records.customers)
  const dialect = open(guardedLogger([sealed, encryptedTable(orders, room.records.orders)]))
  const { db } = dialect
  const loose = sealed as unknown as {
    encrypt(rows: object[]): Promise<never>
    update(db: DrizzleDb, key: object, changes: object): Promise<number>
  }
  return {
    ...queries(db, dialect, room),
    transaction: (work) => dialect.transaction((trx) => work(queries(trx, dialect, room))),
    ...(dialect.iterates === true
      ? {
          stream: (orgId: string) => {
            const query = db.select().from(customers).where(eq(customers.orgId, orgId))
            return sealed.stream(query) as AsyncIterable<suite.Customer>
          },
        }
      : {}),
    raw: async (orgId) => {
      const rows = await dialect.execute(sql`select * from customers where ${customers.orgId} = ${orgId}`)
      return (await sealed.decryptRaw(rows)) as unknown as suite.Customer[]
    },
    nextOrderId: dialect.nextOrderId,
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
      rawWrite: async () => dialect.execute(sql`update customers set email = 'plain'`),
    },
    close: async () => dialect.close?.(),
  }
}

function queries(db: DrizzleDb, dialect: DrizzleDialect, room: suite.SuiteRoom): AdapterQueries {
  const { customers, orders } = dialect.schema
  const sealed = encryptedTable(customers, room.records.customers)
  const sealedOrders = encryptedTable(orders, room.records.orders)
  const inTenant = (orgId: string) => eq(customers.orgId, orgId)
  const isWithin = db !== dialect.db
  const together = <Result>(work: (trx: DrizzleDb) => Promise<Result>) =>
    isWithin ? work(db) : dialect.transaction(work)
  const get = async (of: DrizzleDb, key: CustomerKey) => {
    const [row] = await sealed.decrypt(of.select().from(customers).where(sealed.row(key)))
    return row
  }
  return {
    create: async (row) => {
      const insert = db.insert(customers).values(await sealed.encrypt([row]))
      if (dialect.returning) return (await sealed.decrypt(insert.returning()))[0] as suite.Customer
      await insert
      return (await get(db, row)) as suite.Customer
    },
    createMany: async (rows) => db.insert(customers).values(await sealed.encrypt(rows)),
    update: async (key, changes) => {
      if (Object.keys(changes).every((name) => name === 'status')) {
        return changed(await db.update(customers).set({ status: changes.status }).where(sealed.row(key)))
      }
      return sealed.update(db, key, changes)
    },
    updateMany: async ({ orgId, status }, changes) => {
      const where = and(inTenant(orgId), eq(customers.status, status))
      if (changes.status === undefined) return sealed.updateMany(db, where, changes)
      return changed(await db.update(customers).set({ status: changes.status }).where(where))
    },
    upsert: (row) => sealed.upsert(db, [row]),
    delete: async (key) => {
      const remove = (of: DrizzleDb) => of.delete(customers).where(sealed.row(key))
      if (dialect.returning) return (await sealed.decrypt(remove(db).returning()))[0]
      return together(async (trx) => {
        const row = await get(trx, key)
        await remove(trx)
        return row
      })
    },
    get: (key) => get(db, key),
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
      together(async (trx) => {
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

/** How many rows a driver says it changed. */
function changed(result: unknown): number {
  const [header] = Array.isArray(result) ? result : [result]
  const { rowCount, affectedRows, changes } = header as Record<string, number>
  return (rowCount ?? affectedRows ?? changes) as number
}
