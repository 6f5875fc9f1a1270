import { join } from 'node:path'
import type pg from 'pg'
import { createKeyStoreFile, fileKeyStore } from '../providers/file/index.ts'
import { postgresTable } from '../providers/postgres/index.ts'
import { rawAes } from '../providers/raw/index.ts'
import { defineStrongroom } from '../src/config.ts'
import { text } from '../src/records/field.ts'
import { defineRecord } from '../src/records/schema.ts'
import { openStrongroom } from '../src/strongroom.ts'

const people = defineRecord('people', { note: text() }, { id: 'id' })

/** A Strongroom over a table of one encrypted column, whose keys are in a folder. */
export function configure(folder: string, connectionString: string, table: string) {
  return defineStrongroom({
    name: 'bench',
    kms: rawAes({ namespace: 'bench', name: 'one', key: Buffer.alloc(32, 7) }),
    store: fileKeyStore({ path: join(folder, 'keys'), lockTimeoutMs: 30_000 }),
    records: { people },
    tables: { people: postgresTable({ connectionString, table }) },
  })
}

/** 64 characters, another for each row. */
export const noteOf = (id: number) => `note ${String(id).padStart(10, '0')} ${'x'.repeat(48)}`

const PAGE = 5000

/** Makes the keys, and a table whose rows are encrypted under the first of them. */
export async function createTable(
  pool: pg.Pool,
  folder: string,
  connectionString: string,
  table: string,
  rows: number,
  isNew = true,
): Promise<void> {
  if (isNew) await createKeyStoreFile({ path: join(folder, 'keys') })
  const room = await openStrongroom(configure(folder, connectionString, table), { init: isNew })
  const cipher = room.records.people
  await insert(pool, table, rows, async (ids) =>
    (await cipher.encryptMany(ids.map((id) => ({ id, note: noteOf(id) })))).map((row) => row.note),
  )
  await room.close()
}

/** Makes a table of `id` and `note`, and fills it. */
export async function insert(
  pool: pg.Pool,
  table: string,
  rows: number,
  encrypt: (ids: number[]) => Promise<readonly string[]>,
): Promise<void> {
  await pool.query(`create table ${table} (id int primary key, note text not null)`)
  for (let from = 0; from < rows; from += PAGE) {
    const ids = Array.from({ length: Math.min(PAGE, rows - from) }, (_, at) => from + at + 1)
    await pool.query(`insert into ${table} select * from unnest($1::int[], $2::text[])`, [ids, await encrypt(ids)])
  }
  await pool.query(`vacuum analyze ${table}`)
}
