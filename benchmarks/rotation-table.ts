import { join } from 'node:path'
import { createKeyStoreFile, fileKeyStore } from '../providers/file/index.ts'
import { mysqlTable } from '../providers/mysql/index.ts'
import { postgresTable } from '../providers/postgres/index.ts'
import { rawAes } from '../providers/raw/index.ts'
import { defineStrongroom } from '../src/config.ts'
import { text } from '../src/records/field.ts'
import { defineRecord } from '../src/records/schema.ts'
import { openStrongroom } from '../src/strongroom.ts'
import type { RotationDatabase } from './rotation-database.ts'

const people = defineRecord('people', { note: text() }, { id: 'id' })

/** A Strongroom over a table of one encrypted column, whose keys are in a folder. */
export function configure(folder: string, url: string, table: string) {
  const tableOf = url.startsWith('mysql:') ? mysqlTable : postgresTable
  return defineStrongroom({
    name: 'bench',
    kms: rawAes({ namespace: 'bench', name: 'one', key: Buffer.alloc(32, 7) }),
    store: fileKeyStore({ path: join(folder, 'keys'), lockTimeoutMs: 30_000 }),
    records: { people },
    tables: { people: tableOf({ connectionString: url, table }) },
  })
}

/** 64 characters, another for each row. */
export const noteOf = (id: number) => `note ${String(id).padStart(10, '0')} ${'x'.repeat(48)}`

const PAGE = 5000

/** Makes the keys, where there are none yet. */
export async function createKeys(folder: string, { url }: RotationDatabase): Promise<void> {
  await createKeyStoreFile({ path: join(folder, 'keys') })
  await (await openStrongroom(configure(folder, url, 'none'), { init: true })).close()
}

/** Makes a table whose rows are encrypted under the active key. */
export async function createTable(
  folder: string,
  database: RotationDatabase,
  table: string,
  rows: number,
): Promise<void> {
  const room = await openStrongroom(configure(folder, database.url, table))
  const cipher = room.records.people
  await fill(database, table, rows, async (ids) =>
    (await cipher.encryptMany(ids.map((id) => ({ id, note: noteOf(id) })))).map((row) => row.note),
  )
  await room.close()
}

/** Makes a table of `id` and `note`, and fills it. */
export async function fill(
  database: RotationDatabase,
  table: string,
  rows: number,
  encrypt: (ids: number[]) => Promise<readonly string[]>,
): Promise<void> {
  await database.create(table)
  for (let from = 0; from < rows; from += PAGE) {
    const ids = Array.from({ length: Math.min(PAGE, rows - from) }, (_, at) => from + at + 1)
    await database.insert(table, ids, await encrypt(ids))
  }
  await database.settle(table)
}
