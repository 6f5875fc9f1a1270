import { Kysely, PostgresDialect } from 'kysely'
import { strongroomPlugin } from '../providers/kysely/index.ts'
import type { Mapper } from './orm-job.ts'
import { ORG, type People, type Row, UNDO, undone } from './orm-people.ts'

type Db = Kysely<Record<string, Record<string, unknown>>>

/** Kysely with and without its plugin. */
export function kyselyMapper(people: People): Mapper {
  const db: Db = new Kysely({ dialect: new PostgresDialect({ pool: people.pool }) })
  const encrypted = db.withPlugin(strongroomPlugin(people.room.records))
  const jobs = people.jobs({
    insert: (table, rows) => insert(db, table, table === 'plain' ? rows.map(withJson) : rows),
    insertEncrypted: (rows) => insert(encrypted, 'people', rows),
    read: (table) => read(db, table),
    readEncrypted: () => read(encrypted, 'people'),
  })
  return { name: 'Kysely', ...jobs }
}

function insert(db: Db, table: string, rows: readonly Row[]): Promise<unknown> {
  const work = db.transaction().execute(async (trx) => {
    await trx.insertInto(table).values(rows).execute()
    throw UNDO
  })
  return work.catch(undone)
}

function read(db: Db, table: string): Promise<unknown> {
  return db.selectFrom(table).selectAll().where('org', '=', ORG).execute()
}

function withJson(row: Row): Row {
  return { ...row, notes: JSON.stringify(row.notes) }
}
