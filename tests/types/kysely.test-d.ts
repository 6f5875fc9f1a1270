import type { Kysely } from 'kysely'
import { describe, expectTypeOf, test } from 'vitest'
import { type EncryptedTable, matching, updateEach } from '../../providers/kysely/index.ts'
import type { customers, Note, SuiteRoom } from '../adapters/records.ts'

interface Database {
  customers: EncryptedTable<typeof customers, { id: string; orgId: string; status: string }>
}
declare const db: Kysely<Database>
declare const room: SuiteRoom

describe('an encrypted table', () => {
  test('is read as the values that it holds', async () => {
    const [row] = await db.selectFrom('customers').selectAll().execute()
    if (row === undefined) return
    expectTypeOf<typeof row.birthDate>().toExtend<Date | null>()
    expectTypeOf<typeof row.balance>().toExtend<bigint>()
    expectTypeOf<typeof row.notes>().toExtend<Note[]>()
    expectTypeOf<typeof row.photo>().toExtend<Uint8Array | null>()
    expectTypeOf(row.status).toEqualTypeOf<string>()
    expectTypeOf(row.email_index).toBeNever()
  })

  test('is written as the values that it holds', () => {
    const cases = () => {
      db.updateTable('customers').set({ birthDate: new Date(), balance: 1n, nickname: null })
      // @ts-expect-error a date
      db.updateTable('customers').set({ birthDate: '2001-01-01' })
      // @ts-expect-error not nullable
      db.updateTable('customers').set({ email: null })
      // @ts-expect-error index columns are filled from their fields
      db.updateTable('customers').set({ email_index: 'x' })
      // @ts-expect-error fields are missing
      db.insertInto('customers').values({ id: 'x', orgId: 'acme', status: 'new' })
    }
    expectTypeOf(cases).toBeFunction()
  })

  test('is searched by its indexes alone', () => {
    const cases = () => {
      const all = db.selectFrom('customers').selectAll()
      all.where(matching(room.records.customers, 'email', 'ada@example.com', { tenant: 'acme' }))
      all.where(matching(room.records.customers, 'person_index', { name: 'Ada', birthDate: new Date() }))
      // @ts-expect-error encrypted
      all.where('email', '=', 'ada@example.com')
      // @ts-expect-error encrypted
      all.where('birthDate', '>', new Date())
      // @ts-expect-error encrypted
      all.where('visits', 'in', [1, 2])
      // @ts-expect-error not indexed
      matching(room.records.customers, 'visits', 1)
      // @ts-expect-error a date
      matching(room.records.customers, 'person_index', { name: 'Ada', birthDate: '2001-01-01' })
    }
    expectTypeOf(cases).toBeFunction()
  })

  test('is updated row by row with its own types', () => {
    const cases = () => {
      updateEach(db, room.records.customers, (eb) => eb('status', '=', 'new'), { visits: 1 })
      // @ts-expect-error a number
      updateEach(db, room.records.customers, (eb) => eb('status', '=', 'new'), { visits: '1' })
      // @ts-expect-error no such column
      updateEach(db, room.records.customers, (eb) => eb('state', '=', 'new'), { visits: 1 })
    }
    expectTypeOf(cases).toBeFunction()
  })
})
