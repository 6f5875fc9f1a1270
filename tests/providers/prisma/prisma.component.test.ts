import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../../providers/memory/index.ts'
import { prismaRelations, prismaTables, strongroomPrisma } from '../../../providers/prisma/index.ts'
import { defineRecord, openStrongroom, text, uuidv7 } from '../../../src/index.ts'
import { customers, orders, records } from '../../adapters/records.ts'
import { refusal } from '../../adapters/refusal.ts'
import { customer, manyCustomers, order } from '../../adapters/samples.ts'
import { describeComponent } from '../../components/component.ts'
import { startPostgres, type TestPostgres } from '../../fixtures/postgres.ts'
import { type AnyPrisma, openPrisma, PRISMA_VERSIONS, prismaSchema, TABLES } from './clients.ts'
import { members, openMembers, secrets } from './members.ts'

const relations = prismaRelations(prismaSchema)
const tables = prismaTables(prismaSchema)
const ada = { id: 'm1', email: 'Ada@Example.com', phone: '+44 20 7946 0958', role: 'admin' }
const whole = { ...ada, logins: 0, invitedById: null }
const alan = { id: 'm2', email: 'alan@example.com', phone: '+44 20 1111 0958', role: 'user' }

/** A client for customers and orders, under keys of its own. */
async function openShop(plain: AnyPrisma, options: { tenant?: () => string | undefined } = {}) {
  const config = { name: 'suite', kms: memoryKms(), store: memoryKeyStore(), records }
  const own = await openStrongroom(config, { init: true })
  const models = { Customer: customers, Order: orders }
  const shop: AnyPrisma = plain.$extends(strongroomPrisma(own, { models, relations, ...options }))
  return { own, shop }
}

