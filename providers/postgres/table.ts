import { assertObject, assertWhole } from '../../src/bytes.ts'
import { checkedTable } from '../../src/checked-table.ts'
import { ClosedError, TableError } from '../../src/errors.ts'
import { codeOf } from '../../src/sql/faults.ts'
import { splitsSql } from '../../src/sql/key-columns.ts'
import { splitRows } from '../../src/sql/table-checks.ts'
import type { Table, TableDescription } from '../../src/table.ts'
import {
  assertConnection,
  type Connected,
  connectPostgres,
  type PostgresConnection,
  type PostgresPool,
} from './client.ts'
import { postgresTableError } from './faults.ts'
import { postgresJobs } from './jobs.ts'
import { changeStatements } from './table-change.ts'
import { describeTable, type KnownTable } from './table-description.ts'
import { jobsName, qualifiedName } from './table-name.ts'
import { headsSql, keyColumns, pageSql } from './table-sql.ts'
import { writeChanges } from './table-write.ts'

/** A table of PostgreSQL whose rows are encrypted. */
export interface PostgresTableOptions extends PostgresConnection {
  /** `users`, or `schema.users`. */
  readonly table: string
  /** Where the table of jobs is kept; the schema of the table, and `strongroom_jobs`, by default. */
  readonly jobs?: string
  /** ms to wait for rows that others hold; 10,000 by default. */
  readonly lockTimeoutMs?: number
}

/**
 * Reaches the rows of a table in PostgreSQL 12 or newer for migration, re-encryption and census. The role needs
 * `select` and `update` on the table, and all rights on the table of jobs.
 *
 * @throws InvalidInputError
 */
export function postgresTable(options: PostgresTableOptions): Table {
  assertObject(options, 'the options')
  assertConnection(options)
  const { lockTimeoutMs = 10_000 } = options
  assertWhole(lockTimeoutMs, 'lockTimeoutMs', 10, 600_000)
  const name = qualifiedName(options.table)
  const place = `postgres ${name.text}`
  let connected: Promise<Connected> | undefined
  let known: Promise<KnownTable> | undefined
  let closed = false

  async function call<Result>(work: (pool: PostgresPool) => Promise<Result>): Promise<Result> {
    if (closed) throw new ClosedError('postgresTable')
    try {
      connected ??= connectPostgres(options, ANSWER_TIMEOUT_MS)
      const { pool } = await connected.catch((error) => {
        connected = undefined
        throw error
      })
      return await work(pool)
    } catch (error) {
      throw postgresTableError(place, error)
    }
  }

  /** The primary key and the types do not change while a job runs. */
  async function shape(pool: PostgresPool): Promise<KnownTable> {
    known ??= describeTable(pool, name)
    return known.catch((error) => {
      known = undefined
      throw error
    })
  }

  return checkedTable({
    name: place,
    describe: () =>
      call(async (pool): Promise<TableDescription> => {
        known = undefined
        return (await shape(pool)).description
      }),
    page: (query) =>
      call(async (pool) => {
        const { text, values, keys } = pageSql(await shape(pool), query)
        try {
          const { rows } = await pool.query(text, values)
          return splitRows(rows, keys)
        } catch (error) {
          // What is no value of a column's type, no row of it holds.
          if (query.equals !== undefined && NO_VALUE.has(codeOf(error))) return []
          throw error
        }
      }),
    write: (changes, job) =>
      call(async (pool) =>
        writeChanges(pool, {
          known: await shape(pool),
          jobs: jobsName(name, options.jobs),
          lockTimeoutMs,
          changes,
          job,
        }),
      ),
    countHeads: (query) =>
      call(async (pool) => {
        const { rows } = await pool.query(headsSql(await shape(pool), query), [query.prefix, query.length])
        return rows.map(({ head, by, rows: count }) => ({
          head: head as string | Uint8Array | null,
          by: by as string | null,
          rows: Number(count),
        }))
      }),
    splits: (parts) =>
      call(async (pool) => {
        const shown = await shape(pool)
        const key = keyColumns(shown)
        const { rows } = await pool.query(splitsSql(key, shown.name.quoted, parts, '/'))
        return splitRows(rows, key.keys).map((row) => row.key)
      }),
    lag: () =>
      call(async (pool) => {
        const { rows } = await pool.query(LAG)
        if (rows[0]?.hidden === true) {
          throw new TableError(
            'misconfigured',
            `${place}: the role may not see how far replicas are behind: grant it pg_monitor`,
          )
        }
        return Number(rows[0]?.ms ?? 0)
      }),
    changeSql: async (change) => changeStatements(name, change),
    run: (statements) =>
      call(async (pool) => {
        for (const statement of statements) await pool.query(statement)
        known = undefined
      }),
    jobs: postgresJobs(jobsName(name, options.jobs), call),
    close: async () => {
      closed = true
      await (await connected?.catch(() => undefined))?.close()
    },
  })
}

/** Invalid text, or out of range, for a type. */
const NO_VALUE = new Set(['22P02', '22003', '22007', '22008'])

/** Without `pg_monitor` the rows of replicas are there, and what they say is null. */
const LAG = `select coalesce(max(extract(epoch from replay_lag)) * 1000, 0)::float8 as ms,
  coalesce(bool_or(state is null), false) as hidden from pg_stat_replication`

/** A census reads a whole table, and an index takes as long to make. */
const ANSWER_TIMEOUT_MS = 86_400_000
