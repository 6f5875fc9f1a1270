import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { text as column, integer as int, jsonb, pgTable, timestamp } from 'drizzle-orm/pg-core'
import { Kysely, PostgresDialect } from 'kysely'
import type pg from 'pg'
import { DataSource, EntitySchema } from 'typeorm'
import { encryptedTable, pgColumns } from '../providers/drizzle/index.ts'
import { strongroomPlugin } from '../providers/kysely/index.ts'
import { encryptedEntity, entityColumns } from '../providers/typeorm/index.ts'
import { date, defineRecord, integer, json, type Strongroom, text } from '../src/index.ts'

export const people = defineRecord(
  'people',
  {
    email: text({ index: { column: 'email_index', transform: 'email', unique: true } }),
    name: text(),
    born: date(),
    salary: integer(),
    notes: json<string[]>(),
  },
  { id: 'id', tenant: 'org' },
)
export type PeopleRoom = Strongroom<{ people: typeof people }>

/** A row of either table: of values, or of ciphertexts that were made before. */
export type Row = Readonly<Record<string, unknown>>

/** One mapper: the same two jobs on plain columns, on ciphertexts as they are, and through the adapter. */
export interface Mapper {
  readonly name: string
  insertPlain(rows: readonly Row[]): Promise<unknown>
  insertStored(rows: readonly Row[]): Promise<unknown>
  insertEncrypted(rows: readonly Row[]): Promise<unknown>
  readPlain(): Promise<unknown>
  readStored(): Promise<unknown>
  readEncrypted(): Promise<unknown>
  close?(): Promise<unknown>
}

export const TABLES = `
  create unlogged table plain (id text primary key, org text, email text, name text, born timestamptz, salary int, notes jsonb);
  create unlogged table people (id text primary key, org text, email text, name text, born text, salary text, notes text, email_index text)`
const ORG = 'acme'
/** Thrown to undo an insert, so that each run finds the table as it was. */
const UNDO = new Error('undo')
const undone = (error: unknown) => {
  if (error !== UNDO) throw error
}

/** Kysely with and without its plugin. */
export function kyselyMapper(pool: pg.Pool, room: PeopleRoom): Mapper {
  const db = new Kysely<Record<string, Record<string, unknown>>>({ dialect: new PostgresDialect({ pool }) })
  const encrypted = db.withPlugin(strongroomPlugin(room.records))
  const insert = (of: typeof db, table: string, rows: readonly Row[]) =>
    of
      .transaction()
      .execute(async (trx) => {
        await trx.insertInto(table).values(rows).execute()
        throw UNDO
      })
      .catch(undone)
  const read = (of: typeof db, table: string) => of.selectFrom(table).selectAll().where('org', '=', ORG).execute()
  return {
    name: 'Kysely',
    insertPlain: (rows) =>
      insert(
        db,
        'plain',
        rows.map((row) => ({ ...row, notes: JSON.stringify(row.notes) })),
      ),
    insertStored: (rows) => insert(db, 'people', rows),
    insertEncrypted: (rows) => insert(encrypted, 'people', rows),
    readPlain: () => read(db, 'plain'),
    readStored: () => read(db, 'people'),
    readEncrypted: () => read(encrypted, 'people'),
  }
}

const plainTable = pgTable('plain', {
  id: column().primaryKey(),
  org: column(),
  email: column(),
  name: column(),
  born: timestamp({ withTimezone: true }),
  salary: int(),
  notes: jsonb(),
})
const storedTable = pgTable('people', {
  id: column().primaryKey(),
  org: column(),
  email: column(),
  name: column(),
  born: column(),
  salary: column(),
  notes: column(),
  email_index: column(),
})
const encryptedPeople = pgTable('people', { id: column().primaryKey(), org: column().notNull(), ...pgColumns(people) })

/** Drizzle with and without encrypted columns. */
export function drizzleMapper(pool: pg.Pool, room: PeopleRoom): Mapper {
  const db = drizzle(pool)
  const sealed = encryptedTable(encryptedPeople, room.records.people)
  const insert = (table: typeof plainTable, values: readonly Row[]) =>
    db
      .transaction(async (trx) => {
        await trx.insert(table).values(values as never)
        throw UNDO
      })
      .catch(undone)
  return {
    name: 'Drizzle',
    insertPlain: (rows) => insert(plainTable, rows),
    insertStored: (rows) => insert(storedTable as never, rows),
    insertEncrypted: async (rows) => insert(encryptedPeople as never, (await sealed.encrypt(rows as never)) as Row[]),
    readPlain: () => db.select().from(plainTable).where(eq(plainTable.org, ORG)),
    readStored: () => db.select().from(storedTable).where(eq(storedTable.org, ORG)),
    readEncrypted: () => sealed.decrypt(db.select().from(encryptedPeople).where(eq(encryptedPeople.org, ORG))),
  }
}

const key = { id: { type: 'text', primary: true }, org: { type: 'text' } } as const
const texts = { email: { type: 'text' }, name: { type: 'text' } } as const
const Plain = new EntitySchema<Row>({
  name: 'Plain',
  tableName: 'plain',
  columns: { ...key, ...texts, born: { type: 'timestamptz' }, salary: { type: 'int' }, notes: { type: 'jsonb' } },
})
const Stored = new EntitySchema<Row>({
  name: 'Stored',
  tableName: 'people',
  columns: {
    ...key,
    ...texts,
    born: { type: 'text' },
    salary: { type: 'text' },
    notes: { type: 'text' },
    email_index: { type: 'text' },
  },
})
const Encrypted = new EntitySchema<Row>({
  name: 'Encrypted',
  tableName: 'people',
  columns: { ...key, ...entityColumns(people) },
})

/** TypeORM with and without its subscriber; each on a data source of its own. */
export async function typeormMapper(url: string, room: PeopleRoom): Promise<Mapper> {
  const open = (entities: EntitySchema<Row>[]) => new DataSource({ type: 'postgres', url, entities }).initialize()
  const bare = await open([Plain, Stored])
  const source = await open([Encrypted])
  encryptedEntity(source, Encrypted, room.records.people)
  const insert = (of: DataSource, entity: EntitySchema<Row>, rows: readonly Row[]) =>
    of
      .transaction(async (manager) => {
        await manager.insert(entity, rows.map((row) => ({ ...row })) as never)
        throw UNDO
      })
      .catch(undone)
  return {
    name: 'TypeORM',
    insertPlain: (rows) => insert(bare, Plain, rows),
    insertStored: (rows) => insert(bare, Stored, rows),
    insertEncrypted: (rows) => insert(source, Encrypted, rows),
    readPlain: () => bare.manager.find(Plain, { where: { org: ORG } }),
    readStored: () => bare.manager.find(Stored, { where: { org: ORG } }),
    readEncrypted: () => source.manager.find(Encrypted, { where: { org: ORG } }),
    close: () => Promise.all([bare.destroy(), source.destroy()]),
  }
}
