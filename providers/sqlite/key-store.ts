import { assertObject, assertWhole } from '../../src/bytes.ts'
import { ClosedError } from '../../src/errors.ts'
import type {
  CommitResult,
  KeyCommit,
  KeyLogEntry,
  KeyPurpose,
  KeyQuery,
  KeyRecord,
  KeyStore,
} from '../../src/key-store.ts'
import { checkedKeyStore } from '../../src/key-store-checks.ts'
import { parseEntry, parseRecord, ROW_NAMES } from '../../src/sql/key-rows.ts'
import { commitTo, isStorable } from './commit.ts'
import { assertVersion, createKeyTables } from './create-tables.ts'
import {
  assertConnection,
  type Opened,
  openSqlite,
  type Row,
  type SqliteConnection,
  type SqliteDatabase,
} from './database.ts'
import { sqliteError } from './faults.ts'
import { type KeyTablesPlace, tableNames } from './names.ts'
import { keyTablesSql } from './tables-sql.ts'
import { inTransaction, rowsOf } from './transaction.ts'

/** Tables of SQLite that keep key records. */
export interface SqliteKeyStoreOptions extends SqliteConnection, KeyTablesPlace {
  /** ms to wait for another writer of the same file; 10,000 by default, 100 to 600,000. */
  readonly lockTimeoutMs?: number
}

/** Whole numbers as text: above 2^53 one driver rounds them and the other refuses. */
const RECORD_COLUMNS = ROW_NAMES.map((name) =>
  name === 'generation' || name === 'rev' ? `cast(${name} as text) as ${name}` : name,
).join(', ')
const LOG_COLUMNS = 'cast(seq as text) as seq, at, action, changes, previous, hash, root, mac'

/**
 * Keeps key records in SQLite 3.37 or newer, for processes of one machine. Tables are never made on the way: see
 * `createKeyTables`.
 *
 * @throws InvalidInputError
 */
export function sqliteKeyStore(options: SqliteKeyStoreOptions): KeyStore {
  assertObject(options, 'the options')
  const { lockTimeoutMs: waitMs = 10_000 } = options
  assertConnection(options)
  assertWhole(waitMs, 'lockTimeoutMs', 100, 600_000)
  const names = tableNames(options)
  let opened: Promise<Opened> | undefined
  let isReady = false
  let closed = false

  async function call<Result>(work: (database: SqliteDatabase) => Promise<Result>): Promise<Result> {
    if (closed) throw new ClosedError('sqliteKeyStore')
    try {
      opened ??= openSqlite(options)
      const { database } = await opened.catch((error) => {
        opened = undefined
        throw error
      })
      if (!isReady) {
        await inTransaction(database, { mode: 'read', waitMs }, () => assertVersion(database, names))
        isReady = true
      }
      return await work(database)
    } catch (error) {
      throw sqliteError(names.place, error)
    }
  }

  const read = (work: (database: SqliteDatabase) => Row[]) =>
    call((database) => inTransaction(database, { mode: 'read', waitMs }, work))

  return checkedKeyStore<KeyStore>({
    name: names.place,

    async get(ids: readonly string[]): Promise<KeyRecord[]> {
      const rows = await read((database) => {
        const statement = database.prepare(`select ${RECORD_COLUMNS} from ${names.keys} where id = ?`)
        return ids.filter(isStorable).flatMap((id) => statement.all(id) as Row[])
      })
      return rows.map(parseRecord)
    },

    async findActive(purpose: KeyPurpose, scopes: readonly string[]): Promise<KeyRecord[]> {
      const rows = await read((database) => {
        const sql = `select ${RECORD_COLUMNS} from ${names.keys} where purpose = ? and scope = ? and state = 'active'`
        const statement = database.prepare(sql)
        return scopes.filter(isStorable).flatMap((scope) => statement.all(purpose, scope) as Row[])
      })
      return rows.map(parseRecord)
    },

    async list(query: KeyQuery): Promise<KeyRecord[]> {
      const { where, values } = conditions(query)
      const sql = `select ${RECORD_COLUMNS} from ${names.keys} ${where} order by id limit ${query.limit}`
      return (await read((database) => rowsOf(database, sql, ...values))).map(parseRecord)
    },

    async commit(commit: KeyCommit): Promise<CommitResult> {
      return call((database) => commitTo(database, names, commit, waitMs))
    },

    async log(after: number, limit: number): Promise<KeyLogEntry[]> {
      const sql = `select ${LOG_COLUMNS} from ${names.log} as l where l.seq > ? order by l.seq limit ${limit}`
      return (await read((database) => rowsOf(database, sql, BigInt(after)))).map(parseEntry)
    },

    tables: {
      sql: () => keyTablesSql(options),
      create: () => createKeyTables(options),
    },

    async close(): Promise<void> {
      closed = true
      const own = await opened?.catch(() => undefined)
      opened = undefined
      own?.close()
    },
  })
}

/** Each property as one condition. A prefix is compared as bytes: `like` folds case and has wildcards. */
function conditions(query: KeyQuery): { where: string; values: unknown[] } {
  const parts: string[] = []
  const values: unknown[] = []
  const add = (value: unknown, part: string) => {
    if (value === undefined) return
    values.push(value)
    parts.push(part)
  }
  add(query.purpose, 'purpose = ?')
  add(query.state, 'state = ?')
  add(query.scope, 'scope = ?')
  if (query.scopePrefix !== undefined && query.scopePrefix !== '') {
    const prefix = Buffer.from(query.scopePrefix)
    add(prefix, `substr(cast(scope as blob), 1, ${prefix.byteLength}) = ?`)
  }
  add(query.parent, 'parent = ?')
  add(query.after, 'id > ?')
  return { where: parts.length === 0 ? '' : `where ${parts.join(' and ')}`, values }
}
