import { type Column, getTableColumns, getTableName, type Table } from 'drizzle-orm'
import { toCamelCase, toSnakeCase } from 'drizzle-orm/casing'
import type { AnyRow, MappedRecord } from '../../src/mapping/mapped-record.ts'
import { columnNames, type NamedTable } from '../../src/mapping/query-text.ts'

/** How statements call a table and its columns. */
export class TableNames implements NamedTable {
  readonly record: MappedRecord
  readonly table: string
  readonly columns: ReadonlyMap<string, string>
  /** A column without a name of its own is called after its key, in whatever letters `casing` of `drizzle()` says. */
  readonly spellings: readonly (readonly [string, string])[]
  readonly unquoted = true

  constructor(record: MappedRecord, table: Table) {
    this.record = record
    this.table = getTableName(table)
    const columns: [string, Column][] = Object.entries(getTableColumns(table))
    this.columns = new Map(columns.map(([key, { name }]) => [key, name]))
    this.spellings = columns
      .filter(([, { keyAsName }]) => keyAsName)
      .flatMap(([key]) => [toSnakeCase(key), toCamelCase(key)].map((name) => [key, name] as const))
      .filter(([key, name]) => this.columns.get(key) !== name)
  }

  /** A row of the database by the keys of the table, without what is no column of it. */
  keyed(row: AnyRow): AnyRow {
    return Object.fromEntries(columnNames(this).flatMap(([key, name]) => (name in row ? [[key, row[name]]] : [])))
  }
}
