import { InvalidInputError } from '../../src/errors.ts'
import type { RowKey } from '../../src/row-key.ts'
import { assertKey, type KeyColumns, type KeyedSql, keyAliases, looksLikeUuid } from '../../src/sql/key-columns.ts'
import { assertPageLimit, columnOf, headColumn, splitRows } from '../../src/sql/table-checks.ts'
import type { Cell, HeadQuery, PageQuery, TableRow } from '../../src/table.ts'
import type { CellText } from './cell-text.ts'
import type { KeyType } from './key-types.ts'
import type { KnownTable } from './table-description.ts'
import { quote } from './table-name.ts'

/** A page in the order of the primary key. */
export function pageSql(known: KnownTable, query: PageQuery): KeyedSql {
  const { columns, texts = [], after, until, equals = {}, limit } = query
  assertPageLimit(limit)
  const { key, order, keys } = keyColumns(known)
  const wanted = columns.filter((column) => !texts.includes(column)).map((column) => cellOf(known, column))
  const asText = texts.map((column) => `${cellTextOf(known, column).bytesOf(`t.${quote(column)}`)} as ${quote(column)}`)
  const values: unknown[] = []
  const conditions = [after && bound(known, '>', after, values), until && bound(known, '<', until, values)]
  const equal = Object.entries(equals).flatMap(([column, text]) => equalTo(known, column, text, values))
  const where = [...conditions, ...equal].filter((condition) => condition !== undefined)
  const sql = `select ${[key, ...wanted, ...asText].join(', ')} from ${known.name.quoted} as t${equal.length === 0 ? ' force index (primary)' : ''}
${where.length === 0 ? '' : `where ${where.join(' and ')} `}order by ${order} limit ${limit}`
  return { sql, values, keys }
}

/** The rows of a page, with the columns that were asked for as texts. */
export function pageRows(
  known: KnownTable,
  { texts = [] }: PageQuery,
  rows: readonly Readonly<Record<string, unknown>>[],
  keys: readonly string[],
): TableRow[] {
  const readers = texts.map((column) => [column, cellTextOf(known, column)] as const)
  return splitRows(rows, keys).map(({ key, values }) => {
    const read: Record<string, Cell> = { ...values }
    for (const [column, text] of readers) {
      const bytes = values[column] as Uint8Array | null
      read[column] = bytes === null ? null : text.read(bytes)
    }
    return { key, values: read }
  })
}

/** How the text of a column travels. @throws InvalidInputError where it has none that loses nothing */
export function cellTextOf(known: KnownTable, column: string): CellText {
  const { name, noText } = columnOf(known, column)
  const text = known.texts.get(name)
  if (text === undefined) throw new InvalidInputError(`${known.name.text}.${name} ${noText}`)
  return text
}

/** Counts by the first characters or bytes. The server groups bytes: a collation would take different heads for one. */
export function headsSql(known: KnownTable, query: HeadQuery): { sql: string; values: unknown[] } {
  const { name, holds } = headColumn(known, query)
  const { prefix, length, by } = query
  const column = `t.${quote(name)}`
  const begin = Buffer.from(prefix)
  const whole = holds === 'text' ? `convert(${column} using utf8mb4)` : column
  const head = `cast(left(${whole}, ${length}) as binary)`
  const begins = `cast(left(${whole}, ${holds === 'text' ? [...String(prefix)].length : begin.byteLength}) as binary) = ?`
  const group = by === undefined ? 'null' : `cast(${groupOf(known, by)} as binary)`
  const sql = `select h.head as head, h.by_there as by_there, cast(count(*) as char) as rows_there from (
  select case when ${column} is null then null when ${begins} then ${head} else cast('' as binary) end as head, ${group} as by_there
  from ${known.name.quoted} as t) as h group by h.head, h.by_there`
  return { sql, values: [begin] }
}

/** A column as text for people, of any type, in `utf8mb4`. */
function textOf(known: KnownTable, name: string): string {
  const { holds, type } = columnOf(known, name)
  const column = `t.${quote(name)}`
  if (holds === 'bytes' || /^binary\b/.test(type)) return `hex(${column})`
  return holds === 'text' ? `convert(${column} using utf8mb4)` : `cast(${column} as char character set utf8mb4)`
}

/** A column as the text that rows are identified by: that of bytes is lower-case hexadecimal. */
function groupOf(known: KnownTable, name: string): string {
  const { holds, type } = columnOf(known, name)
  return holds === 'bytes' || /^binary\b/.test(type) ? `lower(hex(t.${quote(name)}))` : textOf(known, name)
}

/** The key as text under names that no column has, and what rows are ordered by. */
export function keyColumns(known: KnownTable): KeyColumns {
  const columns = known.description.primaryKey.map((column) => `t.${quote(column)}`)
  const keys = keyAliases(known)
  return {
    key: columns.map((column, at) => `${(known.keyTypes[at] as KeyType).textOf(column)} as ${keys[at]}`).join(', '),
    order: columns.join(', '),
    keys,
  }
}

/** Text, bytes, and everything else as text: no type of a driver is relied on. */
function cellOf(known: KnownTable, name: string): string {
  const { holds } = columnOf(known, name)
  return holds === 'bytes' ? `t.${quote(name)}` : `${textOf(known, name)} as ${quote(name)}`
}

/**
 * Behind a key, or up to and with one, written out column by column: of `(a, b) > (1, 2)` MySQL would read the whole table. The
 * first condition, which follows from the others, is the range of the index.
 */
function bound(known: KnownTable, operator: '>' | '<', key: RowKey, values: unknown[]): string {
  assertKey(known, key)
  const columns = known.description.primaryKey.map((column) => `t.${quote(column)}`)
  const value = (at: number) => {
    values.push(key[at])
    return (known.keyTypes[at] as KeyType).valueOf('?')
  }
  const from = (at: number): string => {
    const isLast = at === columns.length - 1
    if (isLast) return `${columns[at]} ${operator === '<' ? '<=' : '>'} ${value(at)}`
    return `(${columns[at]} ${operator} ${value(at)} or (${columns[at]} = ${value(at)} and ${from(at + 1)}))`
  }
  return columns.length === 1 ? from(0) : `${columns[0]} ${operator}= ${value(0)} and ${from(0)}`
}

/**
 * Rows whose column holds a value, and maybe others. Bytes have another text elsewhere than here, so that they tell nothing; UUIDs
 * are the same in either case.
 */
function equalTo(known: KnownTable, name: string, text: string, values: unknown[]): string[] {
  const { holds, type } = columnOf(known, name)
  const of = known.types.get(name)
  if (of === undefined || holds === 'bytes' || /^binary\b/.test(type)) return []
  values.push(text)
  const column = `t.${quote(name)}`
  const minds = holds === 'text' && /_(bin|cs)$/.test(type) && looksLikeUuid(text)
  return [minds ? `lower(${of.textOf(column)}) = lower(?)` : `${column} = ${of.valueOf('?')}`]
}
