import { assertArray, assertObject, assertWhole } from '../../src/bytes.ts'
import { checkedTable } from '../../src/checked-table.ts'
import { ClosedError, TableError } from '../../src/errors.ts'
import { splitsSql } from '../../src/sql/key-columns.ts'
import { splitRows } from '../../src/sql/table-checks.ts'
import type { HeadCount, Table, TableDescription } from '../../src/table.ts'
import { assertConnection, type Connected, connectMysql, type MysqlConnection, type MysqlPool } from './client.ts'
import { mysqlTableError, numberOf } from './faults.ts'
import { mysqlJobs } from './jobs.ts'
import { inSession, readCommitted, type Session } from './session.ts'
import { changeStatements, DONE_BEFORE, IF_NEEDED } from './table-change.ts'
import { describeTable, type KnownTable } from './table-description.ts'
import { jobsName, qualifiedName } from './table-name.ts'
import { tableNow } from './table-now.ts'
import { headsSql, keyColumns, pageRows, pageSql } from './table-sql.ts'
import { writeChanges } from './table-write.ts'

/** A table of MySQL or MariaDB whose rows are encrypted. */
export interface MysqlTableOptions extends MysqlConnection {
  /** `users`, or `database.users`. */
  readonly table: string
  /** Where the table of jobs is kept; the database of the table, and `strongroom_jobs`, by default. */
  readonly jobs?: string
  /** Replicas to wait for; a primary does not know how far they are behind. */
  readonly replicas?: readonly MysqlConnection[]
  /** ms to wait for rows that others hold, in whole seconds; 10,000 by default. */
  readonly lockTimeoutMs?: number
}

/**
 * Reaches the rows of a table in MySQL 8.0.21 or newer, or MariaDB 10.6 or newer, for migration, re-encryption and census. The
 * user needs `select` and `update` on the table, and all rights on the table of jobs.
 *
 * @throws InvalidInputError
 */
export function mysqlTable(options: MysqlTableOptions): Table {
  assertObject(options, 'the options')
  assertConnection(options)
  const { lockTimeoutMs = 10_000, replicas = [] } = options
  assertWhole(lockTimeoutMs, 'lockTimeoutMs', 1_000, 600_000)
  assertArray(replicas, 'replicas')
  for (const replica of replicas) assertConnection(replica)
  const name = qualifiedName(options.table)
  const place = `mysql ${name.text}`
  const jobs = jobsName(name, options.jobs)
  let connected: Promise<Connected> | undefined
  let watched: Promise<Connected[]> | undefined
  let known: Promise<KnownTable> | undefined
  let closed = false

  async function call<Result>(work: (to: Connected) => Promise<Result>): Promise<Result> {
    if (closed) throw new ClosedError('mysqlTable')
    try {
      connected ??= connectMysql(options)
      const to = await connected.catch((error) => {
        connected = undefined
        throw error
      })
      return await work(to)
    } catch (error) {
      throw mysqlTableError(place, error)
    }
  }

  const within = <Result>(work: (session: Session) => Promise<Result>) =>
    call(({ pool }) => inSession(pool, { lockTimeoutMs, answerMs: ANSWER_TIMEOUT_MS }, work))

  /** The primary key and the types do not change while a job runs. */
  async function shape(session: Session): Promise<KnownTable> {
    known ??= describeTable(session, name)
    return known.catch((error) => {
      known = undefined
      throw error
    })
  }

  async function lag(): Promise<number> {
    if (replicas.length === 0) {
      throw new TableError('misconfigured', `${place}: name the \`replicas\` of the table to wait for them`)
    }
    watched ??= Promise.all(replicas.map((replica) => connectMysql(replica)))
    const pools = await watched.catch((error) => {
      watched = undefined
      throw error
    })
    return Math.max(...(await Promise.all(pools.map(({ pool }) => lagOf(pool, place)))))
  }

  return checkedTable({
    name: place,
    describe: () =>
      within(async (session): Promise<TableDescription> => {
        known = undefined
        return (await shape(session)).description
      }),
    page: (query) =>
      within(async (session) => {
        const shown = await shape(session)
        const { sql, values, keys } = pageSql(shown, query)
        return pageRows(shown, query, await readCommitted(session, sql, values), keys)
      }),
    write: (changes, job) =>
      call(async (to) => {
        const shown = await (known ?? inSession(to.pool, { lockTimeoutMs }, shape))
        return writeChanges(to, { known: shown, jobs, lockTimeoutMs, changes, job })
      }),
    countHeads: (query) =>
      within(async (session) => {
        const { sql, values } = headsSql(await shape(session), query)
        return (await readCommitted(session, sql, values)).map((row) =>
          headCount(row, typeof query.prefix === 'string'),
        )
      }),
    splits: (parts) =>
      within(async (session) => {
        const shown = await shape(session)
        const key = keyColumns(shown)
        const rows = await readCommitted(session, splitsSql(key, `${shown.name.quoted} as t`, parts, 'div'))
        return splitRows(rows, key.keys).map((row) => row.key)
      }),
    lag: () => call(lag),
    changeSql: (change) =>
      within(async (session) => {
        known = undefined
        return changeStatements(name, change, await tableNow(session, await shape(session)))
      }),
    run: (statements) =>
      call(async ({ pool }) => {
        known = undefined
        await inSession(pool, { lockTimeoutMs: CHANGE_WAIT_MS, answerMs: ANSWER_TIMEOUT_MS }, async (session) => {
          try {
            for (const statement of statements) await runOne(session, statement)
          } finally {
            await session.affected('unlock tables')
          }
        })
      }),
    jobs: mysqlJobs(jobs, (work) => call(({ pool }) => work(pool))),
    close: async () => {
      closed = true
      const all = [await connected?.catch(() => undefined), ...((await watched?.catch(() => undefined)) ?? [])]
      for (const one of all) await one?.close()
    },
  })
}

/** A census reads a whole table, and an index takes as long to make. */
const ANSWER_TIMEOUT_MS = 86_400_000
/** A change that waits for the table holds up everybody who comes after it: it gives up early and is tried again. */
const CHANGE_WAIT_MS = 3_000

async function runOne(session: Session, statement: string): Promise<void> {
  try {
    await session.affected(statement)
  } catch (error) {
    if (!(statement.startsWith(IF_NEEDED) && DONE_BEFORE.has(numberOf(error)))) throw error
  }
}

function headCount(row: Readonly<Record<string, unknown>>, isText: boolean): HeadCount {
  const {
    head,
    by_there: by,
    rows_there: rows,
  } = row as { head: Buffer | null; by_there: Buffer | null; rows_there: string }
  return {
    head: head === null ? null : isText ? head.toString() : head,
    by: by === null ? null : by.toString(),
    rows: Number(rows),
  }
}

async function lagOf(pool: MysqlPool, place: string): Promise<number> {
  const [row] = await inSession(pool, { lockTimeoutMs: 1_000 }, (session) => session.rows('show replica status'))
  const seconds = row?.Seconds_Behind_Source ?? row?.Seconds_Behind_Master
  if (seconds === undefined || seconds === null) {
    throw new TableError(
      'unavailable',
      `${place}: a replica does not replicate, so that nobody knows how far it is behind`,
    )
  }
  return Number(seconds) * 1000
}
