import { TableError } from '../../src/errors.ts'
import type { QualifiedName } from '../../src/sql/table-name.ts'
import type { TableColumn, TableDescription, TableIndex } from '../../src/table.ts'
import type { Row, SqliteDatabase } from './database.ts'
import { quote } from './table-name.ts'
import { rowsOf } from './transaction.ts'

/** A table as statements need it. */
export interface KnownTable {
  readonly name: QualifiedName
  readonly description: TableDescription
  /** Of texts, as a `TextDecoder` calls it. */
  readonly encoding: string
  /** Of SQLite, for example [3, 53, 2]. */
  readonly version: readonly number[]
}

/** Reads the catalogue. @throws TableError when there is no such table, or it has no primary key, or rows without one */
export function describeTable(database: SqliteDatabase, name: QualifiedName): KnownTable {
  const schema = name.schema ?? 'main'
  const sql = `select name from ${quote(schema)}.sqlite_master where type = 'table' and name = ? collate nocase`
  if (rowsOf(database, sql, name.table).length === 0) {
    throw new TableError('misconfigured', `table ${name.text} does not exist`)
  }
  const rows = rowsOf(
    database,
    `select name, type, "notnull" as filled, pk from pragma_table_xinfo(?, ?) where hidden <> 1`,
    name.table,
    schema,
  )
  const primaryKey = rows
    .filter((row) => Number(row.pk) > 0)
    .sort((a, b) => Number(a.pk) - Number(b.pk))
    .map((row) => String(row.name))
  if (primaryKey.length === 0) {
    throw new TableError('misconfigured', `table ${name.text} has no primary key: rows could not be told apart`)
  }
  const empty = primaryKey.map((column) => `${quote(column)} is null`).join(' or ')
  if (rowsOf(database, `select 1 from ${name.quoted} where ${empty} limit 1`).length > 0) {
    throw new TableError(
      'misconfigured',
      `table ${name.text} has rows whose primary key is null: they could not be told apart`,
    )
  }
  const [counted] = rowsOf(database, `select cast(count(*) as text) as n from ${name.quoted}`)
  const description: TableDescription = {
    primaryKey,
    columns: rows.map((row) => columnOf(row, primaryKey)),
    indexes: indexesOf(database, name.table, schema),
    estimatedRows: Number(counted?.n),
    bytes: sizeOf(database, name.table, schema),
  }
  const [encoded] = rowsOf(database, 'pragma encoding')
  const [versioned] = rowsOf(database, 'select sqlite_version() as version')
  const version = String(versioned?.version).split('.').map(Number)
  return { name, description, encoding: String(encoded?.encoding).toLowerCase(), version }
}

/** By the affinity of the declared type, which is all that a type is here: widths are not kept, so that nothing is cut. */
function columnOf(row: Row, primaryKey: readonly string[]): TableColumn {
  const type = String(row.type)
  const isNumber = /int/i.test(type)
  const holds = isNumber
    ? 'other'
    : /char|clob|text/i.test(type)
      ? 'text'
      : /blob|binary|bytea/i.test(type)
        ? 'bytes'
        : 'other'
  const name = String(row.name)
  const nullable = Number(row.filled) === 0 && !primaryKey.includes(name)
  const numbers = numbersOf(type)
  return { name, type, holds, nullable, width: null, ...(numbers && { alters: { numbers } }) }
}

/** What becomes of a text of a number, by the affinity of a column. https://sqlite.org/datatype3.html */
function numbersOf(type: string): 'double' | 'integer or double' | undefined {
  if (/int/i.test(type)) return 'integer or double'
  if (type === '' || /char|clob|text|blob/i.test(type)) return undefined
  return /real|floa|doub/i.test(type) ? 'double' : 'integer or double'
}

function indexesOf(database: SqliteDatabase, table: string, schema: string): TableIndex[] {
  const indexes = rowsOf(
    database,
    'select name, "unique" as unique_there, partial from pragma_index_list(?, ?)',
    table,
    schema,
  )
  return indexes.map((index) => {
    const name = String(index.name)
    const columns = rowsOf(database, 'select name from pragma_index_info(?, ?) order by seqno', name, schema)
    const unique = Number(index.unique_there) === 1 && Number(index.partial) === 0
    return {
      name,
      columns: columns.flatMap((column) => (column.name === null ? [] : [String(column.name)])),
      // An expression has no name.
      unique: unique && columns.every((column) => column.name !== null),
    }
  })
}

/** Of the table with its indexes where SQLite was built to tell, and else of the whole file. */
function sizeOf(database: SqliteDatabase, table: string, schema: string): number {
  try {
    const sql = `select cast(coalesce(sum(pgsize), 0) as text) as bytes from dbstat(?, 1)
where name in (select name from ${quote(schema)}.sqlite_master where tbl_name = ? collate nocase)`
    return Number(rowsOf(database, sql, schema, table)[0]?.bytes)
  } catch {
    const of = (name: string) => Number(Object.values(rowsOf(database, `pragma ${quote(schema)}.${name}`)[0] ?? {})[0])
    return of('page_count') * of('page_size')
  }
}
