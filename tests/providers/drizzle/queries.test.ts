import { inspect } from 'node:util'
import { and, eq, gt, ilike, inArray, isNull, like, max, or, type SQL, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { pgTable, text } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encryptedTable, guardedLogger, pgColumns, type Query } from '../../../providers/drizzle/index.ts'
import { memoryKeyStore, memoryKms } from '../../../providers/memory/index.ts'
import { openStrongroom } from '../../../src/index.ts'
import { records, type SuiteRoom } from '../../adapters/records.ts'
import { refusal } from '../../adapters/refusal.ts'
import { customer } from '../../adapters/samples.ts'

const customers = pgTable('customers', {
  id: text().primaryKey(),
  orgId: text().notNull(),
  status: text().notNull(),
  ...pgColumns(records.customers),
})
// A pool that connects to nothing: what is refused is refused before.
const pool = new pg.Pool({ host: '127.0.0.1', port: 1 })
const db = drizzle(pool)
let room: SuiteRoom
const open = () => encryptedTable(customers, room.records.customers)

beforeAll(async () => {
  room = await openStrongroom({ name: 'suite', kms: memoryKms(), store: memoryKeyStore(), records }, { init: true })
})
afterAll(async () => {
  await pool.end()
  await room.close()
})

describe('a column of a record', () => {
  test('takes nothing but what was encrypted for its row', () => {
    const plain = { ...customer('acme', 1), email_index: 'x', name_index: 'x', person_index: 'x' } as never
    expect(() => db.insert(customers).values(plain).toSQL()).toThrow(refusal(/email takes only what was encrypted/))
    const update = db.update(customers).set({ visits: 5 as never })
    expect(() => update.toSQL()).toThrow(refusal(/id and orgId must be known/))
    for (const where of [
      eq(customers.name, 'x' as never),
      inArray(customers.name, ['x' as never]),
      gt(customers.visits, 1 as never),
    ]) {
      expect(() => db.select().from(customers).where(where).toSQL()).toThrow(refusal(/takes only/))
    }
    expect(() =>
      db
        .select()
        .from(customers)
        .where(eq(customers.email_index, 'aabbcc' as never))
        .toSQL(),
    ).toThrow(refusal(/email_index is an index column/))
  })

  test('holds what shows nothing of itself', async () => {
    const [row] = await open().encrypt([customer('acme', 1)])
    expect(JSON.stringify(row)).not.toMatch(/sr1_/)
    expect(inspect(row)).not.toMatch(/sr1_/)
    expect(`${row?.email}`).toBe('[encrypted]')
  })
})

describe('a query with a table of a record', () => {
  const readings: [string, () => Query<unknown[]>, RegExp][] = [
    ['like', () => db.select().from(customers).where(like(customers.name, 'A%')), /name_index/],
    ['ilike', () => db.select().from(customers).where(ilike(customers.name, 'A%')), /name_index/],
    ['is null', () => db.select().from(customers).where(isNull(customers.birthDate)), /person_index/],
    ['sql', () => db.select().from(customers).where(sql`${customers.name} = 'x'`), /name_index/],
    ['order by', () => db.select().from(customers).orderBy(customers.id, customers.name).limit(5), /order/],
    ['group by', () => db.select({ id: customers.id }).from(customers).groupBy(customers.id, customers.name), /name/],
    ['distinct', () => db.selectDistinct({ name: customers.name }).from(customers), /distinct/],
    ['a function', () => db.select().from(customers).where(sql`lower(${customers.name}) = ${'x'}`), /name_index/],
    ['a cast', () => db.select().from(customers).where(sql`(${customers.name}::text) like ${'x'}`), /name_index/],
    ['an operator before it', () => db.select().from(customers).where(sql`${'x'} = ${customers.name}`), /name_index/],
    [
      'an order behind a call',
      () => db.select().from(customers).orderBy(sql`lower(${customers.status})`, customers.name),
      /order/,
    ],
    [
      'a condition before that of a subquery',
      () =>
        db.delete(customers).where(sql`${customers.name} = 'x' and id in (select id from c where true)`).returning(),
      /name_index/,
    ],
    ['delete', () => db.delete(customers).where(like(customers.name, 'A%')).returning(), /name_index/],
  ]
  for (const [name, query, says] of readings) {
    test(`is refused with ${name} on an encrypted column`, async () => {
      await expect(open().decrypt(query() as Query<(typeof customers.$inferSelect)[]>)).rejects.toThrow(refusal(says))
    })
  }

  test('may ask for null where it shows, and order by what is not encrypted', () => {
    const { orgId, nickname, status } = customers
    const query = db
      .select()
      .from(customers)
      .where(and(eq(orgId, 'x'), isNull(nickname)))
      .orderBy(status)
    expect(() => open().assertReadable(query.toSQL().sql)).not.toThrow()
    const write = db.update(customers).set({ status: 'x' }).where(eq(orgId, 'x')).returning()
    expect(() => open().assertReadable(write.toSQL().sql)).not.toThrow()
  })

  test('is refused with a limit when it searches an index that others share', async () => {
    const search = open().search('name', 'Ada', { tenant: 'acme' }, (where) =>
      db.select().from(customers).where(where).limit(1),
    )
    await expect(search).rejects.toThrow(refusal(/limit/))
  })
})

