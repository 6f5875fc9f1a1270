import { createHash } from 'node:crypto'
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
import { assertConnection, type Connected, connectMysql, type MysqlConnection } from './client.ts'
import { commitTo } from './commit.ts'
import { assertVersion, createKeyTables } from './create-tables.ts'
import { mysqlError } from './faults.ts'
import { type KeyTablesPlace, tableNames } from './names.ts'
import { sentRows } from './sent-rows.ts'
import { inSession, readCommitted } from './session.ts'
import { keyTablesSql } from './tables-sql.ts'

/** Tables of MySQL or MariaDB that keep key records. */
export interface MysqlKeyStoreOptions extends MysqlConnection, KeyTablesPlace {
  /** ms to wait for another writer of the same keys, in whole seconds; 10,000 by default, 1,000 to 600,000. */
  readonly lockTimeoutMs?: number
}

/** Numbers as text, so that no option of the user's pool changes what is read. */
const RECORD_COLUMNS = ROW_NAMES.map((name) =>
  name === 'generation' || name === 'rev' ? `cast(k.${name} as char) as ${name}` : `k.${name} as ${name}`,
).join(', ')
const LOG_COLUMNS = 'cast(seq as char) as seq, at, action, changes, previous, hash, root, mac'

/**
 * Keeps key records in MySQL 8.0.21 or newer, or MariaDB 10.6 or newer. A commit is one transaction of a few statements, and
 * constraints hold what the contract promises. Tables are never made on the way: see `createKeyTables`.
 *
 * @throws InvalidInputError
 */
export function mysqlKeyStore(options: MysqlKeyStoreOptions): KeyStore {
  assertObject(options, 'the options')
  const { lockTimeoutMs = 10_000 } = options
  assertConnection(options)
  assertWhole(lockTimeoutMs, 'lockTimeoutMs', 1_000, 600_000)
  const names = tableNames(options)
  let connected: Promise<Connected> | undefined
  let ready: Promise<void> | undefined
  let closed = false

  async function call<Result>(work: (connected: Connected) => Promise<Result>): Promise<Result> {
    if (closed) throw new ClosedError('mysqlKeyStore')
    try {
      connected ??= connectMysql(options)
      const to = await connected.catch((error) => {
        connected = undefined
        throw error
      })
      ready ??= assertVersion(to.pool, names)
      await ready.catch((error) => {
        ready = undefined
        throw error
      })
      return await work(to)
    } catch (error) {
      throw mysqlError(names.place, error)
    }
  }

  const read = (sql: string, values: unknown[]) =>
    call(({ pool }) => inSession(pool, { lockTimeoutMs }, (session) => readCommitted(session, sql, values)))

  return checkedKeyStore<KeyStore>({
    name: names.place,

    async get(ids: readonly string[]): Promise<KeyRecord[]> {
      const { from, columns, value } = sentRows(
        ['text'],
        ids.filter(isId).map((id) => [id]),
      )
      const sql = `select ${RECORD_COLUMNS} from ${from} straight_join ${names.keys} as k on k.id = ${columns[0]}`
      return (await read(sql, [value])).map(parseRecord)
    },

    async findActive(purpose: KeyPurpose, scopes: readonly string[]): Promise<KeyRecord[]> {
      const { from, columns, value } = sentRows(
        ['bytes'],
        scopes.map((scope) => [hashOf(scope)]),
      )
      const sql = `select ${RECORD_COLUMNS} from ${from} straight_join ${names.keys} as k
on k.purpose = ? and k.active_scope = ${columns[0]}`
      return (await read(sql, [value, purpose])).map(parseRecord)
    },

    async list(query: KeyQuery): Promise<KeyRecord[]> {
      const { where, values } = conditions(query)
      const sql = `select ${RECORD_COLUMNS} from ${names.keys} as k ${indexFor(query)} ${where} order by k.id limit ${query.limit}`
      return (await read(sql, values)).map(parseRecord)
    },

    async commit(commit: KeyCommit): Promise<CommitResult> {
      return call((to) => commitTo(to, names, commit, lockTimeoutMs))
    },

    async log(after: number, limit: number): Promise<KeyLogEntry[]> {
      const sql = `select ${LOG_COLUMNS} from ${names.log} as l where l.seq > cast(? as signed) order by l.seq limit ${limit}`
      return (await read(sql, [String(after)])).map(parseEntry)
    },

    tables: {
      sql: () => keyTablesSql(options),
      create: () => createKeyTables(options),
    },

    async close(): Promise<void> {
      closed = true
      await connected?.then(
        (own) => own.close(),
        () => undefined,
      )
      connected = undefined
    },
  })
}

/** By itself the server may read all keys in order of id to find the few that are asked for. */
function indexFor({ purpose, state, parent }: KeyQuery): string {
  if (purpose !== undefined && state !== undefined) return 'force index (strongroom_state)'
  return parent === undefined ? '' : 'force index (strongroom_parent)'
}

/** Each property as one condition. A collation of MySQL ignores spaces at the end, so that scopes are compared as bytes. */
function conditions(query: KeyQuery): { where: string; values: unknown[] } {
  const parts: string[] = []
  const values: unknown[] = []
  const add = (part: string, ...given: unknown[]) => {
    parts.push(part)
    values.push(...given)
  }
  const { purpose, state, scope, scopePrefix, parent, after } = query
  if (purpose !== undefined) add('k.purpose = ?', purpose)
  if (state !== undefined) add('k.state = ?', state)
  if (scope !== undefined) add('k.scope_hash = ?', hashOf(scope))
  if (scopePrefix !== undefined) {
    const prefix = Buffer.from(scopePrefix)
    add(`substring(cast(k.scope as binary), 1, ${prefix.byteLength}) = ?`, prefix)
  }
  if (parent !== undefined) add('k.parent = ?', parent)
  if (after !== undefined) add('k.id > ?', after)
  return { where: parts.length === 0 ? '' : `where ${parts.join(' and ')}`, values }
}

/** As `scope_hash` and `active_scope` have it. */
function hashOf(scope: string): Buffer {
  return createHash('sha256').update(scope).digest()
}

/** Nothing else is stored, and MySQL would find an id also with spaces behind it. */
function isId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text)
}
