import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { assertObject } from '../../src/bytes.ts'
import { ConfigError } from '../../src/errors.ts'
import { assertConnection, openSqlite, type SqliteConnection, type SqliteDatabase } from './database.ts'
import { sqliteError } from './faults.ts'
import { type KeyTablesPlace, type TableNames, tableNames } from './names.ts'
import { statements, TABLES_VERSION } from './tables-sql.ts'
import { inTransaction, rowsOf } from './transaction.ts'

/** Where to make the tables of a key store. */
export interface CreateKeyTablesOptions extends SqliteConnection, KeyTablesPlace {}

const WAIT_MS = 60_000

/**
 * Makes the tables of a key store, all of them or none, where they do not exist, and the file where it is missing: readable by
 * its owner alone, with a write-ahead log. Several processes may call it at once.
 *
 * @returns whether it made them
 * @throws KeyStoreError, InvalidInputError; ConfigError when the tables are of another release
 */
export async function createKeyTables(options: CreateKeyTablesOptions): Promise<boolean> {
  assertObject(options, 'the options')
  assertConnection(options)
  const names = tableNames(options)
  try {
    const isNew = options.path !== undefined && !existsSync(options.path)
    if (isNew) await (await open(options.path, 'a', 0o600)).close()
    const { database, close } = await openSqlite(options, true)
    try {
      // Kept in the file. While others open it this may have to wait; where they have set it already it does nothing.
      if (isNew) database.exec('pragma busy_timeout = 10000; pragma journal_mode = wal')
      return await inTransaction(database, { mode: 'write', waitMs: WAIT_MS }, () => create(database, options, names))
    } finally {
      close()
    }
  } catch (error) {
    throw sqliteError(names.place, error)
  }
}

/** Refuses tables that are missing or of another release. */
export function assertVersion(database: SqliteDatabase, { place, version }: TableNames): void {
  const [row] = rowsOf(database, `select cast(version as text) as version from ${version}`)
  if (Number(row?.version) === TABLES_VERSION) return
  throw new ConfigError(
    `${place}: the tables are of version ${row?.version}, this release of Strongroom uses ${TABLES_VERSION}`,
  )
}

function create(database: SqliteDatabase, place: KeyTablesPlace, names: TableNames): boolean {
  const found = rowsOf(database, `select lower(name) as name from sqlite_master where type in ('table', 'view')`)
  const exists = (name: string) => found.some((row) => row.name === name.toLowerCase())
  if (exists(`${names.table}_schema`)) {
    assertVersion(database, names)
    return false
  }
  if (exists(names.table) || exists(`${names.table}_log`)) {
    throw new ConfigError(`${names.place}: another table of this name exists already`)
  }
  database.exec(statements(place))
  return true
}
