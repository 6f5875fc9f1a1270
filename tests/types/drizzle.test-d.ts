import { eq } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { describe, expectTypeOf, test } from 'vitest'
import { encryptedTable, pgColumns, type Query } from '../../providers/drizzle/index.ts'
import { type Note, records, type SuiteRoom } from '../adapters/records.ts'
import type { customer } from '../adapters/samples.ts'

const customers = pgTable('customers', {
  id: text().primaryKey(),
  orgId: text().notNull(),
  status: text().notNull(),
  ...pgColumns(records.customers),
})
declare const db: NodePgDatabase
declare const room: SuiteRoom
declare const row: ReturnType<typeof customer>
const sealed = () => encryptedTable(customers, room.records.customers)

describe('an encrypted table', () => {
  test('is read as the values that it holds', async () => {
    const cases = async () => {
      const [read] = await sealed().decrypt(db.select().from(customers))
      expectTypeOf(read?.birthDate).toEqualTypeOf<Date | null | undefined>()
      expectTypeOf(read?.balance).toEqualTypeOf<bigint | undefined>()
      expectTypeOf(read?.notes).toEqualTypeOf<Note[] | undefined>()
      expectTypeOf(read?.status).toEqualTypeOf<string | undefined>()
      const first = await sealed().decrypt({} as Query<typeof customers.$inferSelect | undefined>)
      expectTypeOf(first?.birthDate).toEqualTypeOf<Date | null | undefined>()
      const [known] = await sealed().decryptRows(await db.select().from(customers))
      expectTypeOf(known?.balance).toEqualTypeOf<bigint | undefined>()
    }
    const refused = async () => {
      const rows = await sealed().decrypt(db.select().from(customers))
      // @ts-expect-error index columns are not read
      rows[0]?.email_index
      // @ts-expect-error the id and the tenant are needed
      sealed().decrypt(db.select({ name: customers.name }).from(customers))
    }
    expectTypeOf(refused).toBeFunction()
    expectTypeOf(cases).toBeFunction()
  })

  test('is written as the values that it holds', () => {
    const cases = async () => {
      await db.insert(customers).values(await sealed().encrypt([row]))
      // @ts-expect-error not encrypted
      db.insert(customers).values([row])
      // @ts-expect-error a number
      sealed().encrypt([{ ...row, visits: '5' }])
      // @ts-expect-error without its tenant
      sealed().update(db, { id: 'x' }, { visits: 5 })
      // @ts-expect-error another tenant
      sealed().update(db, { id: 'x', orgId: 'acme' }, { orgId: 'globex' })
      // @ts-expect-error not encrypted
      db.update(customers).set({ name: 'Ada' })
    }
    expectTypeOf(cases).toBeFunction()
  })

  test('is searched by its indexes alone', () => {
    const cases = () => {
      // @ts-expect-error encrypted
      eq(customers.email, 'ada@example.com')
      // @ts-expect-error not indexed
      sealed().search('visits', 5, {}, (where) => db.select().from(customers).where(where))
      // @ts-expect-error a date
      sealed().search('person_index', { name: 'x', birthDate: 'x' }, {}, (where) =>
        db.select().from(customers).where(where),
      )
    }
    expectTypeOf(cases).toBeFunction()
  })
})
