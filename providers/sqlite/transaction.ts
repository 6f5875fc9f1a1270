import { setTimeout as delay } from 'node:timers/promises'
import type { Row, SqliteDatabase } from './database.ts'
import { isBusy } from './faults.ts'

/** What a transaction is for. */
export type TransactionMode = 'read' | 'write' | 'rebuild'

/** How work is done in a transaction. */
export interface TransactionOptions {
  /**
   * `write` takes the lock of the writer at once: one who reads first and writes then could not be let through. `rebuild` does
   * the same, and follows no foreign keys.
   */
  readonly mode: TransactionMode
  /** ms to wait for other connections. */
  readonly waitMs: number
}

/**
 * Runs work as one transaction. The drivers are synchronous: everything between begin and commit happens without a pause, so
 * that nothing of the application comes between on the same connection, and waiting for others is done outside.
 */
export async function inTransaction<Result>(
  database: SqliteDatabase,
  { mode, waitMs }: TransactionOptions,
  work: (database: SqliteDatabase) => Result,
): Promise<Result> {
  const deadline = performance.now() + waitMs
  for (;;) {
    try {
      return attempt(database, mode, work)
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error
      await delay(1 + Math.random() * 20)
    }
  }
}

/** The rows that a statement answers. */
export function rowsOf(database: SqliteDatabase, sql: string, ...values: unknown[]): Row[] {
  return database.prepare(sql).all(...values) as Row[]
}

/** Durable also where the connection is told to sync less; its settings are given back as they were. */
function attempt<Result>(
  database: SqliteDatabase,
  mode: TransactionMode,
  work: (database: SqliteDatabase) => Result,
): Result {
  const set: [name: string, before: number][] = []
  try {
    for (const [name, wanted] of settings(mode)) {
      const before = pragma(database, name)
      if (before === wanted || (name === 'synchronous' && before > wanted)) continue
      set.push([name, before])
      database.exec(`pragma ${name} = ${wanted}`)
    }
    database.exec(mode === 'read' ? 'begin' : 'begin immediate')
    try {
      const result = work(database)
      database.exec('commit')
      return result
    } catch (error) {
      try {
        database.exec('rollback')
      } catch {} // SQLite has rolled back by itself: the disk was full, or could not be read
      throw error
    }
  } finally {
    for (const [name, before] of set.toReversed()) restore(database, `${name} = ${before}`)
  }
}

function settings(mode: TransactionMode): [name: string, wanted: number][] {
  return [
    ['busy_timeout', 0],
    ...(mode === 'read' ? [] : [['synchronous', FULL] as [string, number]]),
    ...(mode === 'rebuild'
      ? ([
          ['foreign_keys', 0],
          ['legacy_alter_table', 1],
        ] as [string, number][])
      : []),
  ]
}

const FULL = 2

function pragma(database: SqliteDatabase, name: string): number {
  const [row] = rowsOf(database, `pragma ${name}`)
  return Number(Object.values(row ?? {})[0])
}

/** `synchronous` cannot be set while the application is in a transaction of its own, and then was not set before either. */
function restore(database: SqliteDatabase, setting: string): void {
  try {
    database.exec(`pragma ${setting}`)
  } catch {}
}
