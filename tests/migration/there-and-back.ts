import { expect } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../providers/testing/index.ts'
import type { Migration } from '../../src/migration/define-migration.ts'
import { cleanMigration, rollbackMigration, runMigration, switchMigration } from '../../src/migration/migrate.ts'
import type { MigrationParts } from '../../src/migration/run-step.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import type { TableRow } from '../../src/table.ts'
import { tableAt } from '../providers/sql/at.ts'

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
export async function thereAndBack(url: string, migration: Migration, wanted: readonly object[]): Promise<void> {
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
