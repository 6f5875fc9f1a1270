import { InvalidInputError } from '../../src/errors.ts'
import type { RowKey } from '../../src/row-key.ts'
import type { HeadQuery, PageQuery, TableColumn } from '../../src/table.ts'
import type { KnownTable } from './table-description.ts'
import { quote } from './table-name.ts'

const MAX_PAGE = 10_000
const MAX_HEAD = 64
const MAX_PARTS = 10_000

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
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    throw new InvalidInputError('limit must be a whole number from 1 to 10,000')
  }
  const { key, order, keys } = keyColumns(known)
  const wanted = columns
    .filter((column) => !texts.includes(column))
    .map((column) => quote(columnOf(known, column).name))
  const asText = texts.map((column) => `${quote(columnOf(known, column).name)}::text as ${quote(column)}`)
  const values: unknown[] = []
  const bound = (operator: string, row: RowKey) => `(${order}) ${operator} (${keyParameters(known, row, values)})`
  const equal = Object.entries(equals).map(
    ([column, text]) =>
      `${quote(columnOf(known, column).name)} = $${values.push(text)}::text::${known.types.get(column)}`,
  )
  const conditions = [after && bound('>', after), until && bound('<=', until), ...equal].filter(
    (condition) => condition !== undefined,
  )
  const where = conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`
  const text = `select ${[key, ...wanted, ...asText].join(', ')} from ${known.name.quoted}${where} order by ${order} limit ${limit}`
  return { text, values, keys }
}

/** Counts by the first characters or bytes: `$1` is the prefix, `$2` the length. */
export function headsSql(known: KnownTable, { column, prefix, length, by }: HeadQuery): string {
  const { name, holds } = columnOf(known, column)
  if (holds === 'other') throw new InvalidInputError(`${known.name.text}.${column} holds neither text nor bytes`)
  if (typeof prefix === 'string' ? holds !== 'text' : holds !== 'bytes') {
    throw new InvalidInputError(`${known.name.text}.${column} holds ${holds}: the prefix must be of the same kind`)
  }
  if (!Number.isSafeInteger(length) || length < 1 || length > MAX_HEAD) {
    throw new InvalidInputError('length must be a whole number from 1 to 64')
  }
  const value = holds === 'text' ? `${quote(name)}::text` : quote(name)
  const type = holds === 'text' ? 'text' : 'bytea'
  const group = by === undefined ? 'null::text' : `${quote(columnOf(known, by).name)}::text`
  return `select case when ${quote(name)} is null then null
  when substring(${value} from 1 for length($1::${type})) = $1::${type} then substring(${value} from 1 for $2::int)
  else ''::${type} end as head, ${group} as by, count(*)::text as rows from ${known.name.quoted} group by 1, 2`
}

/** The last key of each of `parts` parts of about the same number of rows, without the last part's. */
export function splitsSql(known: KnownTable, parts: number): KeyedSql {
  if (!Number.isSafeInteger(parts) || parts < 1 || parts > MAX_PARTS) {
    throw new InvalidInputError('parts must be a whole number from 1 to 10,000')
  }
  const { key, order, keys } = keyColumns(known)
  const text = `select ${keys.join(', ')} from (
  select ${key}, row_number() over (order by ${order}) as at, count(*) over () as total from ${known.name.quoted}) as rows
where at < total and at * ${parts} / total > (at - 1) * ${parts} / total order by at`
  return { text, values: [], keys }
}

/** A column of the table. @throws InvalidInputError when it has none of this name */
export function columnOf({ name, description }: KnownTable, column: string): TableColumn {
  const found = description.columns.find((candidate) => candidate.name === column)
  if (found === undefined) throw new InvalidInputError(`table ${name.text} has no column ${column}`)
  return found
}

/** The key as text under names that no column has, and what rows are ordered by. */
export function keyColumns({ description }: KnownTable): { key: string; order: string; keys: string[] } {
  const columns = description.primaryKey.map(quote)
  const keys = columns.map((_, at) => `strongroom_key_${at}`)
  return {
    key: columns.map((column, at) => `${column}::text as ${keys[at]}`).join(', '),
    order: columns.join(', '),
    keys,
  }
}

function keyParameters({ description, types }: KnownTable, row: RowKey, values: unknown[]): string {
  if (row.length !== description.primaryKey.length) {
    throw new InvalidInputError(`a key has ${description.primaryKey.length} columns, received ${row.length}`)
  }
  return row
    .map((text, at) => `$${values.push(text)}::text::${types.get(description.primaryKey[at] as string)}`)
    .join(', ')
}
