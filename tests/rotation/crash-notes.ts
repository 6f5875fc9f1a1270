import { join } from 'node:path'
import type pg from 'pg'
import { createKeyStoreFile, fileKeyStore } from '../../providers/file/index.ts'
import { postgresTable } from '../../providers/postgres/index.ts'
import { rawAes } from '../../providers/raw/index.ts'
import { defineStrongroom } from '../../src/config.ts'
import { defineMigration } from '../../src/migration/define-migration.ts'
import { integer, text } from '../../src/records/field.ts'
import { defineRecord } from '../../src/records/schema.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import { person } from './people.ts'

export const notes = defineRecord(
  'notes',
  {
    email: text({ index: { column: 'email_index', transform: 'email', rows: 100_000 } }),
    note: text({ nullable: true }),
    visits: integer({ storage: 'binary' }),
  },
  { id: 'id', tenant: 'tenant' },
)

export const migration = defineMigration(notes, {
  columns: { email: { from: 'mail' }, note: { from: 'memo' }, visits: { from: 'visit_count' } },
})

/** A Strongroom over a table of notes that is being migrated, whose keys are in a folder. */
export function configureNotes(folder: string, connectionString: string, table: string) {
  return defineStrongroom({
    name: 'migration',
    kms: rawAes({ namespace: 'test', name: 'one', key: Buffer.alloc(32, 7) }),
    store: fileKeyStore({ path: join(folder, 'keys'), lockTimeoutMs: 30_000 }),
    records: { notes },
    tables: { notes: postgresTable({ connectionString, table }) },
    keyring: { refreshInterval: 100 },
  })
}

/** Makes the keys. */
export async function createNotes(folder: string, connectionString: string, table: string) {
  await createKeyStoreFile({ path: join(folder, 'keys') })
  return openStrongroom(configureNotes(folder, connectionString, table), { init: true })
}

/** Makes the table anew, with `count` rows of plaintext. */
export async function fillNotes(pool: pg.Pool, table: string, count: number): Promise<void> {
  await pool.query(`drop table if exists ${table};
    create table ${table} (tenant text not null, id int primary key, mail text not null, memo text, visit_count int not null)`)
  const rows = Array.from({ length: count }, (_, at) => person(at + 1))
  await pool.query(
    `insert into ${table} (tenant, id, mail, memo, visit_count) select * from unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::int[])`,
    [
      rows.map((row) => row.tenant),
      rows.map((row) => row.id),
      rows.map((row) => row.email),
      rows.map((row) => row.note),
      rows.map((row) => row.visits),
    ],
  )
}
