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
import { parseEntry, parseRecord } from '../../src/sql/key-rows.ts'
import {
  assertConnection,
  type Connected,
  connectPostgres,
  type PostgresConnection,
  type PostgresPool,
} from './client.ts'
import { commitTo } from './commit.ts'
import { assertVersion, createKeyTables, placeOf } from './create-tables.ts'
import { postgresError } from './faults.ts'
import { LOG_COLUMNS, RECORD_COLUMNS } from './key-columns.ts'
import { type KeyTablesPlace, tableNames } from './names.ts'
import { keyTablesSql } from './tables-sql.ts'

/** Tables of PostgreSQL that keep key records. */
export interface PostgresKeyStoreOptions extends PostgresConnection, KeyTablesPlace {
  /** ms to wait for another writer of the same keys; 10,000 by default, 100 to 600,000. */
  readonly lockTimeoutMs?: number
}

/**
 * Keeps key records in PostgreSQL 12 or newer. A commit is one transaction of a few statements, and constraints hold
 * what the contract promises. Tables are never made on the way: see `createKeyTables`.
 *
 * @throws InvalidInputError
 */
export function postgresKeyStore(options: PostgresKeyStoreOptions): KeyStore {
  assertObject(options, 'the options')
  const { lockTimeoutMs = 10_000 } = options
  assertConnection(options)
  assertWhole(lockTimeoutMs, 'lockTimeoutMs', 100, 600_000)
  const names = tableNames(options)
  let connected: Promise<Connected> | undefined
  let ready: Promise<void> | undefined
  let closed = false

  async function call<Result>(work: (pool: PostgresPool) => Promise<Result>): Promise<Result> {
    if (closed) throw new ClosedError('postgresKeyStore')
    try {
      connected ??= connectPostgres(options)
      const { pool } = await connected.catch((error) => {
        connected = undefined
        throw error
      })
      ready ??= assertVersion(pool, names)
      await ready.catch((error) => {
        ready = undefined
        throw error
      })
      return await work(pool)
    } catch (error) {
      throw postgresError(placeOf(names), error)
    }
  }

  const records = (sql: string, values: unknown[]): Promise<KeyRecord[]> =>
    call(async (pool) =>
      (await pool.query(`select ${RECORD_COLUMNS} from ${names.keys} as k ${sql}`, values)).rows.map(parseRecord),
    )

  return checkedKeyStore<KeyStore>({
    name: placeOf(names),

    async get(ids: readonly string[]): Promise<KeyRecord[]> {
      return records('where id = any($1::text[])', [ids.filter(isStorable)])
    },

    async findActive(purpose: KeyPurpose, scopes: readonly string[]): Promise<KeyRecord[]> {
      const wanted = `(select s, sha256(convert_to(s, 'UTF8')) as h from unnest($2::text[]) as s)`
      return records(`where purpose = $1 and state = 'active' and (scope, scope_hash) in ${wanted}`, [
        purpose,
        scopes.filter(isStorable),
      ])
    },

    async list(query: KeyQuery): Promise<KeyRecord[]> {
      const { where, values } = conditions(query)
      return records(`${where} order by id limit ${query.limit}`, values)
    },

    async commit(commit: KeyCommit): Promise<CommitResult> {
      return call((pool) => commitTo(pool, names, commit, lockTimeoutMs))
    },

    async log(after: number, limit: number): Promise<KeyLogEntry[]> {
      const sql = `select ${LOG_COLUMNS} from ${names.log} as l where seq > $1::bigint order by l.seq limit $2::bigint`
      return call(async (pool) => (await pool.query(sql, [after, limit])).rows.map(parseEntry))
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

/** Each property as one condition, in an order of parameters that follows them. */
function conditions(query: KeyQuery): { where: string; values: unknown[] } {
  const parts: string[] = []
  const values: unknown[] = []
  const add = (value: unknown, part: (parameter: string) => string) => {
    if (value === undefined) return
    values.push(value)
    parts.push(part(`$${values.length}`))
  }
  add(query.purpose, (value) => `purpose = ${value}`)
  add(query.state, (value) => `state = ${value}`)
  add(query.scope, (value) => `scope = ${value}::text and scope_hash = sha256(convert_to(${value}::text, 'UTF8'))`)
  add(query.scopePrefix, (value) => `starts_with(scope, ${value})`)
  add(query.parent, (value) => `parent = ${value}`)
  add(query.after, (value) => `id > ${value}`)
  return { where: parts.length === 0 ? '' : `where ${parts.join(' and ')}`, values }
}

/** PostgreSQL has no text with a zero character, so nothing is stored under one. */
function isStorable(text: string): boolean {
  return !text.includes('\0')
}
