import { existsSync } from 'node:fs'
import { assertFilled, assertMethods } from '../../src/bytes.ts'
import { ConfigError, InvalidInputError } from '../../src/errors.ts'

/** What a statement does: the part that `better-sqlite3` and `node:sqlite` have in common. */
export interface SqliteStatement {
  all(...values: unknown[]): unknown[]
  run(...values: unknown[]): { readonly changes: number | bigint }
}

/** A database: a `Database` of `better-sqlite3` or a `DatabaseSync` of `node:sqlite`. */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement
  exec(sql: string): unknown
  close(): unknown
}

/** A database that is open already, or the file of one. Exactly one of both. */
export interface SqliteConnection {
  /** Not closed by `close()`. */
  readonly database?: SqliteDatabase
  /** Opened on first use, with `better-sqlite3` where it is installed and `node:sqlite` where Node has it. */
  readonly path?: string
}

/** A database, and how to close it where it was opened here. */
export interface Opened {
  readonly database: SqliteDatabase
  close(): void
}

/** A row as both drivers give it. */
export type Row = Readonly<Record<string, unknown>>

/** Refuses options that name no database or two. @throws InvalidInputError */
export function assertConnection({ database, path }: SqliteConnection): void {
  if ((database === undefined) === (path === undefined)) throw new InvalidInputError('give either a database or a path')
  if (path !== undefined) assertFilled(path, 'path')
  else assertMethods(database, ['prepare', 'exec'], 'database, of better-sqlite3 or node:sqlite,')
}

/** The user's database, or that of the file. A file that is not there is made only where `create` says so. @throws ConfigError */
export async function openSqlite({ database, path = '' }: SqliteConnection, create = false): Promise<Opened> {
  if (database !== undefined) return { database, close: () => {} }
  if (!create && !existsSync(path)) {
    throw new ConfigError(`there is no file ${path}: a wrong path must not look like an empty database`)
  }
  const own = (await betterSqlite(path)) ?? nodeSqlite(path)
  if (own === undefined) throw new ConfigError('strongroom/sqlite needs better-sqlite3: npm install better-sqlite3')
  return { database: own, close: () => void own.close() }
}

async function betterSqlite(path: string): Promise<SqliteDatabase | undefined> {
  try {
    const { default: Database } = await import('better-sqlite3')
    return new Database(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ERR_MODULE_NOT_FOUND' && message.includes('better-sqlite3')) return undefined
    throw error
  }
}

/** Not imported: a bundler would take the name for that of a package, and Node 20 does not have it. */
function nodeSqlite(path: string): SqliteDatabase | undefined {
  const { getBuiltinModule } = process as { getBuiltinModule?(name: string): unknown }
  const module = getBuiltinModule?.('node:sqlite') as { DatabaseSync: new (path: string) => SqliteDatabase } | undefined
  return module === undefined ? undefined : new module.DatabaseSync(path)
}
