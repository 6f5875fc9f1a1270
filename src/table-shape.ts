import { assertMethods } from './bytes.ts'
import type { Table } from './table.ts'

/** Methods without which nothing is a table, and those of its jobs. */
export const TABLE_METHODS = ['describe', 'page', 'write', 'countHeads'] as const
export const JOB_METHODS = ['create', 'start', 'write', 'list'] as const

/** Refuses what is no table whose jobs can be kept. @throws InvalidInputError */
export function assertTable(table: unknown): asserts table is Table {
  assertMethods(table, TABLE_METHODS, 'table')
  assertMethods((table as Partial<Table>).jobs, JOB_METHODS, 'the jobs of a table')
}
