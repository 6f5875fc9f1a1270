import { eq, type Logger, type SQL, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { describe, expect, test } from 'vitest'
import { encryptedTable, guardedLogger, pgColumns } from '../../../providers/drizzle/index.ts'
import { memoryKeyStore, memoryKms } from '../../../providers/memory/index.ts'
import { date, defineRecord, openStrongroom } from '../../../src/index.ts'
import type { Case } from '../../adapters/case.ts'
import { describeAdapter } from '../../adapters/conformance.ts'
import { DRIZZLE } from '../../adapters/differences.ts'
import { drizzleHarness } from '../../adapters/drizzle-harness.ts'
import { drizzleSchemas } from '../../adapters/drizzle-schema.ts'
import { PostgresUnderTest } from '../../adapters/postgres-under-test.ts'
import { refusal } from '../../adapters/refusal.ts'
import { customer, order, plain } from '../../adapters/samples.ts'

let postgres: PostgresUnderTest

describeAdapter(
  'Drizzle on PostgreSQL',
  async () => {
    postgres = await PostgresUnderTest.start()
    const schema = drizzleSchemas.postgres
    const open = (logger: Logger) => {
      const db = drizzle(postgres.pool, { schema, logger })
      return {
        db,
        schema,
        returning: true,
        transaction: db.transaction.bind(db),
        execute: async (query: SQL) => (await db.execute(query)).rows,
        nextOrderId: async () => {
          const { rows } = await db.execute<{ id: string }>(sql`select nextval('order_ids') as id`)
          return Number(rows[0]?.id)
        },
      }
    }
    return postgres.with(async (room) => drizzleHarness(schema, open, room))
  },
  () => postgres.stop(),
  describeOwn,
  DRIZZLE,
)

function describeOwn(the: () => Case): void {
  const { customers } = drizzleSchemas.postgres
  const opened = async () => {
    const room = await the().rooms.open(['acme'])
    const sealed = encryptedTable(customers, room.records.customers)
    const logger = guardedLogger([sealed, encryptedTable(drizzleSchemas.postgres.orders, room.records.orders)])
    return { sealed, db: drizzle(postgres.pool, { schema: drizzleSchemas.postgres, logger }) }
  }

  describe('queries of Drizzle', () => {
    test('findFirst is decrypted, and finds nothing where there is nothing', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const { sealed, db } = await opened()
      const first = (orgId: string) =>
        sealed.decrypt(db.query.customers.findFirst({ where: eq(customers.orgId, orgId) }))
      expect(plain((await first('acme')) as object)).toEqual(plain(row))
      expect(await first('globex')).toBeUndefined()
    })

    test('rows of a prepared query are decrypted', async () => {
      const row = customer('acme', 1)
      await the().adapter.create(row)
      const { sealed, db } = await opened()
      const byId = db
        .select()
        .from(customers)
        .where(eq(customers.id, sql.placeholder('id')))
        .prepare('by_id')
      const [found] = await sealed.decryptRows(await byId.execute({ id: row.id }))
      expect(plain(found as object)).toEqual(plain(row))
    })

    test('a ciphertext under another name is refused, and never returned as text', async () => {
      await the().adapter.create(customer('acme', 1))
      const { sealed, db } = await opened()
      const { id, orgId, name } = customers
      const columns: Record<string, object> = { column: name, text: sql<string>`${name}` }
      for (const [as, column] of Object.entries(columns)) {
        const query = db.select({ id, orgId, [as]: column } as { id: typeof id; orgId: typeof orgId }).from(customers)
        await expect(sealed.decrypt(query)).rejects.toThrow(refusal(/under its own name/))
      }
      const joined = { id, orgId, memo: drizzleSchemas.postgres.orders.memo }
      await the().adapter.createWithOrders(customer('acme', 2), [order(customer('acme', 2), 1)])
      const query = db.select(joined).from(customers).innerJoin(drizzleSchemas.postgres.orders, eq(orgId, 'acme'))
      await expect(sealed.decrypt(query)).rejects.toThrow(refusal(/decryptJoin/))
    })

    test('a search that does not select what it tells rows apart by loses none in silence', async () => {
      await the().adapter.create(customer('acme', 1))
      const { sealed, db } = await opened()
      const { id, orgId } = customers
      const search = sealed.search('name', customer('acme', 1).name, { tenant: 'acme' }, (where) =>
        db.select({ id, orgId }).from(customers).where(where),
      )
      await expect(search).rejects.toThrow(refusal(/select it as well/))
    })

    test('the guard knows columns by the letters that `casing` gives them', async () => {
      await postgres.pool.query('create table if not exists cased (id text primary key, org_id text, birth_date text)')
      const record = defineRecord('cased', { birthDate: date() }, { id: 'id', tenant: 'orgId' })
      const config = { name: 'cased', kms: memoryKms(), store: memoryKeyStore(), records: { cased: record } }
      const room = await openStrongroom(config, { init: true })
      const cased = pgTable('cased', { id: text().primaryKey(), orgId: text(), ...pgColumns(record) })
      const sealed = encryptedTable(cased, room.records.cased)
      const db = drizzle(postgres.pool, { casing: 'snake_case', logger: guardedLogger([sealed]) })
      const row = { id: 'a', orgId: 'acme', birthDate: new Date(0) }
      await db.insert(cased).values(await sealed.encrypt([row]))
      expect(await sealed.update(db, row, { birthDate: new Date(1) })).toBe(1)
      const { rows } = await db.execute(sql`select * from cased`)
      expect(await sealed.decryptRaw(rows)).toEqual([{ ...row, birthDate: new Date(1) }])
      const attempts = [
        () => db.execute(sql`update cased set birth_date = 'plain'`),
        () => db.execute(sql`update cased set org_id = 'globex'`),
        () => db.select().from(cased).orderBy(cased.birthDate),
      ]
      for (const attempt of attempts) await expect(attempt()).rejects.toThrow(refusal(/birthDate|orgId/))
      await room.close()
    })
  })
}
