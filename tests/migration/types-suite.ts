import { afterAll, beforeAll, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../providers/testing/index.ts'
import { defineMigration, type Migration } from '../../src/migration/define-migration.ts'
import { cleanMigration, rollbackMigration, runMigration, switchMigration } from '../../src/migration/migrate.ts'
import type { MigrationParts } from '../../src/migration/run-step.ts'
import type { Field } from '../../src/records/field.ts'
import { defineRecord } from '../../src/records/schema.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import type { TableRow } from '../../src/table.ts'
import { describeComponent } from '../components/component.ts'
import { tableAt } from '../providers/sql/at.ts'
import type { AppDatabase } from './app-database.ts'

/** A table `typed` with a column of every type of a database. */
export interface EveryType {
  /** Makes the table and its rows. */
  readonly create: (app: AppDatabase) => Promise<unknown>
  readonly migration: Migration
  /** Its rows once they are encrypted and decrypted again. */
  readonly wanted: readonly object[]
  /** What is to be seen of the table when it was there and back. */
  readonly after?: (app: AppDatabase) => Promise<unknown>
}

/**
 * What a migration makes of the types of a database: every type there and back, the same test for all of them.
 *
 * @param own further cases of this database
 */
export function describeTypes(
  database: string,
  missing: string | undefined,
  start: () => Promise<AppDatabase>,
  { create, migration, wanted, after }: EveryType,
  own: (the: () => AppDatabase) => void,
): void {
  describeComponent(`types of ${database} in a migration`, missing, () => {
    let app: AppDatabase
    beforeAll(async () => {
      app = await start()
    }, 60_000)
    afterAll(() => app.stop())

    test('every type goes there and back without losing anything', async () => {
      await create(app)
      await thereAndBack(app.url, migration, wanted)
      await after?.(app)
    }, 60_000)

    own(() => app)
  })
}

/** A migration of columns of a table with an `id`: each field by the column that it comes from. */
export function migrationOf(table: string, columns: Readonly<Record<string, readonly [string, Field]>>): Migration {
  const fields = Object.fromEntries(Object.entries(columns).map(([name, [, field]]) => [name, field]))
  const from = Object.fromEntries(Object.entries(columns).map(([name, [column]]) => [name, { from: column }]))
  return defineMigration(defineRecord(table, fields, { id: 'id' }), { columns: from })
}

/** A table on its way, with keys of its own. */
export async function moving(url: string, migration: Migration) {
  const { record } = migration
  const config = { name: 'types', kms: memoryKms(), store: memoryKeyStore(), records: { [record.name]: record } }
  const room = await openStrongroom(config, { init: true })
  const table = tableAt(url, record.name)
  const cipher = room.records[record.name] as MigrationParts['cipher'] & {
    decryptMany(rows: readonly never[]): Promise<object[]>
    encrypt(row: never): Record<string, unknown>
  }
  const parts: MigrationParts = { cipher, table, migration }
  const fields = Object.keys(migration.columns)
  return {
    parts,
    cipher,
    /** What the encrypted columns say, row by row. */
    decrypted: async () => {
      const page = await table.page({ columns: ['id', ...fields], limit: 1000 })
      return cipher.decryptMany(page.map(({ values }) => ({ ...values, id: Number(values.id) })) as never[])
    },
    /** What the old columns hold, by the names they have in the beginning. */
    olds: async (): Promise<TableRow[]> =>
      table.page({ columns: [], texts: Object.values(migration.columns).map(({ from }) => from), limit: 1000 }),
    close: async () => {
      await room.close()
      await table.close?.()
    },
  }
}

/** Migrates a table, drops the old columns, makes them anew and drops the encrypted ones: everything must be as it was. */
async function thereAndBack(url: string, migration: Migration, wanted: readonly object[]): Promise<void> {
  const { parts, decrypted, olds, close } = await moving(url, migration)
  try {
    const before = await olds()
    expect(await runMigration(parts)).toMatchObject({ complete: true, aside: [] })
    expect(await switchMigration(parts)).toMatchObject({ complete: true })
    expect(await decrypted()).toEqual(wanted)
    expect(await cleanMigration(parts)).toMatchObject({ complete: true, phase: 'cleaned' })
    expect(await decrypted()).toEqual(wanted)
    expect(await rollbackMigration(parts)).toMatchObject({ complete: true, phase: 'rolled-back' })
    expect(await cleanMigration(parts)).toMatchObject({ complete: true, phase: 'undone' })
    expect(await olds()).toEqual(before)
  } finally {
    await close()
  }
}
