import { TableError } from '../../src/errors.ts'
import type { QualifiedName } from '../../src/sql/table-name.ts'
import { hasWord, isAbout, parseCreateTable, withNullness } from './create-table-text.ts'
import type { SqliteDatabase } from './database.ts'
import type { KnownTable } from './table-description.ts'
import { besides, quote } from './table-name.ts'
import { rowsOf } from './transaction.ts'

/** Begins a statement that makes a table anew. Its keys are not followed meanwhile: dropping the old one would delete what refers to it. */
export const REBUILD = '-- with foreign_keys off and legacy_alter_table on\n'

/** What is to be different in a table that is made anew. */
export type Difference =
  | { readonly kind: 'drop-column'; readonly column: string }
  | { readonly kind: 'allow-null' | 'refuse-null'; readonly column: string }

/** How SQLite declares a table and what belongs to it. */
export interface Declared {
  /** In the case that it was made in. */
  readonly name: string
  readonly table: string
  /** Of indexes and triggers, which go with the table. */
  readonly others: readonly { readonly name: string; readonly sql: string }[]
  /** Columns that hold values of their own. */
  readonly stored: readonly string[]
  readonly hasRowid: boolean
  readonly counts: boolean
}

/** Reads how a table is declared. */
export function declaredAs(database: SqliteDatabase, { name }: KnownTable): Declared {
  const schema = name.schema ?? 'main'
  const sql = `select type, name, sql from ${quote(schema)}.sqlite_master where tbl_name = ? collate nocase and sql is not null`
  const rows = rowsOf(database, sql, name.table)
  const made = rows.find(({ type }) => type === 'table')
  const table = String(made?.sql)
  const columns = rowsOf(database, 'select name, hidden from pragma_table_xinfo(?, ?)', name.table, schema)
  const [list] = rowsOf(
    database,
    'select wr from pragma_table_list where name = ? collate nocase and schema = ?',
    name.table,
    schema,
  )
  return {
    name: String(made?.name),
    table,
    others: rows
      .filter(({ type }) => type === 'index' || type === 'trigger')
      .map((row) => ({ name: String(row.name), sql: String(row.sql) })),
    stored: columns.filter(({ hidden }) => Number(hidden) === 0).map((row) => String(row.name)),
    hasRowid: Number(list?.wr) === 0,
    counts: /\bautoincrement\b/i.test(table),
  }
}

/** Whether SQLite cannot drop a column by itself, because a constraint inside of the declaration is about it. */
export function isConstrained({ table }: Declared, column: string): boolean {
  const { definitions = [] } = parseCreateTable(table) ?? {}
  return definitions.some((one) => {
    if (one.column === undefined) return isAbout(one, column)
    return isColumn(one.column, column) && (hasWord(one, 'unique') || hasWord(one, 'references'))
  })
}

/**
 * The statements that make a table anew with one difference, as SQLite recommends it, to be run as one transaction.
 * https://sqlite.org/lang_altertable.html#otheralter
 *
 * @throws TableError when the declaration is not as it is known
 */
export function rebuildSql(known: KnownTable, declared: Declared, different: Difference): string {
  const { name, description } = known
  const parsed = parseCreateTable(declared.table)
  const definitions = parsed?.definitions.flatMap((one) => {
    if (one.column === undefined)
      return different.kind === 'drop-column' && isAbout(one, different.column) ? [] : [one.sql]
    if (!isColumn(one.column, different.column)) return [one.sql]
    return different.kind === 'drop-column' ? [] : [withNullness(one, different.kind === 'allow-null')]
  })
  if (parsed === undefined || definitions === undefined) throw unknownDeclaration(name)
  const isDrop = different.kind === 'drop-column'
  const covering = description.indexes.filter(({ columns }) => columns.includes(different.column))
  const others = declared.others.filter((one) => !isDrop || !covering.some((index) => index.name === one.name))
  const kept = declared.stored.filter((column) => !isDrop || !isColumn(column, different.column))
  // Rows keep their number, by which others may know them.
  const rowid = declared.hasRowid && !kept.some((column) => isColumn(column, 'rowid')) ? ['rowid'] : []
  const columns = [...rowid, ...kept.map(quote)].join(', ')
  const temporary = `strongroom_new_${declared.name}`
  const made = besides(name, temporary)
  return [
    `create table ${made} (\n${definitions.join(',\n')}\n) ${parsed.options}`.trimEnd(),
    `insert into ${made} (${columns}) select ${columns} from ${name.quoted}`,
    ...(declared.counts ? countedOn(besides(name, 'sqlite_sequence'), declared.name, temporary) : []),
    `drop table ${name.quoted}`,
    `alter table ${made} rename to ${quote(declared.name)}`,
    ...others.map(({ sql }) => sql.replace(/^CREATE (UNIQUE INDEX|INDEX|TRIGGER) /, `$&${schemaOf(name)}`)),
  ].join(';\n')
}

/** What `autoincrement` counted, so that no number is given twice. */
function countedOn(sequence: string, from: string, to: string): string[] {
  const text = (name: string) => `'${name.replaceAll("'", "''")}'`
  return [
    `delete from ${sequence} where name = ${text(to)}`,
    `insert into ${sequence} (name, seq) select ${text(to)}, seq from ${sequence} where name = ${text(from)}`,
  ]
}

function schemaOf({ schema }: QualifiedName): string {
  return schema === undefined ? '' : `${quote(schema)}.`
}

function isColumn(name: string, column: string): boolean {
  return name.toLowerCase() === column.toLowerCase()
}

/** The columns and rows of a table, to compare it with what was made of it. */
export interface Shape {
  readonly columns: readonly string[]
  readonly rows: string
}

/** Reads them. */
export function shapeOf(database: SqliteDatabase, { name }: KnownTable): Shape {
  const sql = 'select name, type, "notnull" as filled, dflt_value, pk, hidden from pragma_table_xinfo(?, ?)'
  const columns = rowsOf(database, sql, name.table, name.schema ?? 'main').map((row) => Object.values(row).join('\0'))
  const [counted] = rowsOf(database, `select cast(count(*) as text) as n from ${name.quoted}`)
  return { columns, rows: String(counted?.n) }
}

/** Nothing else may have become of a table than what was asked for. @throws TableError */
export function assertOneDifference({ name }: KnownTable, before: Shape, after: Shape): void {
  const changed = before.columns.filter((column) => !after.columns.includes(column)).length
  const added = after.columns.filter((column) => !before.columns.includes(column)).length
  if (changed === 1 && added <= 1 && before.rows === after.rows) return
  throw unknownDeclaration(name)
}

function unknownDeclaration({ text }: QualifiedName): TableError {
  const problem = 'how the table is declared was not understood, so that it was left as it is'
  return new TableError('misconfigured', `sqlite ${text}: ${problem}: make it anew yourself`)
}
