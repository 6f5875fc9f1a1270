import type { RowKey } from '../../src/row-key.ts'
import { assertKey, type KeyColumns, keyAliases, looksLikeUuid } from '../../src/sql/key-columns.ts'
import { assertPageLimit, columnOf, headColumn } from '../../src/sql/table-checks.ts'
import type { HeadQuery, PageQuery } from '../../src/table.ts'
import type { KnownTable } from './table-description.ts'
import { quote } from './table-name.ts'

/** A statement, its values, and the names under which it returns the key. */
export interface KeyedSql {
  readonly text: string
  readonly values: unknown[]
  readonly keys: readonly string[]
}

/** A page in the order of the primary key, by comparing whole keys, so that the index of the key is used. */
export function pageSql(
  known: KnownTable,
  { columns, texts = [], after, until, equals = {}, limit }: PageQuery,
): KeyedSql {
  assertPageLimit(limit)
  const { key, order, keys } = keyColumns(known)
  const wanted = columns
    .filter((column) => !texts.includes(column))
    .map((column) => quote(columnOf(known, column).name))
  const asText = texts.map((column) => `${quote(columnOf(known, column).name)}::text as ${quote(column)}`)
  const values: unknown[] = []
  const bound = (operator: string, row: RowKey) => `(${order}) ${operator} (${keyParameters(known, row, values)})`
  const equal = Object.entries(equals).map(([column, text]) => equalTo(known, column, text, values))
  const conditions = [after && bound('>', after), until && bound('<=', until), ...equal].filter(
    (condition) => condition !== undefined,
  )
  const where = conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`
  const text = `select ${[key, ...wanted, ...asText].join(', ')} from ${known.name.quoted}${where} order by ${order} limit ${limit}`
  return { text, values, keys }
}

/** A column of text may hold the digits of a UUID in either case, and both are the same id. */
function equalTo(known: KnownTable, column: string, text: string, values: unknown[]): string {
  const { name, holds } = columnOf(known, column)
  const value = `$${values.push(text)}::text::${known.types.get(column)}`
  return holds === 'text' && looksLikeUuid(text)
    ? `lower(${quote(name)}) = lower(${value})`
    : `${quote(name)} = ${value}`
}

/** Counts by the first characters or bytes: `$1` is the prefix, `$2` the length. */
export function headsSql(known: KnownTable, query: HeadQuery): string {
  const { by } = query
  const { name, holds } = headColumn(known, query)
  const value = holds === 'text' ? `${quote(name)}::text` : quote(name)
  const type = holds === 'text' ? 'text' : 'bytea'
  const group = by === undefined ? 'null::text' : groupOf(known, by)
  return `select case when ${quote(name)} is null then null
  when substring(${value} from 1 for length($1::${type})) = $1::${type} then substring(${value} from 1 for $2::int)
  else ''::${type} end as head, ${group} as by, count(*)::text as rows from ${known.name.quoted} group by 1, 2`
}

/** A column as the text that rows are identified by: that of bytes is lower-case hexadecimal. */
function groupOf(known: KnownTable, by: string): string {
  const { name, holds } = columnOf(known, by)
  return holds === 'bytes' ? `encode(${quote(name)}, 'hex')` : `${quote(name)}::text`
}

/** The key as text under names that no column has, and what rows are ordered by. */
export function keyColumns(known: KnownTable): KeyColumns {
  const columns = known.description.primaryKey.map(quote)
  const keys = keyAliases(known)
  return {
    key: columns.map((column, at) => `${column}::text as ${keys[at]}`).join(', '),
    order: columns.join(', '),
    keys,
  }
}

function keyParameters(known: KnownTable, row: RowKey, values: unknown[]): string {
  assertKey(known, row)
  const { primaryKey } = known.description
  return row.map((text, at) => `$${values.push(text)}::text::${known.types.get(primaryKey[at] as string)}`).join(', ')
}
