import { assertObject, assertWhole } from '../../src/bytes.ts'
import { checkedTable } from '../../src/checked-table.ts'
import { ClosedError } from '../../src/errors.ts'
import { splitsSql } from '../../src/sql/key-columns.ts'
import { splitRows } from '../../src/sql/table-checks.ts'
import type { HeadCount, Table, TableDescription } from '../../src/table.ts'
import {
  assertConnection,
  type Opened,
  openSqlite,
  type Row,
  type SqliteConnection,
  type SqliteDatabase,
} from './database.ts'
import { sqliteTableError } from './faults.ts'
import { sqliteJobs } from './jobs.ts'
import { assertOneDifference, declaredAs, REBUILD, shapeOf } from './rebuild.ts'
import { changeStatements, wasDone } from './table-change.ts'
import { describeTable, type KnownTable } from './table-description.ts'
import { jobsName, qualifiedName } from './table-name.ts'
import { assertKeys, headsSql, keyColumns, pageRows, pageSql } from './table-sql.ts'
import { batchesOf, writeBatches } from './table-write.ts'
import { inTransaction, rowsOf, type TransactionMode } from './transaction.ts'

/** A table of SQLite whose rows are encrypted. */
export interface SqliteTableOptions extends SqliteConnection {
  /** `users`, or `schema.users` for an attached database. */
  readonly table: string
  /** Where the table of jobs is kept; beside the table, and `strongroom_jobs`, by default. */
  readonly jobs?: string
  /** ms to wait for other writers of the file; 10,000 by default. */
  readonly lockTimeoutMs?: number
}

/**
 * Reaches the rows of a table in SQLite 3.37 or newer for migration, re-encryption and census. A batch holds the process, and
 * other writers of the file, while it is written.
 *
 * @throws InvalidInputError
 */
export function sqliteTable(options: SqliteTableOptions): Table {
  assertObject(options, 'the options')
  assertConnection(options)
  const { lockTimeoutMs: waitMs = 10_000 } = options
  assertWhole(waitMs, 'lockTimeoutMs', 10, 600_000)
  const name = qualifiedName(options.table)
  const place = `sqlite ${name.text}`
  const jobs = jobsName(name, options.jobs)
  let opened: Promise<Opened> | undefined
  let known: KnownTable | undefined
  let closed = false

  async function transact<Result>(mode: TransactionMode, work: (database: SqliteDatabase) => Result): Promise<Result> {
    if (closed) throw new ClosedError('sqliteTable')
    try {
      opened ??= openSqlite(options)
      const { database } = await opened.catch((error) => {
        opened = undefined
        throw error
      })
      return await inTransaction(database, { mode, waitMs }, work)
    } catch (error) {
      throw sqliteTableError(place, error)
    }
  }

  /** The primary key and the types do not change while a job runs. */
  function shape(database: SqliteDatabase): KnownTable {
    known ??= describeTable(database, name)
    return known
  }

  /** Rows that have a key. */
  function keyed(database: SqliteDatabase, sql: string, values: readonly unknown[], keys: readonly string[]): Row[] {
    const rows = rowsOf(database, sql, ...values)
    assertKeys(shape(database), rows, keys)
    return rows
  }

  function rebuild(database: SqliteDatabase, statement: string): void {
    known = undefined
    const shown = shape(database)
    const before = shapeOf(database, shown)
    database.exec(statement)
    assertOneDifference(shown, before, shapeOf(database, shown))
  }

  return checkedTable({
    name: place,
    describe: () =>
      transact('read', (database): TableDescription => {
        known = undefined
        return shape(database).description
      }),
    page: (query) =>
      transact('read', (database) => {
        const shown = shape(database)
        const { sql, values, keys } = pageSql(shown, query)
        return pageRows(shown, query, keyed(database, sql, values, keys), keys)
      }),
    write: async (changes, job) => {
      const batches = batchesOf(await transact('read', shape), changes)
      if (batches.length === 0 && job === undefined) return []
      return transact('write', (database) => writeBatches(database, { batches, count: changes.length, jobs, job }))
    },
    countHeads: (query) =>
      transact('read', (database) => {
        const { sql, values } = headsSql(shape(database), query)
        return rowsOf(database, sql, ...values).map(headCount)
      }),
    splits: (parts) =>
      transact('read', (database) => {
        const shown = shape(database)
        const key = keyColumns(shown)
        const sql = splitsSql(key, `${shown.name.quoted} as t`, parts, '/')
        return splitRows(keyed(database, sql, [], key.keys), key.keys).map((row) => row.key)
      }),
    lag: async () => 0,
    changeSql: (change) =>
      transact('read', (database) => {
        known = undefined
        const shown = shape(database)
        return changeStatements(shown, declaredAs(database, shown), change)
      }),
    run: async (statements) => {
      for (const statement of statements) {
        if (statement.startsWith(REBUILD)) await transact('rebuild', (database) => rebuild(database, statement))
        else await transact('write', (database) => runOne(database, statement))
      }
      known = undefined
    },
    jobs: sqliteJobs(jobs, transact),
    close: async () => {
      closed = true
      const own = await opened?.catch(() => undefined)
      own?.close()
    },
  })
}

function runOne(database: SqliteDatabase, statement: string): void {
  try {
    database.exec(statement)
  } catch (error) {
    if (!wasDone(statement, error)) throw error
  }
}

function headCount({ head, by_there: by, rows_there: rows }: Row): HeadCount {
  return { head: head as string | Uint8Array | null, by: by as string | null, rows: Number(rows) }
}
