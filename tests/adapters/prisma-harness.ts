import type pg from 'pg'
import { prismaRelations, strongroomPrisma } from '../../providers/prisma/index.ts'
import { type AnyPrisma, openPrisma, type PrismaVersion, prismaSchema } from '../providers/prisma/clients.ts'
import type { AdapterHarness, AdapterQueries, AdapterUnderTest, CustomerKey } from './harness.ts'
import { type Customer, customers, type Order, orders, type SuiteRoom } from './records.ts'

/** Prisma on PostgreSQL, for the suite. The pool reads the rows as the database holds them. */
export function prismaUnderTest(version: PrismaVersion, connectionString: string, pool: pg.Pool): AdapterUnderTest {
  return {
    open: async (room) => harness(await openPrisma(version, connectionString), room, pool),
    stored: async (table) => (await pool.query(`select * from ${table} order by id`)).rows,
    move: async (column, from, to) => {
      await pool.query(
        `update customers set ${column} = (select ${column} from customers where id = $1) where id = $2`,
        [from, to],
      )
    },
    clear: async () => void (await pool.query('truncate customers cascade')),
  }
}

function harness(plain: AnyPrisma, room: SuiteRoom, pool: pg.Pool): AdapterHarness {
  const models = { Customer: customers, Order: orders }
  const db: AnyPrisma = plain.$extends(strongroomPrisma(room, { models, relations: prismaRelations(prismaSchema) }))
  const some = { orgId: 'acme' }
  return {
    ...queries(db),
    transaction: (work) => db.$transaction((tx: AnyPrisma) => work(queries(tx))),
    raw: async (orgId) => {
      const rows = await db.$queryRaw`select * from customers where "orgId" = ${orgId}`
      return (await room.records.customers.decryptMany(rows)) as unknown as Customer[]
    },
    nextOrderId: async () => Number((await pool.query("select nextval('order_ids')")).rows[0].nextval),
    refused: {
      compare: () => db.customer.findMany({ where: { ...some, email: { startsWith: 'person' } } }),
      order: () => db.customer.findMany({ where: some, orderBy: { name: 'asc' } }),
      updateUnknownRow: () => db.customer.updateMany({ where: { ...some, status: 'active' }, data: { visits: 1 } }),
      changeTenant: async () => {
        const { id } = await db.customer.findFirst({ where: some })
        return db.customer.update({ where: { ...some, id }, data: { orgId: 'globex' } })
      },
      writeIndex: async () => {
        const { id } = await db.customer.findFirst({ where: some })
        return db.customer.update({ where: { ...some, id }, data: { email_index: '00ff' } })
      },
      createWithoutId: () => db.customer.create({ data: { ...some, status: 'active' } }),
      createWithoutField: () => db.customer.create({ data: { ...some, id: 'c1', status: 'active', name: 'Nobody' } }),
    },
    close: () => plain.$disconnect(),
  }
}

function queries(db: AnyPrisma): AdapterQueries {
  const one = ({ id, orgId }: CustomerKey) => ({ id, orgId })
  const byId = { orderBy: { id: 'asc' } }
  return {
    create: (row) => db.customer.create({ data: row }),
    createMany: (rows) => db.customer.createMany({ data: rows }),
    update: async (key, changes) => (await db.customer.updateMany({ where: one(key), data: changes })).count,
    updateMany: async (where, changes) => {
      const isPlain = Object.keys(changes).every((name) => name === 'status')
      return (
        await (isPlain
          ? db.customer.updateMany({ where, data: changes })
          : db.customer.updateEach({ where, data: changes }))
      ).count
    },
    upsert: (row) => {
      const { id, orgId, ...update } = row
      return db.customer.upsert({ where: { id, orgId }, create: row, update })
    },
    delete: async (key) => {
      try {
        return await db.customer.delete({ where: one(key) })
      } catch (error) {
        if ((error as { code?: unknown }).code === 'P2025') return undefined
        throw error
      }
    },
    get: async (key) => (await db.customer.findUnique({ where: one(key) })) ?? undefined,
    findMany: (orgId) => db.customer.findMany({ where: { orgId }, ...byId }),
    search: (name, value, orgId) => {
      const where = name === 'person_index' ? (value as { name: string; birthDate: Date }) : { [name]: value }
      return db.customer.findMany({ where: { orgId, ...where }, ...byId })
    },
    pick: (orgId) => db.customer.findMany({ where: { orgId }, select: { name: true, birthDate: true }, ...byId }),
    createWithOrders: (row, own) => {
      const create = own.map(({ customerId: _, ...order }) => order)
      return db.customer.create({ data: { ...row, orders: { create } } })
    },
    withOrders: async (orgId) => {
      const found: (Customer & { orders: Order[] })[] = await db.customer.findMany({
        where: { orgId },
        include: { orders: true },
        ...byId,
      })
      return found.map(({ orders, ...customer }) => ({ customer, orders }))
    },
  }
}
