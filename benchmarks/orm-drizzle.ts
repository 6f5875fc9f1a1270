import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { integer, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { encryptedTable, pgColumns } from '../providers/drizzle/index.ts'
import type { Mapper } from './orm-job.ts'
import { ORG, type People, type Row, people as record, UNDO, undone } from './orm-people.ts'

const plain = pgTable('plain', {
  id: text().primaryKey(),
  org: text(),
  email: text(),
  name: text(),
  born: timestamp({ withTimezone: true }),
  salary: integer(),
  notes: jsonb(),
})
const stored = pgTable('people', {
  id: text().primaryKey(),
  org: text(),
  email: text(),
  name: text(),
  born: text(),
  salary: text(),
  notes: text(),
  email_index: text(),
})
const encrypted = pgTable('people', { id: text().primaryKey(), org: text().notNull(), ...pgColumns(record) })

/** Drizzle with and without encrypted columns. */
export function drizzleMapper(people: People): Mapper {
  const db = drizzle(people.pool)
  const sealed = encryptedTable(encrypted, people.room.records.people)
  const insert = (table: object, rows: readonly Row[]) =>
    db
      .transaction(async (trx) => {
        await trx.insert(table as typeof plain).values(rows as never)
        throw UNDO
      })
      .catch(undone)
  const jobs = people.jobs({
    insert: (table, rows) => insert(table === 'plain' ? plain : stored, rows),
    insertEncrypted: async (rows) => insert(encrypted, (await sealed.encrypt(rows as never)) as Row[]),
    read: async (table) =>
      table === 'plain'
        ? db.select().from(plain).where(eq(plain.org, ORG))
        : db.select().from(stored).where(eq(stored.org, ORG)),
    readEncrypted: () => sealed.decrypt(db.select().from(encrypted).where(eq(encrypted.org, ORG))),
  })
  return { name: 'Drizzle', ...jobs }
}
