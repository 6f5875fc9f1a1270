import { assertMethods, assertOptions } from './bytes.ts'
import type { Table } from './table.ts'

/** Methods without which nothing is a table, and those of its jobs. */
export const TABLE_METHODS = ['describe', 'page', 'write', 'countHeads'] as const
export const JOB_METHODS = ['create', 'start', 'write', 'list'] as const

/** Refuses what is no table whose jobs can be kept. @throws InvalidInputError */
export function assertTable(table: unknown): asserts table is Table {
  assertMethods(table, TABLE_METHODS, 'table')
  assertMethods((table as Partial<Table>).jobs, JOB_METHODS, 'the jobs of a table')
}

/** Refuses what is no object of tables, each of which may be left out. @throws InvalidInputError */
export function assertTables(
  tables: unknown,
): asserts tables is Readonly<Record<string, Table | undefined>> | undefined {
  assertOptions(tables, 'tables')
  for (const table of Object.values(tables ?? {})) if (table !== undefined) assertTable(table)
}
