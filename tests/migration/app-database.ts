import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { startMariadb } from '../fixtures/mariadb.ts'
import { createDatabase } from '../fixtures/postgres-database.ts'
import { openSqlite } from '../fixtures/sqlite.ts'

export type AppRow = Record<string, unknown>

/** A database as an application uses it that knows nothing of a migration. Statements are those of PostgreSQL, as far as all have them. */
export interface AppDatabase {
  /** For `tableAt`. */
  readonly url: string
  /** Parameters are `$1`, `$2`, …, each in its turn or again. */
  query(sql: string, values?: readonly unknown[]): Promise<AppRow[]>
  /** The columns of customers that have another type in each database. */
  readonly types: Readonly<Record<'text' | 'time' | 'double' | 'boolean' | 'json' | 'bytes' | 'uuid', string>>
  /** What a day holds that is none. */
  readonly badDay: string
  /** A moment as it is written, and what selects one as ISO 8601 in UTC, without the Z. */
  moment(iso: string): string
  isoOf(column: string): string
  /** What selects a column as text, and as what `Number` reads exactly. */
  textOf(column: string): string
  numberOf(column: string): string
  /** The names of triggers of customers. */
  triggers(): Promise<unknown[]>
  /** Keeps others from changing customers, until the function is called that it gives. */
  hold(): Promise<() => Promise<void>>
  stop(): Promise<void>
}

/** A PostgreSQL database of its own. */
export async function postgresApp(): Promise<AppDatabase> {
  const database = await createDatabase()
  const pool = new pg.Pool({ connectionString: database.connectionString })
  return {
    url: database.connectionString,
    query: async (sql, values = []) => (await pool.query(sql, [...values])).rows,
    types: {
      text: 'text',
      time: 'timestamptz',
      double: 'double precision',
      boolean: 'boolean',
      json: 'jsonb',
      bytes: 'bytea',
      uuid: 'uuid',
    },
    badDay: 'infinity',
    moment: (iso) => iso,
    isoOf: (column) => `to_char(${column} at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US')`,
    textOf: (column) => `${column}::text`,
    numberOf: (column) => `${column}::float8`,
    triggers: async () => (await pool.query(`select 1 from pg_trigger where tgname like 'zz_strongroom%'`)).rows,
    hold: async () => {
      const client = await pool.connect()
      await client.query('begin; lock table customers in share mode')
      return async () => {
        await client.query('commit')
        client.release()
      }
    },
    stop: async () => {
      await pool.end()
      await database.drop()
    },
  }
}

/** A MariaDB server of its own. */
export async function mariadbApp(): Promise<AppDatabase> {
  const server = await startMariadb()
  const pool = mysql.createPool({ uri: server.connectionString, charset: 'utf8mb4', dateStrings: true })
  pool.on('connection', (connection) => connection.query(`set sql_mode = 'ANSI_QUOTES'`))
  const query: AppDatabase['query'] = async (sql, values = []) => {
    for (;;) {
      try {
        const [rows] = await pool.query(...numbered(sql, values))
        return rows as AppRow[]
      } catch (error) {
        // A deadlock, of which every application of InnoDB must know.
        if ((error as { errno?: number }).errno !== 1213) throw error
      }
    }
  }
  return {
    url: server.connectionString,
    query,
    types: {
      text: 'varchar(190) character set utf8mb4 collate utf8mb4_general_ci',
      time: 'datetime(6)',
      double: 'double',
      boolean: 'tinyint(1)',
      json: 'json',
      bytes: 'blob',
      uuid: 'uuid',
    },
    badDay: '0000-00-00',
    moment: (iso) => iso.replace('T', ' ').replace('Z', ''),
    isoOf: (column) => `date_format(${column}, '%Y-%m-%d %H:%i:%s.%f')`,
    textOf: (column) => `cast(${column} as char)`,
    // The driver itself reads a number with a mistake in the last digit.
    numberOf: (column) => `cast(${column} + 0e0 as char)`,
    triggers: () =>
      query(`select trigger_name from information_schema.triggers where event_object_table = 'customers'`),
    hold: async () => {
      const client = await pool.getConnection()
      await client.query('lock tables customers read')
      return async () => {
        await client.query('unlock tables')
        client.release()
      }
    },
    stop: async () => {
      await pool.end()
      await server.stop()
    },
  }
}

/** A file of SQLite of its own. */
export async function sqliteApp(): Promise<AppDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-sqlite-'))
  const path = join(folder, 'app.db')
  const open = () => {
    const database = openSqlite(path)
    database.exec('pragma journal_mode = wal; pragma busy_timeout = 0')
    return database
  }
  const database = open()
  const query: AppDatabase['query'] = async (sql, values = []) => {
    const [text, bound] = numbered(sql, values.map(storable))
    for (;;) {
      try {
        const statement = database.prepare(text)
        if (/^\s*select/i.test(text)) return (statement.all(...bound) as object[]).map((row) => ({ ...row }))
        statement.run(...bound)
        return []
      } catch (error) {
        if (!String((error as { code?: string }).code).startsWith('SQLITE_BUSY')) throw error
        await sleep(2)
      }
    }
  }
  return {
    url: `sqlite://${path}`,
    query,
    types: {
      text: 'text',
      time: 'timestamp',
      double: 'real',
      boolean: 'boolean',
      json: 'json',
      bytes: 'blob',
      uuid: 'text',
    },
    badDay: 'infinity',
    moment: (iso) => iso,
    isoOf: (column) => `replace(replace(${column}, 'T', ' '), 'Z', '')`,
    textOf: (column) => `cast(${column} as text)`,
    numberOf: (column) => column,
    triggers: () => query(`select name from sqlite_master where type = 'trigger'`),
    hold: async () => {
      const other = open()
      other.exec('begin immediate')
      return async () => {
        other.exec('commit')
        other.close()
      }
    },
    stop: async () => {
      database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A statement with parameters in their turn. */
function numbered(sql: string, values: readonly unknown[]): [sql: string, values: unknown[]] {
  const bound: unknown[] = []
  const text = sql.replace(/\$(\d+)/g, (_, at: string) => {
    bound.push(values[Number(at) - 1])
    return '?'
  })
  return [text, bound]
}

function storable(value: unknown): unknown {
  if (typeof value === 'boolean') return Number(value)
  return value instanceof Uint8Array ? Buffer.from(value) : value
}
