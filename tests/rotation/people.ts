import { join } from 'node:path'
import type pg from 'pg'
import { createKeyStoreFile, fileKeyStore } from '../../providers/file/index.ts'
import { rawAes } from '../../providers/raw/index.ts'
import { defineStrongroom } from '../../src/config.ts'
import { integer, text } from '../../src/records/field.ts'
import { defineRecord } from '../../src/records/schema.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import { tableAt } from '../providers/sql/at.ts'

export const people = defineRecord(
  'people',
  {
    email: text({ index: { column: 'email_index', transform: 'email', rows: 100_000 } }),
    note: text({ nullable: true }),
    visits: integer({ storage: 'binary' }),
  },
  { id: 'id', tenant: 'tenant' },
)

/** A Strongroom over a table of people, whose keys are in a folder. */
export function configure(folder: string, connectionString: string, table = 'people') {
  return defineStrongroom({
    name: 'rotation',
    kms: rawAes({ namespace: 'test', name: 'one', key: Buffer.alloc(32, 7) }),
    store: fileKeyStore({ path: join(folder, 'keys'), lockTimeoutMs: 30_000 }),
    records: { people },
    tables: { people: tableAt(connectionString, table) },
    keyring: { refreshInterval: 100 },
  })
}

export const TENANTS = ['acme', 'globex', 'initech']

/** The person of one id, as the application knows it. */
export const person = (id: number) => ({
  id,
  tenant: TENANTS[id % TENANTS.length] as string,
  email: `Person.${id}@example.com`,
  note: id % 7 === 0 ? null : `note ${id}`,
  visits: id * 3,
})

/** Makes the keys and the table, with `count` encrypted rows. */
export async function createPeople(
  pool: pg.Pool,
  folder: string,
  connectionString: string,
  count: number,
  table = 'people',
) {
  await createKeyStoreFile({ path: join(folder, 'keys') })
  await pool.query(`create table ${table} (tenant text not null, id int primary key, email text, email_index text, note text,
    visits bytea, nickname text)`)
  const room = await openStrongroom(configure(folder, connectionString, table), { init: true })
  await insertPeople(
    room,
    pool,
    Array.from({ length: count }, (_, at) => at + 1),
    table,
  )
  return room
}

export type Room = Awaited<ReturnType<typeof createPeople>>

export async function insertPeople(room: Room, pool: pg.Pool, ids: readonly number[], table = 'people'): Promise<void> {
  const rows = await room.records.people.encryptMany(ids.map(person))
  await pool.query(
    `insert into ${table} (tenant, id, email, email_index, note, visits, nickname)
select *, 'plain' from unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::bytea[])`,
    [
      rows.map((row) => row.tenant),
      rows.map((row) => row.id),
      rows.map((row) => row.email),
      rows.map((row) => row.email_index),
      rows.map((row) => row.note),
      rows.map((row) => Buffer.from(row.visits)),
    ],
  )
}
