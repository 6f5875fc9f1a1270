import type { MysqlPool } from './client.ts'
import { send } from './client.ts'

/** How work is done on a connection. */
export interface SessionOptions {
  /** Whole seconds are what the server knows. */
  readonly lockTimeoutMs: number
  /** ms to wait for an answer; 60,000 by default. */
  readonly answerMs?: number
  /** Of a transaction; `read committed` by default, in which each statement sees what others have committed by then. */
  readonly isolation?: 'repeatable read'
}

/** A connection that is held, and what runs on it. */
export interface Session {
  rows(sql: string, values?: unknown[]): Promise<readonly Record<string, unknown>[]>
  /** How many rows were changed; those found, on a connection with the flag FOUND_ROWS. */
  affected(sql: string, values?: unknown[]): Promise<number>
}

/** A session that says nothing for so long inside a transaction is ended by the server, and its locks with it. */
const ABANDONED_S = 60

/**
 * What a session is set to, and set back from afterwards: text is refused instead of cut (`sql_mode`), times are those of UTC,
 * waiting for locks ends, and nothing is left open behind a statement.
 */
const settings = (lockTimeoutMs: number): Readonly<Record<string, string>> => ({
  sql_mode: "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
  time_zone: "'+00:00'",
  autocommit: '1',
  wait_timeout: String(ABANDONED_S),
  innodb_lock_wait_timeout: String(Math.ceil(lockTimeoutMs / 1000)),
  lock_wait_timeout: String(Math.ceil(lockTimeoutMs / 1000)),
})

/** Holds a connection for some work. One whose state is not known afterwards is closed. */
export async function inSession<Result>(
  pool: MysqlPool,
  { lockTimeoutMs, answerMs }: SessionOptions,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const client = await pool.getConnection()
  let known = true
  const run = async (sql: string, values?: unknown[]): Promise<unknown> => {
    try {
      return (await send(client, sql, values, answerMs))[0]
    } catch (error) {
      known &&= isAnswer(error)
      throw error
    }
  }
  try {
    const wanted = Object.entries(settings(lockTimeoutMs))
    // Kept, then set: from left to right.
    const kept = wanted.map(([name]) => `@strongroom_${name} = @@session.${name}`)
    const set = wanted.map(([name, value]) => `@@session.${name} = ${value}`)
    try {
      await run(`set ${[...kept, ...set].join(', ')}`)
      return await work({
        rows: async (sql, values) => (await run(sql, values)) as readonly Record<string, unknown>[],
        affected: async (sql, values) => Number(((await run(sql, values)) as { affectedRows?: unknown }).affectedRows),
      })
    } finally {
      const back = `set ${wanted.map(([name]) => `@@session.${name} = @strongroom_${name}`).join(', ')}`
      if (known) await run(back).catch(() => (known = false))
    }
  } finally {
    if (known) client.release()
    else client.destroy()
  }
}

/** Whether the server itself said no. Everything else (a time that ran out, a cut line) leaves the connection in the dark. */
function isAnswer(error: unknown): boolean {
  return typeof (error as { sqlState?: unknown }).sqlState === 'string'
}

/** The same as one transaction. */
export async function inTransaction<Result>(
  pool: MysqlPool,
  options: SessionOptions,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  return inSession(pool, options, async (session) => {
    await session.affected(`set transaction isolation level ${options.isolation ?? 'read committed'}`)
    await session.affected('start transaction read write')
    try {
      const result = await work(session)
      await session.affected('commit and no chain no release')
      return result
    } catch (error) {
      // Where this fails too the connection is closed, which rolls back as well.
      await session.affected('rollback and no chain no release').catch(() => undefined)
      throw error
    }
  })
}

/** One statement that reads what is committed, whatever isolation the connection has otherwise. */
export async function readCommitted(
  session: Session,
  sql: string,
  values: unknown[] = [],
): Promise<readonly Record<string, unknown>[]> {
  await session.affected('set transaction isolation level read committed')
  return session.rows(sql, values)
}
