import { InvalidInputError, TableError } from '../../src/errors.ts'
import type { RowKey } from '../../src/row-key.ts'
import { assertKey, type KeyColumns, type KeyedSql, keyAliases, looksLikeUuid } from '../../src/sql/key-columns.ts'
import { assertPageLimit, columnOf, headColumn, splitRows } from '../../src/sql/table-checks.ts'
import type { Cell, HeadQuery, PageQuery, TableRow } from '../../src/table.ts'
import { exactCell, rawCell, textOf, withTexts } from './cell-text.ts'
import type { Row } from './database.ts'
import type { KnownTable } from './table-description.ts'
import { quote } from './table-name.ts'

/** A page in the order of the primary key, by comparing whole keys, so that the index of the key is used. */
export function pageSql(known: KnownTable, query: PageQuery): KeyedSql {
  const { columns, texts = [], after, until, equals = {}, limit } = query
  assertPageLimit(limit)
  const { key, order, keys } = keyColumns(known)
  const wanted = columns
    .filter((column) => !texts.includes(column))
    .map((column) => `${exactCell(columnSql(known, column))} as ${quote(column)}`)
  const asText = texts.flatMap((column, at) => [
    `${rawCell(columnSql(known, column))} as ${quote(column)}`,
    `typeof(${columnSql(known, column)}) = 'text' as ${textAlias(at)}`,
  ])
  const values: unknown[] = []
  const bound = (operator: string, row: RowKey) => {
    values.push(...keyValues(known, row))
    return `(${order}) ${operator} (${row.map(() => '?').join(', ')})`
  }
  const conditions = [after && bound('>', after), until && bound('<=', until)]
  const equal = Object.entries(equals).flatMap(([column, text]) => equalTo(known, column, text, values))
  const where = [...conditions, ...equal].filter((condition) => condition !== undefined)
  const sql = `select ${[key, ...wanted, ...asText].join(', ')} from ${known.name.quoted} as t
${where.length === 0 ? '' : `where ${where.join(' and ')} `}order by ${order} limit ${limit}`
  return { sql, values, keys }
}

/** The rows of a page. */
export function pageRows(
  known: KnownTable,
  { texts = [] }: PageQuery,
  rows: readonly Row[],
  keys: readonly string[],
): TableRow[] {
  const split = splitRows(rows.map(withTexts), [...keys, ...texts.map((_, at) => textAlias(at))])
  return split.map(({ key, values }) => {
    const read: Record<string, Cell> = { ...values }
    for (const [at, column] of texts.entries()) {
      if (key[keys.length + at] === '1') read[column] = textOf(values[column] as Uint8Array, known.encoding)
    }
    return { key: key.slice(0, keys.length), values: read }
  })
}

function textAlias(at: number): string {
  return `strongroom_text_${at}`
}

/** A column of the table `t`. @throws InvalidInputError when there is none of this name */
export function columnSql(known: KnownTable, name: string): string {
  return `t.${quote(columnOf(known, name).name)}`
}

/** Counts by the first characters or bytes. A value of another type than the column's is not ours. */
export function headsSql(known: KnownTable, query: HeadQuery): { sql: string; values: unknown[] } {
  const { name, holds } = headColumn(known, query)
  const { prefix, length, by } = query
  const column = `t.${quote(name)}`
  const [type, none] = holds === 'text' ? ['text', "''"] : ['blob', "x''"]
  const size = typeof prefix === 'string' ? [...prefix].length : prefix.byteLength
  const begins = size === 0 ? '' : ` and substr(${column}, 1, ${size}) = ?`
  const group = by === undefined ? 'null' : groupOf(known, by)
  const sql = `select case when ${column} is null then null
  when typeof(${column}) = '${type}'${begins} then substr(${column}, 1, ${length}) else ${none} end as head,
  ${group} as by_there, cast(count(*) as text) as rows_there from ${known.name.quoted} as t group by 1, 2`
  return { sql, values: size === 0 ? [] : [typeof prefix === 'string' ? prefix : Buffer.from(prefix)] }
}

/** The key as text under names that no column has, and what rows are ordered by. */
export function keyColumns(known: KnownTable): KeyColumns {
  const keys = keyAliases(known)
  const columns = known.description.primaryKey.map((name) => ({ name, column: `t.${quote(name)}` }))
  const texts = columns.map(({ name, column }, at) => {
    // Anything may be in a column here. What is of another type has no text that finds it again, and is left null.
    const text = isBytes(known, name)
      ? `case typeof(${column}) when 'blob' then hex(${column}) end`
      : `case typeof(${column}) when 'integer' then cast(${column} as text) when 'text' then ${column} end`
    return `${text} as ${keys[at]}`
  })
  return { key: texts.join(', '), order: columns.map(({ column }) => column).join(', '), keys }
}

/** Refuses rows whose key has no text. @throws TableError */
export function assertKeys(known: KnownTable, rows: readonly Row[], keys: readonly string[]): void {
  if (rows.every((row) => keys.every((alias) => typeof row[alias] === 'string'))) return
  throw new TableError('misconfigured', `table ${known.name.text} has a key of another type than that of its column`)
}

/** A key as values: SQLite gives a text the type of the column that it is compared with. @throws InvalidInputError */
export function keyValues(known: KnownTable, key: RowKey): (string | Buffer)[] {
  assertKey(known, key)
  return key.map((text, at) => {
    if (!isBytes(known, known.description.primaryKey[at] as string)) return text
    if (!/^([0-9a-f]{2})*$/i.test(text)) throw new InvalidInputError('a key of bytes must be given in hexadecimal')
    return Buffer.from(text, 'hex')
  })
}

/** A column as the text that rows are identified by: that of bytes is lower-case hexadecimal. */
function groupOf(known: KnownTable, name: string): string {
  const column = `t.${quote(columnOf(known, name).name)}`
  return `case typeof(${column}) when 'blob' then lower(hex(${column})) else cast(${column} as text) end`
}

function isBytes(known: KnownTable, name: string): boolean {
  return columnOf(known, name).holds === 'bytes'
}

/** Rows whose column holds a value, and maybe others. Bytes have another text elsewhere than here; UUIDs are the same in either case. */
function equalTo(known: KnownTable, name: string, text: string, values: unknown[]): string[] {
  const { holds } = columnOf(known, name)
  if (holds === 'bytes') return []
  const column = `t.${quote(name)}`
  values.push(text)
  // A blob in a column of any type may be that value as well.
  return [`(${looksLikeUuid(text) ? `lower(${column}) = lower(?)` : `${column} = ?`} or typeof(${column}) = 'blob')`]
}
