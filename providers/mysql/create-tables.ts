import { createHash } from 'node:crypto'
import { assertObject } from '../../src/bytes.ts'
import { ConfigError } from '../../src/errors.ts'
import { assertConnection, connectMysql, type MysqlConnection, type MysqlPool } from './client.ts'
import { mysqlError, NO_SUCH_TABLE, numberOf, TABLE_EXISTS } from './faults.ts'
import { type KeyTablesPlace, type TableNames, tableNames } from './names.ts'
import { inSession, readCommitted, type Session } from './session.ts'
import { databaseSql, TABLE_COMMENT, TABLES_VERSION, tables, versionSql } from './tables-sql.ts'

/** Where to make the tables of a key store. */
export interface CreateKeyTablesOptions extends MysqlConnection, KeyTablesPlace {}

const WAIT_S = 60

/**
 * Makes the tables of a key store where they do not exist. The user must be allowed to create tables in the database, and
 * the database itself where it is missing. Several processes may call it at once. One that dies half-way leaves tables
 * that no key store uses yet; the next call completes them.
 *
 * @returns whether it made them
 * @throws KeyStoreError, InvalidInputError; ConfigError when the tables are of another release
 */
export async function createKeyTables(options: CreateKeyTablesOptions): Promise<boolean> {
  assertObject(options, 'the options')
  assertConnection(options)
  const names = tableNames(options)
  try {
    const { pool, close } = await connectMysql(options)
    try {
      return await create(pool, names)
    } finally {
      await close()
    }
  } catch (error) {
    throw mysqlError(names.place, error)
  }
}

/** Refuses tables that are missing, half made or of another release. */
export async function assertVersion(pool: MysqlPool, names: TableNames): Promise<void> {
  const version = await inSession(pool, { lockTimeoutMs: 10_000 }, (session) => versionOf(session, names))
  if (version === undefined) {
    throw new ConfigError(
      `${names.place}: the tables are not complete: finish them with \`strongroom keys tables --create\``,
    )
  }
  assertSupported(names, version)
}

async function create(pool: MysqlPool, names: TableNames): Promise<boolean> {
  return inSession(pool, { lockTimeoutMs: WAIT_S * 1000 }, async (session) => {
    const lock = `strongroom ${createHash('sha256').update(names.place).digest('hex').slice(0, 40)}`
    const [locked] = await session.rows('select cast(get_lock(?, ?) as char) as got', [lock, String(WAIT_S)])
    if (locked?.got !== '1') throw new Error('timed out waiting for another that makes the tables')
    try {
      const version = await versionOf(session, names).catch(ignoreMissing)
      if (version !== undefined) {
        assertSupported(names, version)
        return false
      }
      if (names.database !== undefined) await makeDatabase(session, names.database)
      for (const { name, sql } of tables(names)) await makeTable(session, names, name, sql)
      await session.affected(versionSql(names))
      return true
    } finally {
      await session.rows('select release_lock(?)', [lock]).catch(() => undefined)
    }
  })
}

async function versionOf(session: Session, { version }: TableNames): Promise<number | undefined> {
  const [row] = await readCommitted(session, `select cast(version as char) as version from ${version}`)
  return row === undefined ? undefined : Number(row.version)
}

function assertSupported({ place }: TableNames, version: number): void {
  if (version === TABLES_VERSION) return
  throw new ConfigError(
    `${place}: the tables are of version ${version}, this release of Strongroom uses ${TABLES_VERSION}`,
  )
}

/** `if not exists` needs the right to create it also where it does exist. */
async function makeDatabase(session: Session, database: string): Promise<void> {
  const sql = 'select schema_name from information_schema.schemata where schema_name = ?'
  if ((await session.rows(sql, [database])).length === 0) await session.affected(databaseSql(database))
}

async function makeTable(session: Session, { place }: TableNames, name: string, sql: string): Promise<void> {
  try {
    await session.affected(sql)
  } catch (error) {
    if (numberOf(error) !== TABLE_EXISTS) throw error
    const [row] = await session.rows(`show create table ${name}`)
    if (Object.values(row ?? {}).some((text) => String(text).includes(TABLE_COMMENT))) return
    throw new ConfigError(`${place}: another table of this name exists already`, { cause: error })
  }
}

function ignoreMissing(error: unknown): undefined {
  if (numberOf(error) !== NO_SUCH_TABLE && numberOf(error) !== NO_SUCH_DATABASE) throw error
  return undefined
}

const NO_SUCH_DATABASE = 1049