for (const version of PRISMA_VERSIONS) {
  describeComponent(version.name, version.missing, () => {
    let postgres: TestPostgres
    let pool: pg.Pool
    let plain: AnyPrisma
    let room: Awaited<ReturnType<typeof openMembers>>
    let db: AnyPrisma

    beforeAll(async () => {
      postgres = await startPostgres()
      pool = new pg.Pool({ connectionString: postgres.connectionString })
      await pool.query(TABLES)
      plain = await openPrisma(version, postgres.connectionString)
    }, 60_000)
    afterAll(async () => {
      await plain?.$disconnect()
      await pool?.end()
      await postgres?.stop()
    })
    beforeEach(async () => {
      await pool.query('truncate members, secrets, tags, customers cascade')
      room = await openMembers()
      const models = { Member: members, Secret: secrets }
      db = plain.$extends(strongroomPrisma(room, { models, relations, tables, ids: { Member: uuidv7 } }))
    })
    afterEach(async () => {
      for (const { email, phone } of await stored('members')) {
        expect(email).toMatch(/^sr1_/)
        if (phone !== null) expect(phone).toMatch(/^sr1_/)
      }
      for (const { body } of await stored('secrets')) expect(body).toMatch(/^sr1_/)
      await room.close()
    })

    const stored = async (table: 'members' | 'secrets') =>
      (await pool.query<Record<string, unknown>>(`select * from ${table} order by id`)).rows
    const secret = (id: string, memberId?: string) => ({ id, body: { title: id }, ...(memberId && { memberId }) })

    describe('a unique index', () => {
      test('finds, changes and deletes one row by its value, however it is written', async () => {
        expect(await db.member.create({ data: ada })).toEqual(whole)
        const where = { email: ' ADA@example.com' }
        expect(await db.member.findUnique({ where })).toEqual(whole)
        expect(await db.member.update({ where, data: { role: 'user' } })).toEqual({ ...whole, role: 'user' })
        expect(await db.member.count({ where })).toBe(1)
        expect(await db.member.delete({ where })).toEqual({ ...whole, role: 'user' })
        expect(await db.member.findUnique({ where })).toBeNull()
        await expect(db.member.findUniqueOrThrow({ where })).rejects.toMatchObject({ code: 'P2025' })
        await expect(db.member.delete({ where })).rejects.toMatchObject({ code: 'P2025' })
      })

      test('finds rows under each index key that is in use, and upserts when there is one', async () => {
        await db.member.create({ data: ada })
        await room.keys.rotate({ purpose: 'index' })
        await db.member.create({ data: alan })
        for (const { email, id } of [ada, alan]) {
          expect(await db.member.findUnique({ where: { email }, select: { id: true } })).toEqual({ id })
          expect(await db.member.findUniqueOrThrow({ where: { email }, select: { email: true } })).toEqual({ email })
          expect(await db.member.update({ where: { email }, data: { logins: { increment: 1 } } })).toMatchObject({
            id,
            logins: 1,
          })
        }
        const upsert = { where: { email: ada.email }, create: ada, update: { role: 'x' } }
        await expect(db.member.upsert(upsert)).rejects.toEqual(refusal(/rotated/))
      })

      test('upserts by its value', async () => {
        const upsert = { where: { email: ada.email }, create: ada, update: { role: 'owner' } }
        expect(await db.member.upsert(upsert)).toEqual(whole)
        expect(await db.member.upsert(upsert)).toEqual({ ...whole, role: 'owner' })
        const changes = { ...upsert, update: { phone: '1234' } }
        await expect(db.member.upsert(changes)).rejects.toEqual(refusal(/must say id/))
        expect(await db.member.upsert({ ...changes, where: { id: 'm1' } })).toMatchObject({ phone: '1234' })
      })

      test('never loses an upsert in silence, when another row is in the way', async () => {
        await db.member.create({ data: ada })
        const upsert = {
          where: { id: 'm1', role: 'user' },
          create: { ...ada, role: 'user' },
          update: { role: 'owner' },
        }
        await expect(db.member.upsert(upsert)).rejects.toEqual(refusal(/upsert wrote nothing/))
        expect(await db.member.findMany()).toEqual([whole])
      })

      test('is enforced by the database', async () => {
        await db.member.create({ data: ada })
        await expect(db.member.create({ data: { ...alan, email: 'ada@EXAMPLE.com' } })).rejects.toMatchObject({
          code: 'P2002',
        })
      })
    })

    describe('an index that other rows share', () => {
      const many = Array.from({ length: 30 }, (_, at) => ({
        ...alan,
        id: `n${String(at).padStart(2, '0')}`,
        email: `n${at}@example.com`,
        phone: `+44 20 ${1000 + at} 0958`,
      }))

      test('finds a value whole by the column, and its last digits by the index', async () => {
        await db.member.createMany({ data: [ada, alan, { ...alan, id: 'm3', email: 'c@example.com', phone: null }] })
        const ids = async (where: object) =>
          (await db.member.findMany({ where, select: { id: true }, orderBy: { id: 'asc' } })).map(
            ({ id }: { id: string }) => id,
          )
        expect(await ids({ phone: ada.phone })).toEqual(['m1'])
        expect(await ids({ phone_last4: '0958' })).toEqual(['m1', 'm2'])
        expect(await ids({ phone: { in: [ada.phone, alan.phone] } })).toEqual(['m1', 'm2'])
        expect(await ids({ phone: null })).toEqual(['m3'])
        expect(await ids({ phone: { not: null } })).toEqual(['m1', 'm2'])
        expect(await ids({ OR: [{ phone: ada.phone }, { email: alan.email }] })).toEqual(['m1', 'm2'])
        expect(await ids({ AND: [{ phone: ada.phone }, { role: 'admin' }] })).toEqual(['m1'])
        expect(await ids({ AND: [{ phone: ada.phone }, { role: 'nobody' }] })).toEqual([])
      })

      test('pages through the rows that match, and not through the others', async () => {
        await db.member.createMany({ data: many })
        const wanted = { in: [3, 11, 20, 25].map((at) => many[at]?.phone) }
        const page = async (args: object) =>
          (await db.member.findMany({ where: { phone: wanted }, orderBy: { id: 'asc' }, ...args })).map(
            ({ id }: { id: string }) => id,
          )
        expect(await page({ take: 2 })).toEqual(['n03', 'n11'])
        expect(await page({ skip: 1, take: 2 })).toEqual(['n11', 'n20'])
        expect(await page({ take: -1 })).toEqual(['n25'])
        expect(await page({ cursor: { id: 'n11' }, skip: 1, take: 1 })).toEqual(['n20'])
        await expect(page({ distinct: ['role'] })).rejects.toEqual(refusal(/distinct/))
      })

      test('passes over rows that do not match when the first is asked for', async () => {
        await db.member.createMany({ data: many })
        const first = { where: { phone: many[29]?.phone }, orderBy: { id: 'asc' }, select: { role: true } }
        expect(await db.member.findFirst(first)).toEqual({ role: 'user' })
        expect(await db.member.findFirst({ where: { phone: '+44 1 0958' } })).toBeNull()
        await expect(db.member.findFirstOrThrow({ where: { phone: '+44 1 0958' } })).rejects.toMatchObject({
          code: 'P2025',
        })
        expect(await db.$transaction((tx: AnyPrisma) => tx.member.findFirst(first))).toEqual({ role: 'user' })
        expect(await db.member.findUnique({ where: { id: 'n01', phone: many[1]?.phone } })).toMatchObject({ id: 'n01' })
        expect(await db.member.findUnique({ where: { id: 'n01', phone: many[2]?.phone } })).toBeNull()
      })

      test('never decides what is counted, changed or deleted', async () => {
        await db.member.createMany({ data: many })
        const where = { phone: many[0]?.phone }
        const attempts = {
          count: () => db.member.count({ where }),
          aggregate: () => db.member.aggregate({ where, _sum: { logins: true } }),
          groupBy: () => db.member.groupBy({ where, by: ['role'] }),
          updateMany: () => db.member.updateMany({ where, data: { role: 'x' } }),
          update: () => db.member.update({ where: { id: 'n00', ...where }, data: { role: 'x' } }),
          deleteMany: () => db.member.deleteMany({ where }),
          delete: () => db.member.delete({ where: { id: 'n00', ...where } }),
          some: () => db.member.findMany({ where: { invited: { some: where } } }),
          direct: () => db.secret.findMany({ where: { member: where } }),
        }
        const before = await stored('members')
        for (const [name, attempt] of Object.entries(attempts)) {
          await expect(attempt(), name).rejects.toEqual(refusal(/other rows/))
        }
        expect(await stored('members')).toEqual(before)
      })
    })

    describe('refused is', () => {
      test.each<[string, () => Promise<unknown>, RegExp]>([
        ['a comparison', () => db.member.findMany({ where: { email: { contains: 'ada' } } }), /email_index/],
        [
          'a comparison without regard to case',
          () => db.member.findMany({ where: { email: { equals: 'a', mode: 'insensitive' } } }),
          /mode/,
        ],
        ['a range', () => db.secret.findMany({ where: { body: { gt: 'a' } } }), /no index/],
        ['NOT', () => db.member.findMany({ where: { NOT: { email: 'a@b.c' } } }), /NOT/],
        ['not', () => db.member.findMany({ where: { email: { not: 'a@b.c' } } }), /only `equals`/],
        ['every', () => db.member.findMany({ where: { invited: { every: { email: 'a@b.c' } } } }), /every/],
        ['a hidden null', () => db.member.findMany({ where: { email: null } }), /visible/],
        ['a mixed OR', () => db.member.findMany({ where: { OR: [{ phone: '0958' }, { role: 'x' }] } }), /OR/],
        ['an order', () => db.member.findMany({ orderBy: [{ role: 'asc' }, { email: 'desc' }] }), /order/],
        ['an order by a related row', () => db.secret.findMany({ orderBy: { member: { email: 'asc' } } }), /order/],
        ['a nested order', () => db.member.findMany({ include: { secrets: { orderBy: { body: 'asc' } } } }), /order/],
        ['distinct', () => db.member.findMany({ distinct: ['email'] }), /distinct/],
        ['a cursor', () => db.member.findMany({ cursor: { email: 'a' } }), /cursor/],
        [
          'a comparison with an encrypted column',
          () => db.member.findMany({ where: { OR: [{ role: { equals: db.member.fields.email } }] } }),
          /compared with email/,
        ],
        [
          'a group that is compared with one',
          () => db.member.groupBy({ by: ['role'], having: { role: { equals: db.member.fields.phone } } }),
          /having phone/,
        ],
        ['a minimum', () => db.member.aggregate({ _min: { email: true } }), /_min/],
        ['a count of values', () => db.member.count({ select: { phone: true } }), /select phone/],
        ['a group', () => db.member.groupBy({ by: ['email'] }), /by email/],
        ['having', () => db.member.groupBy({ by: ['role'], having: { email: { equals: 'a' } } }), /having/],
        ['reading an index', () => db.member.findMany({ select: { email_index: true } }), /email_index/],
        ['writing an index', () => db.member.create({ data: { ...ada, email_index: '00' } }), /email_index/],
        [
          'a calculation',
          () => db.member.update({ where: { id: 'm1' }, data: { email: { increment: 1 } } }),
          /increment/,
        ],
        ['a new id', () => db.member.update({ where: { id: 'm1' }, data: { id: 'm9' } }), /bound/],
        ['a new id for many', () => db.member.updateMany({ data: { id: { set: 'm9' } } }), /bound/],
        ['one text for many rows', () => db.member.updateMany({ data: { email: 'x@example.com' } }), /updateEach/],
        ['a missing field', () => db.member.create({ data: { id: 'm1', role: 'x' } }), /email/],
        ['a missing id', () => db.secret.create({ data: { body: { title: '' }, memberId: 'm1' } }), /uuidv7/],
        ['a value of another type', () => db.member.create({ data: { ...ada, email: 5 } }), /text value/],
        ['an undeclared relation', () => db.member.findMany({ include: { nothing: true } }), /prismaRelations/],
      ])('%s', async (_, attempt, says) => {
        await expect(attempt()).rejects.toEqual(refusal(says))
        expect(await stored('members')).toEqual([])
      })

      test('a relation that was not declared, wherever it stands', async () => {
        await db.member.create({ data: { ...ada, secrets: { create: secret('s1') } } })
        const bare: AnyPrisma = plain.$extends(strongroomPrisma(room, { models: { Member: members, Secret: secrets } }))
        const nested = { secrets: { create: secret('s2') } }
        for (const attempt of [
          () => bare.member.findMany({ include: { secrets: true } }),
          () => bare.member.findMany({ select: { secrets: true } }),
          () => bare.member.findMany({ select: { secrets: { select: { id: true } } } }),
          () => bare.member.findMany({ where: { secrets: { some: { body: 'x' } } } }),
          () => bare.member.findMany({ orderBy: { invitedBy: { email: 'asc' } } }),
          () => bare.member.create({ data: { ...alan, ...nested } }),
          () => bare.member.update({ where: { id: 'm1' }, data: nested }),
          () => bare.member.findUnique({ where: { id: 'm1' } }).secrets(),
        ]) {
          await expect(attempt()).rejects.toEqual(refusal(/relation/))
        }
        expect(await stored('members')).toHaveLength(1)
        expect(await stored('secrets')).toHaveLength(1)
      })
    })

    test('a comparison of plain columns is left to the database', async () => {
      await db.member.createMany({ data: [ada, { ...alan, role: 'm2' }] })
      const where = { role: { equals: db.member.fields.id } }
      expect(await db.member.findMany({ where, select: { email: true } })).toEqual([{ email: alan.email }])
      const having = { role: { equals: db.member.fields.role } }
      expect(await db.member.groupBy({ by: ['role'], having, orderBy: { role: 'asc' } })).toHaveLength(2)
    })

    test('a client that encrypts is not extended to encrypt once more', async () => {
      const again = strongroomPrisma(room, { models: { Secret: secrets }, relations, tables })
      const refusedTwice = expect.objectContaining({ code: 'ERR_CONFIG', message: expect.stringMatching(/already/) })
      expect(() => db.$extends(again)).toThrow(refusedTwice)
      expect(() => db.$extends({ name: 'other' }).$extends((client: AnyPrisma) => client.$extends(again))).toThrow(
        refusedTwice,
      )
    })

    test('columns that the client omits from every answer are read where values are bound to them', async () => {
      const client = await openPrisma(version, postgres.connectionString, {
        omit: { member: { id: true, role: true } },
      })
      const omitting: AnyPrisma = client.$extends(
        strongroomPrisma(room, { models: { Member: members, Secret: secrets }, relations, tables }),
      )
      const { role: _, ...shown } = whole
      expect(await omitting.member.create({ data: ada })).toEqual(shown)
      expect(await omitting.member.findMany({ where: { phone: ada.phone } })).toEqual([shown])
      await omitting.secret.create({ data: secret('s1', 'm1') })
      expect(await omitting.secret.findFirst({ include: { member: true } })).toMatchObject({ member: shown })
      await client.$disconnect()
    })

    describe('nested writes', () => {
      test('encrypt each row under its own key, which comes from the row above it', async () => {
        const data = {
          ...ada,
          secrets: { create: [secret('s1'), secret('s2')] },
          invited: { create: { ...alan, secrets: { createMany: { data: [secret('s3')] } } } },
        }
        const made = await db.member.create({
          data,
          include: { secrets: true, invited: { include: { secrets: true } } },
        })
        expect(made).toEqual({
          ...whole,
          secrets: [secret('s1', 'm1'), secret('s2', 'm1')],
          invited: [{ ...alan, logins: 0, invitedById: 'm1', secrets: [secret('s3', 'm2')] }],
        })
        const scopes = (await room.keys.list({ purpose: 'data' })).map(({ scope }) => scope)
        expect(scopes.filter((scope) => scope.startsWith('subject='))).toHaveLength(2)
      })

      test('reach up to a row that they create, connect or find', async () => {
        const first = await db.secret.create({
          data: { ...secret('s1'), member: { create: ada } },
          include: { member: true },
        })
        expect(first).toEqual({ ...secret('s1', 'm1'), member: whole })
        await db.secret.create({ data: { ...secret('s2'), member: { connect: { id: 'm1' } } } })
        const orCreate = { connectOrCreate: { where: { id: 'm2' }, create: alan } }
        expect(await db.secret.create({ data: { ...secret('s3'), member: orCreate } })).toEqual(secret('s3', 'm2'))
        expect(await db.secret.create({ data: { ...secret('s4'), member: orCreate } })).toEqual(secret('s4', 'm2'))
        const byEmail = { connect: { email: ada.email } }
        await expect(db.secret.create({ data: { ...secret('s5'), member: byEmail } })).rejects.toEqual(
          refusal(/memberId/),
        )
        expect(await db.member.count()).toBe(2)
      })

      test('update, upsert and delete rows that they name', async () => {
        await db.member.create({ data: { ...ada, secrets: { create: [secret('s1'), secret('s2')] } } })
        const change = (secrets: object) =>
          db.member.update({ where: { id: 'm1' }, data: { secrets }, include: { secrets: { orderBy: { id: 'asc' } } } })
        const body = { title: 'new' }
        expect((await change({ update: { where: { id: 's1' }, data: { body } } })).secrets[0]).toEqual({
          ...secret('s1', 'm1'),
          body,
        })
        const upsert = { where: { id: 's3' }, create: secret('s3'), update: { body } }
        expect((await change({ upsert })).secrets).toHaveLength(3)
        expect((await change({ upsert })).secrets[2]).toEqual({ ...secret('s3', 'm1'), body })
        expect((await change({ updateMany: { where: { id: 's2' }, data: { body } } })).secrets[1].body).toEqual(body)
        expect((await change({ delete: { id: 's2' }, create: secret('s4') })).secrets).toHaveLength(3)
        expect((await change({ deleteMany: {} })).secrets).toEqual([])
        await expect(change({ updateMany: { where: {}, data: { body } } })).rejects.toEqual(refusal(/must say id/))
      })

      test('do not take a row from the parent to which its values are bound', async () => {
        await db.member.createMany({ data: [ada, alan] })
        await db.secret.create({ data: secret('s1', 'm1') })
        const before = await stored('secrets')
        for (const attempt of [
          () => db.member.update({ where: { id: 'm2' }, data: { secrets: { connect: { id: 's1' } } } }),
          () => db.member.update({ where: { id: 'm1' }, data: { secrets: { set: [] } } }),
          () => db.secret.update({ where: { id: 's1' }, data: { member: { connect: { id: 'm2' } } } }),
          () => db.secret.update({ where: { id: 's1', memberId: 'm1' }, data: { memberId: 'm2' } }),
        ]) {
          await expect(attempt()).rejects.toEqual(refusal(/memberId/))
        }
        expect(await stored('secrets')).toEqual(before)
      })

      test('do not change what rows of another model are bound to, which the database would change with it', async () => {
        const visits = defineRecord(
          'visits',
          { finding: text({ index: { column: 'finding_index', unique: true } }) },
          { id: 'id', subject: 'patientId' },
        )
        const config = { name: 'clinic', kms: memoryKms(), store: memoryKeyStore(), records: { visits } }
        const own = await openStrongroom(config, { init: true })
        const clinic: AnyPrisma = plain.$extends(strongroomPrisma(own, { models: { Visit: visits }, relations }))
        const [where, data] = [{ id: 'p1' }, { id: 'p2' }]
        for (const attempt of [
          () => clinic.patient.update({ where, data }),
          () => clinic.patient.updateMany({ data: { id: { set: 'p2' } } }),
          () => clinic.patient.upsert({ where, create: { ...where, email: '', ward: '' }, update: data }),
          () => clinic.visit.update({ where: { id: 1 }, data: { patient: { update: data } } }),
        ]) {
          await expect(attempt()).rejects.toEqual(refusal(/rows of Visit/))
        }
        await own.close()
      })

      test('hang on rows in which nothing is encrypted, and through them', async () => {
        const { own, shop } = await openShop(plain)
        const row = customer('acme', 1)
        const { customerId: _, ...placed } = order(row, 7)
        const create = { ...row, orders: { create: placed } }
        const tag = await shop.tag.create({
          data: { label: 'new', customers: { create } },
          include: { customers: { include: { orders: true } } },
        })
        expect(tag.customers[0].orders).toEqual([order(row, 7)])
        expect(tag.customers[0].balance).toBe(row.balance)
        const where = { customers: { some: { email: row.email, orgId: 'acme' } } }
        expect(await shop.tag.findMany({ where })).toHaveLength(1)
        await expect(shop.tag.findMany({ where: { customers: { some: { email: row.email } } } })).rejects.toEqual(
          refusal(/orgId/),
        )
        expect(
          await shop.tag.findFirst({ select: { _count: { select: { customers: { where: where.customers.some } } } } }),
        ).toEqual({ _count: { customers: 1 } })
        await own.close()
      })
    })

    describe('selections', () => {
      beforeEach(() => db.member.create({ data: { ...ada, secrets: { create: [secret('s1'), secret('s2')] } } }))

      test('have what was asked for, at every depth, and decrypt it', async () => {
        const select = { email: true, secrets: { select: { body: true }, where: { id: 's2' } } }
        expect(await db.member.findMany({ select })).toEqual([
          { email: ada.email, secrets: [{ body: { title: 's2' } }] },
        ])
        const omit = { id: true, phone: true, logins: true, invitedById: true }
        expect(await db.member.findFirst({ omit })).toEqual({ email: ada.email, role: ada.role })
        expect(await db.member.findFirst({ select: { role: true } })).toEqual({ role: ada.role })
        expect(
          await db.secret.findFirst({ where: { id: 's1' }, select: { member: { select: { phone: true } } } }),
        ).toEqual({ member: { phone: ada.phone } })
        expect(await db.member.findFirst({ select: { _count: true } })).toEqual({ _count: { invited: 0, secrets: 2 } })
      })

      test('follow a chain of relations', async () => {
        expect(await db.member.findUnique({ where: { id: 'm1' } }).secrets({ orderBy: { id: 'asc' } })).toEqual([
          secret('s1', 'm1'),
          secret('s2', 'm1'),
        ])
        expect(await db.secret.findUnique({ where: { id: 's1' } }).member()).toEqual(whole)
        expect(
          await db.secret
            .findUnique({ where: { id: 's1' } })
            .member()
            .secrets({ select: { body: true }, take: 1 }),
        ).toEqual([{ body: { title: 's1' } }])
        expect(await db.member.findUnique({ where: { id: 'm9' } }).secrets()).toBeNull()
      })

      test('drop the rows of a relation that an index returned by chance', async () => {
        await db.member.createMany({
          data: [alan, { ...alan, id: 'm3', email: 'c@example.com', phone: '1 0958' }].map((row) => ({
            ...row,
            invitedById: 'm1',
          })),
        })
        const invited = { where: { phone: alan.phone }, select: { id: true }, take: 1 }
        expect(await db.member.findMany({ where: { id: 'm1' }, select: { invited } })).toEqual([
          { invited: [{ id: 'm2' }] },
        ])
      })

      test('give other extensions what they need', async () => {
        const compute = (row: { email: string }) => row.email.split('@')[1]
        const named: AnyPrisma = db.$extends({ result: { member: { domain: { needs: { email: true }, compute } } } })
        expect({ ...(await named.member.findFirst({ select: { domain: true } })) }).toMatchObject({
          domain: 'Example.com',
        })
        expect(await named.member.findFirst()).toMatchObject({ ...whole, domain: 'Example.com' })
      })

      test('encrypt what other extensions write, in whatever order they were added', async () => {
        const create = ({ args, query }: AnyPrisma) => query({ ...args, data: { ...args.data, phone: '77 0000' } })
        const later: AnyPrisma = db.$extends({ query: { member: { create } } })
        expect(await later.member.create({ data: alan })).toMatchObject({ phone: '77 0000' })
        const asFunction = (client: AnyPrisma) => client.$extends({ query: { member: { create } } })
        await later.$extends(asFunction).member.create({ data: { ...alan, id: 'm3', email: 'c@example.com' } })
        await db.$transaction((tx: AnyPrisma) =>
          tx.member.create({ data: { ...alan, id: 'm4', email: 'd@example.com' } }),
        )
      })
    })

    describe('transactions', () => {
      test('of several calls write all or nothing, also when one cannot be encrypted', async () => {
        const [made, found] = await db.$transaction([
          db.member.create({ data: ada }),
          db.member.findMany({ where: { email: ada.email } }),
        ])
        expect([made, ...found]).toEqual([whole, whole])
        const failing = [db.member.create({ data: alan }), db.member.create({ data: { ...ada, id: 'm3' } })]
        await expect(db.$transaction(failing)).rejects.toMatchObject({ code: 'P2002' })
        const refusedOne = [
          db.member.create({ data: alan }),
          db.member.create({ data: { ...alan, id: 'm3', email: 7 } }),
        ]
        await expect(db.$transaction(refusedOne)).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
        expect(await stored('members')).toHaveLength(1)
      })

      test('roll back what updateEach did in them', async () => {
        await db.member.createMany({ data: [ada, alan] })
        const before = await stored('members')
        const work = db.$transaction(async (tx: AnyPrisma) => {
          expect(await tx.member.updateEach({ where: {}, data: { phone: '5 5555' } })).toEqual({ count: 2 })
          expect(await tx.member.findMany({ where: { phone: '5 5555' } })).toHaveLength(2)
          throw new Error('changed my mind')
        })
        await expect(work).rejects.toThrow('changed my mind')
        expect(await stored('members')).toEqual(before)
      })

      test('of updateEach take as long as they are allowed to', async () => {
        await db.member.createMany({ data: [ada, alan] })
        const slow: AnyPrisma = db.$extends({
          query: {
            member: {
              updateMany: async ({ args, query }: AnyPrisma) => {
                await new Promise((resolve) => setTimeout(resolve, 100))
                return query(args)
              },
            },
          },
        })
        const change = { where: {}, data: { phone: '5 5555' } }
        await expect(slow.member.updateEach(change, { timeout: 50 })).rejects.toMatchObject({ code: 'P2028' })
        expect(await slow.member.updateEach(change, { timeout: 20_000, maxWait: 10_000 })).toEqual({ count: 2 })
      })

      test('of updateEach are its own where it is called alone', async () => {
        await db.member.createMany({ data: [ada, alan] })
        const before = await stored('members')
        await expect(db.member.updateEach({ where: {}, data: { email: 'same@example.com' } })).rejects.toMatchObject({
          code: 'P2002',
        })
        expect(await stored('members')).toEqual(before)
      })
    })

    test('rows come back from the statements that return them', async () => {
      expect(await db.member.createManyAndReturn({ data: [ada, alan], select: { phone: true } })).toEqual([
        { phone: ada.phone },
        { phone: alan.phone },
      ])
      const changed = await db.member.updateManyAndReturn({ where: { id: 'm1' }, data: { phone: { set: '9 9999' } } })
      expect(changed).toEqual([{ ...whole, phone: '9 9999' }])
      const { id } = await db.member.create({ data: { email: 'new@example.com', phone: null, role: 'x' } })
      expect(id).toMatch(/^[0-9a-f-]{36}$/)
    })

    test('SQL of your own reads ciphertexts, which the record decrypts', async () => {
      await db.member.create({ data: ada })
      const rows = await db.$queryRaw`select * from members where id = ${'m1'}`
      expect(rows[0].email).toMatch(/^sr1_/)
      expect(await room.records.members.decryptMany(rows)).toEqual([whole])
      const tags = await room.records.members.indexMany('email', [ada.email])
      expect(await db.$queryRaw`select id from members where email_index = any(${tags})`).toEqual([{ id: 'm1' }])
    })

    describe('SQL of your own', () => {
      const attempts: readonly (readonly [string, (client: AnyPrisma) => unknown, RegExp])[] = [
        ['plaintext by $executeRaw', (on) => on.$executeRaw`update members set email = ${'x@example.com'}`, /email/],
        ['plaintext by $queryRaw', (on) => on.$queryRaw`update members set phone = ${'1'} returning id`, /phone/],
        [
          'plaintext by $executeRawUnsafe',
          (on) => on.$executeRawUnsafe('update members set email = $1 where id = $2', 'x@example.com', 'm1'),
          /email/,
        ],
        ['plaintext in the text', (on) => on.$executeRawUnsafe(`update members set email = 'x@example.com'`), /email/],
        ['a tag by hand', (on) => on.$executeRaw`update members set email_index = ${'x@example.com'}`, /email_index/],
        ['another id', (on) => on.$executeRaw`update members set id = ${'m9'} where id = ${'m1'}`, /\bid\b/],
        ['rows of a select', (on) => on.$executeRaw`insert into members select * from members`, /members/],
        [
          'new rows in plaintext',
          (on) =>
            on.$executeRaw`insert into members (id, email, email_index, role) values ('m9', 'x@example.com', '00ff', 'user')`,
          /email/,
        ],
        [
          'a comparison',
          (on) => on.$queryRaw`select id from members where email = ${'ada@example.com'}`,
          /email_index/,
        ],
        ['an order', (on) => on.$queryRawUnsafe('select id from members order by phone'), /order/],
        ['a maximum', (on) => on.$queryRaw`select max(phone) from "members"`, /phone/],
      ]

      test.each(attempts)('is refused for %s, alone and in both kinds of transactions', async (_, attempt, says) => {
        await db.member.create({ data: ada })
        const before = await stored('members')
        const role = { where: { id: 'm1' }, data: { role: 'changed' } }
        await expect(attempt(db)).rejects.toEqual(refusal(says))
        const interactive = db.$transaction(async (tx: AnyPrisma) => {
          await tx.member.update(role)
          await attempt(tx)
        })
        await expect(interactive).rejects.toEqual(refusal(says))
        await expect(db.$transaction([db.member.update(role), attempt(db)])).rejects.toEqual(refusal(says))
        expect(await stored('members')).toEqual(before)
      })

      test('writes what the record encrypted, and plain columns as they are', async () => {
        await db.member.create({ data: ada })
        const [row] = await room.records.members.encryptMany([{ id: 'm1', phone: '1234 5678' }])
        const { phone, phone_last4: tag } = row as { phone: string; phone_last4: string }
        await db.$executeRaw`update members set phone = ${phone}, phone_last4 = ${tag}, role = ${'user'} where id = ${'m1'}`
        expect(await db.member.findUnique({ where: { id: 'm1' } })).toEqual({
          ...whole,
          phone: '1234 5678',
          role: 'user',
        })
        expect(await db.$executeRawUnsafe('delete from members where role = $1', 'user')).toBe(1)
      })

      test('is left alone by extensions that were added later as well', async () => {
        const later: AnyPrisma = db.$extends({ query: { $executeRaw: ({ args, query }: AnyPrisma) => query(args) } })
        const attempt = later.$executeRaw`update members set email = ${'x@example.com'}`
        await expect(attempt).rejects.toEqual(refusal(/email/))
      })

      test('is refused where it is not known what the tables are called, unless it has none', async () => {
        const bare: AnyPrisma = plain.$extends(strongroomPrisma(room, { models: { Member: members } }))
        expect(await bare.$queryRaw`select ${1}::int as one`).toEqual([{ one: 1 }])
        await expect(bare.$queryRaw`select id from members`).rejects.toEqual(refusal(/prismaTables/))
        await expect(bare.$executeRawUnsafe('delete from members')).rejects.toEqual(refusal(/prismaTables/))
      })
    })

    test('the tenant comes from the request, and two of them at once never mix', async () => {
      const request = new AsyncLocalStorage<string>()
      const { own, shop } = await openShop(plain, { tenant: () => request.getStore() })
      const work = (orgId: string) =>
        request.run(orgId, async () => {
          for (const { orgId: _, ...row } of manyCustomers(orgId, 5)) {
            await shop.customer.create({ data: { ...row, name: 'Same Name' } })
            const found = await shop.customer.findMany({ where: { name: 'same name' } })
            expect(found.every((one: { orgId: string }) => one.orgId === orgId)).toBe(true)
            await shop.customer.update({ where: { id: row.id }, data: { visits: 1 } })
          }
          expect(await shop.customer.count()).toBe(5)
        })
      await Promise.all([work('acme'), work('globex')])
      const [other] = await plain.customer.findMany({ where: { orgId: 'globex' }, take: 1 })
      const [mine] = await plain.customer.findMany({ where: { orgId: 'acme' }, take: 1 })
      await request.run('acme', async () => {
        expect(await shop.customer.findUnique({ where: { id: other?.id } })).toBeNull()
        expect(await shop.customer.deleteMany({ where: { orgId: { not: 'acme' } } })).toEqual({ count: 0 })
        expect(
          await shop.customer.count({ where: { orgId: { in: ['globex', 'acme'] }, AND: { status: 'active' } } }),
        ).toBe(3)
        const label = 'theirs'
        const connect = { id: other?.id }
        const nobody = shop.tag.create({ data: { label, customers: { connect } } })
        await expect(nobody).rejects.toMatchObject({ code: 'P2025' })
        await shop.tag.create({ data: { label, customers: { connect: { id: mine?.id } } } })
        await shop.tag.update({ where: { label }, data: { customers: { deleteMany: { id: other?.id } } } })
        const nested = { update: { where: { id: mine?.id }, data: { visits: 7 } } }
        await shop.tag.update({ where: { label }, data: { customers: nested } })
        expect(await shop.customer.findUnique({ where: { id: mine?.id } })).toMatchObject({ visits: 7 })
        expect(await shop.customer.deleteMany()).toEqual({ count: 5 })
        await expect(shop.customer.create({ data: customer('globex', 9) })).rejects.toEqual(refusal(/tenant/))
        await expect(shop.customer.findMany({ where: { orgId: 'globex' } })).rejects.toEqual(refusal(/tenant/))
      })
      expect((await pool.query('select 1 from customers')).rowCount).toBe(5)
      await own.close()
    })

    test('a nested update of the one row that a relation leads to is held to the tenant, and knows the row by its key', async () => {
      const { own, shop } = await openShop(plain, { tenant: () => 'acme' })
      const all = plain.$extends(strongroomPrisma(own, { models: { Customer: customers, Order: orders }, relations }))
      const [mine, theirs] = [customer('acme', 1), customer('globex', 2)]
      await all.customer.createMany({ data: [mine, theirs] })
      await all.order.createMany({ data: [order(mine, 1), { ...order(mine, 2), customerId: theirs.id }] })
      const change = (id: number, customerId: string | undefined, update: object) =>
        shop.order.update({ where: { id, ...(customerId && { customerId }) }, data: { customer: { update } } })

      await change(1, mine.id, { nickname: 'Ada', status: 'new' })
      await change(1, mine.id, { data: { visits: 5 } })
      expect(await shop.customer.findMany()).toMatchObject([{ id: mine.id, nickname: 'Ada', status: 'new', visits: 5 }])
      await change(1, undefined, { where: { id: mine.id }, data: { visits: 6 } })
      await expect(change(1, undefined, { visits: 7 })).rejects.toEqual(
        refusal(/id and orgId exactly, as .customer: \{/),
      )

      const before = await pool.query('select * from customers order by id')
      for (const update of [{ visits: 8 }, { status: 'new' }, { data: { nickname: 'Eve' } }]) {
        await expect(change(2, theirs.id, update)).rejects.toMatchObject({ code: 'P2025' })
      }
      expect((await pool.query('select * from customers order by id')).rows).toEqual(before.rows)
      expect((await all.customer.findUnique({ where: { id: theirs.id } })).name).toBe(theirs.name)
      await own.close()
    })

    if (version.name === 'Prisma 6') {
      test('Prisma.skip, which Prisma makes an empty object, is refused for a value', async () => {
        const { skip } = createRequire(`${version.folder}/package.json`)('./generated/runtime/client.js')
        const says = refusal(/phone is an empty object.*leave phone out/)
        await expect(db.member.create({ data: { ...ada, phone: skip } })).rejects.toEqual(says)
        await db.member.create({ data: ada })
        await expect(db.member.update({ where: { id: 'm1' }, data: { phone: skip } })).rejects.toEqual(says)
      })
    } else {
      test('Prisma.skip says that nothing is given, wherever it stands', async () => {
        const { skip } = createRequire(`${version.folder}/package.json`)('@prisma/client/runtime/client')
        const made = await db.member.create({
          data: { ...ada, phone: skip, secrets: skip, invitedById: skip },
          include: skip,
        })
        expect(made).toEqual({ ...whole, phone: null })
        await db.member.update({
          where: { id: 'm1' },
          data: { email: skip, phone: ada.phone, secrets: { create: skip } },
        })
        await db.member.updateMany({
          where: { id: 'm1', email: skip, phone: skip, NOT: skip },
          data: { phone: skip, logins: 3 },
        })
        expect(await db.member.findMany({ where: { OR: skip, email: ada.email }, take: skip })).toEqual([
          { ...whole, logins: 3 },
        ])
        expect(await db.member.findFirst({ where: skip, select: { email: true, phone: skip } })).toEqual({
          email: ada.email,
        })
        const set = db.member.update({ where: { id: 'm1' }, data: { email: { set: skip } } })
        await expect(set).rejects.toEqual(refusal(/give Prisma.skip itself, or leave email out/))
        await expect(db.member.create({ data: { ...ada, id: 'm9', email: skip } })).rejects.toEqual(
          refusal(/without email/),
        )
      })
    }

    test('work for no tenant says which one it is for, or is refused: also when it is awaited too late', async () => {
      const request = new AsyncLocalStorage<string>()
      const { own, shop } = await openShop(plain, { tenant: () => request.getStore() })
      await shop.customer.createMany({ data: [...manyCustomers('acme', 2), ...manyCustomers('globex', 2)] })
      const { id } = customer('acme', 0)
      const unheld = request.run('acme', () => [
        () => shop.customer.findMany(),
        () => shop.customer.findUnique({ where: { id } }),
        () => shop.customer.count({ where: { status: 'active' } }),
        () => shop.customer.updateMany({ data: { status: 'gone' } }),
        () => shop.customer.deleteMany(),
        () => shop.tag.create({ data: { label: 'x', customers: { connect: { id } } } }),
      ])
      for (const attempt of unheld) {
        // Prisma does nothing before somebody awaits, which is behind `run` here.
        const late: PromiseLike<unknown> = request.run('acme', attempt)
        await expect(late).rejects.toEqual(refusal(/no tenant.*awaited/))
      }
      expect(await shop.customer.count({ where: { orgId: 'acme' } })).toBe(2)
      expect(await shop.customer.count({ where: { orgId: 'acme', status: 'gone' } })).toBe(0)
      await own.close()
    })
  })
}
