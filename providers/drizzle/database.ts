import type { SQL } from 'drizzle-orm'
import { TableError } from '../../src/errors.ts'
import type { AnyRow } from '../../src/mapping/mapped-record.ts'

/** A query of Drizzle before it runs. */
export interface Query<Rows> extends PromiseLike<Rows> {
  toSQL(): { readonly sql: string }
}

/** A query whose rows come one by one, where Drizzle has that. */
export interface StreamedQuery<Row> extends Query<readonly Row[]> {
  iterator?(): AsyncIterable<Row>
}

/** A database or a transaction of Drizzle, whatever its dialect. */
export interface Database {
  select(fields: never): unknown
  insert(table: never): unknown
  update(table: never): unknown
}

/** The same for code that works with any table. */
export interface LooseDatabase {
  select(fields: object): { from(table: object): { where(where: SQL | undefined): Query<unknown> } }
  insert(table: object): { values(row: AnyRow): Insert }
  update(table: object): { set(values: AnyRow): { where(where: SQL | undefined): PromiseLike<unknown> } }
}

interface Insert extends PromiseLike<unknown> {
  /** MySQL has none. */
  onConflictDoUpdate?(options: { target: unknown[]; set: AnyRow; setWhere: SQL }): Query<unknown>
}

/** How many rows a write changed, as the drivers of Drizzle say it. @throws TableError when a driver says it in none of these ways */
export function changedRows(result: unknown): number {
  const header = (Array.isArray(result) && typeof result[0] === 'object' ? result[0] : result) as AnyRow | undefined
  for (const name of ['rowCount', 'affectedRows', 'changes', 'rowsAffected', 'count']) {
    const count = header?.[name] ?? (result as AnyRow | undefined)?.[name]
    if (typeof count === 'number' || typeof count === 'bigint') return Number(count)
  }
  throw new TableError('misconfigured', 'the driver does not say how many rows it changed')
}