describe('what is no query of Drizzle', () => {
  test('is refused, and the error says what takes it', async () => {
    await expect(open().decrypt(Promise.resolve([]) as never)).rejects.toThrow(refusal(/decryptRows\(\)/))
    await expect(open().encrypt(customer('acme', 1) as never)).rejects.toThrow(refusal(/rows must be an array/))
    const rows = open().stream(db.select().from(customers) as never)
    await expect(rows.next()).rejects.toThrow(refusal(/read by pages/))
  })
})

describe('a search of an index that others share', () => {
  test('is refused under or, where rows that match otherwise would be dropped', async () => {
    const search = open().search('name', 'Ada', { tenant: 'acme' }, (where) =>
      db
        .select()
        .from(customers)
        .where(or(where, eq(customers.id, 'x'))),
    )
    await expect(search).rejects.toThrow(refusal(/under `and`/))
  })

  test('is refused when it writes', async () => {
    const search = (make: (where: SQL) => unknown) =>
      open().search('name', 'Ada', { tenant: 'acme' }, make as (where: SQL) => Query<(typeof customers.$inferSelect)[]>)
    const says = refusal(/a write could change rows/)
    await expect(search((where) => db.delete(customers).where(where).returning())).rejects.toThrow(says)
    const update = db.update(customers).set({ status: 'x' })
    await expect(search((where) => update.where(where).returning())).rejects.toThrow(says)
  })
})

describe('a write', () => {
  test('of columns that are not the row’s to change is refused', async () => {
    const key = { id: 'x', orgId: 'acme' }
    const update = (changes: object) => open().update(db, key, changes as never)
    await expect(update({ id: 'y' })).rejects.toThrow(refusal(/customers\.id cannot be changed/))
    await expect(update({ orgId: 'y' })).rejects.toThrow(refusal(/customers\.orgId cannot be changed/))
    await expect(update({ email_index: 'y' })).rejects.toThrow(refusal(/email_index is an index column/))
    await expect(update({ secret: 'y' })).rejects.toThrow(refusal(/secret is not declared/))
    await expect(update({})).rejects.toThrow(refusal(/change something/))
    await expect(open().updateMany(db, undefined, { orgId: 'y' } as never)).rejects.toThrow(refusal(/orgId/))
    expect(() => open().row({ id: 'x' } as never)).toThrow(refusal(/missing: orgId/))
  })
})

describe('a database with the guarded logger', () => {
  const logged: string[] = []
  const guarded = () =>
    drizzle(pool, { logger: guardedLogger([open()], { logQuery: (text) => void logged.push(text) }) })
  const inserted = async (changes: object) => {
    const [row] = await open().encrypt([customer('acme', 1)])
    return guarded()
      .insert(customers)
      .values({ ...(row as object), ...changes } as never)
  }
  const attempts: [string, () => PromiseLike<unknown>, RegExp][] = [
    ['an insert of SQL', () => inserted({ name: sql`'plain'` }), /name takes only what was encrypted/],
    ['an insert that selects', () => guarded().insert(customers).select(sql`select * from others`), /must name/],
    ['an update to SQL', () => guarded().update(customers).set({ name: sql`'plain'` }), /name takes only/],
    ['an update of the tenant', () => guarded().update(customers).set({ orgId: 'globex' }), /orgId cannot be changed/],
    ['SQL of your own', () => guarded().execute(sql`update customers set email = ${'plain'}`), /email takes only/],
    ['a comparison in SQL', () => guarded().select().from(customers).where(like(customers.name, 'A%')), /name_index/],
    [
      'a maximum',
      () =>
        guarded()
          .select({ most: max(customers.visits) })
          .from(customers),
      /it has no index/,
    ],
    [
      'an aggregate as JSON',
      () =>
        guarded()
          .select({ all: sql`json_agg(${customers.name})` })
          .from(customers),
      /random bytes/,
    ],
    [
      'an order in a common table expression',
      () => {
        const { id, name } = customers
        const rows = guarded().$with('rows').as(guarded().select({ id, name }).from(customers))
        return guarded().with(rows).select().from(rows).orderBy(rows.name)
      },
      /order/,
    ],
    [
      'a prepared comparison',
      () =>
        guarded()
          .select()
          .from(customers)
          .where(eq(customers.name, sql.placeholder('name')))
          .prepare('by name')
          .execute({ name: 'Ada' }),
      /name_index/,
    ],
  ]
  for (const [name, attempt, says] of attempts) {
    test(`refuses ${name}`, async () => {
      await expect(attempt()).rejects.toThrow(refusal(says))
      expect(logged).toEqual([])
    })
  }

  test('lets through what was encrypted, and tells the logger', async () => {
    await expect(inserted({})).rejects.toThrow(/insert into/) // nothing listens
    expect(logged.splice(0)).toEqual([expect.stringContaining('insert into')])
  })
})
