import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EncryptedTable, matching, strongroomPlugin } from '../../../providers/kysely/index.ts'
import { memoryKeyStore, memoryKms } from '../../../providers/memory/index.ts'
import { defineRecord, openStrongroom, type Strongroom, text } from '../../../src/index.ts'
import { createDatabase, type TestDatabase } from '../../fixtures/postgres-database.ts'

const people = defineRecord(
  'people',
  {
    firstName: text({ index: { column: 'first_name_index', transform: 'casefold', rows: 64 } }),
    lastName: text({ index: { column: 'lastNameIndex', transform: 'casefold', unique: true } }),
  },
  { id: 'id', tenant: 'orgId', plain: ['joinedIn'] },
)
const records = { people }

interface Database {
  people: EncryptedTable<typeof people, { id: string; orgId: string; joinedIn: number }>
}

let database: TestDatabase
let room: Strongroom<typeof records>
let db: Kysely<Database>

const ada = { id: 'p1', orgId: 'acme', joinedIn: 1843, firstName: 'Ada', lastName: 'Lovelace' }
const alan = { id: 'p2', orgId: 'acme', joinedIn: 1936, firstName: 'Alan', lastName: 'Turing' }

const open = (names: CamelCasePlugin) =>
  new Kysely<Database>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: database.connectionString }) }),
    plugins: [strongroomPlugin(room.records, { names })],
  })

beforeAll(async () => {
  database = await createDatabase()
  const config = { name: 'suite', kms: memoryKms(), store: memoryKeyStore(), records }
  room = await openStrongroom(config, { init: true })
  await room.unlock([{ tenant: 'acme' }])
  db = open(new CamelCasePlugin())
  await db.schema
    .createTable('people')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('orgId', 'text')
    .addColumn('joinedIn', 'integer')
    .addColumn('firstName', 'text')
    .addColumn('first_name_index', 'text')
    .addColumn('lastName', 'text')
    .addColumn('lastNameIndex', 'text')
    .execute()
}, 60_000)
afterAll(async () => {
  await db.destroy()
  await room.close()
  await database.drop()
})

describe('beside a plugin that renames columns', () => {
  test('rows are written, found and decrypted, and have no column that was not asked for', async () => {
    expect(await db.insertInto('people').values([ada, alan]).returningAll().execute()).toEqual([ada, alan])
    const byId = db.selectFrom('people').orderBy('id')
    expect(await byId.selectAll().execute()).toEqual([ada, alan])
    expect(await byId.select(['joinedIn', 'lastName as family']).execute()).toEqual([
      { joinedIn: 1843, family: 'Lovelace' },
      { joinedIn: 1936, family: 'Turing' },
    ])
    const found = matching(room.records.people, 'firstName', 'ADA', { tenant: 'acme' })
    expect(await byId.select('id').where(found).execute()).toEqual([{ id: 'p1' }])
    const changed = db
      .updateTable('people')
      .set({ firstName: 'Augusta' })
      .where('id', '=', 'p1')
      .where('orgId', '=', 'acme')
    expect(await changed.returning('firstName').execute()).toEqual([{ firstName: 'Augusta' }])
  })

  test('with every option that it has', async () => {
    const names = new CamelCasePlugin({ underscoreBeforeDigits: true, underscoreBetweenUppercaseLetters: true })
    const other = open(names)
    const query = other.selectFrom('people').selectAll().where('id', '=', 'p2')
    expect(await query.execute()).toEqual([alan])
    await other.destroy()
  })
})
