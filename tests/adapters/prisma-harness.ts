import { prismaRelations, prismaTables, strongroomPrisma } from '../../providers/prisma/index.ts'
import { type AnyPrisma, prismaSchema } from '../providers/prisma/clients.ts'
import type { AdapterHarness, AdapterQueries, CustomerKey } from './harness.ts'
import { type Customer, customers, type Order, orders, type SuiteRoom } from './records.ts'

/** What differs between databases. */
export interface PrismaDialect {
  open(): Promise<AnyPrisma>
  /** The customers of a tenant, in SQL of one's own. */
  readonly ownSql: string
  nextOrderId(): Promise<number>
}

/** Prisma as the suite wants it; every query is one that a user writes. */
export async function prismaHarness(dialect: PrismaDialect, room: SuiteRoom): Promise<AdapterHarness> {
  const plain = await dialect.open()
  const models = { Customer: customers, Order: orders }
  const relations = prismaRelations(prismaSchema)
  const tables = prismaTables(prismaSchema)
  const db: AnyPrisma = plain.$extends(strongroomPrisma(room, { models, relations, tables }))
  const some = { orgId: 'acme' }
  return {
    ...queries(db),
    transaction: (work) => db.$transaction((tx: AnyPrisma) => work(queries(tx))),
    raw: async (orgId) => {
      const rows = await db.$queryRawUnsafe(dialect.ownSql, orgId)
      return (await room.records.customers.decryptMany(rows)) as unknown as Customer[]
    },
    nextOrderId: dialect.nextOrderId,
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
      rawWrite: () => db.$executeRaw`update customers set email = ${'ada@example.com'}`,
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
