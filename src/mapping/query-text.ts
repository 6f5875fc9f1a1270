import { InvalidInputError } from '../errors.ts'
import type { MappedRecord } from './mapped-record.ts'
import { type Backslash, endOf, type SqlText, sqlText, startOf } from './sql-text.ts'

const OPERATOR = /^\s*(=|<|>|!=|~|not\b|i?like\b|in\b|between\b|is\b|similar\b|@)/i
const OPERATOR_BEFORE = /([=<>~@]|\b(like|in|to|between|distinct\s+from|between\s+\S+\s+and))\s*$/i
const CAST = /^(\s*::\s*"?\w+"?(\s+(varying|precision))?(\s*\(\d+\))?(\[\])?|\s+collate\s+\S+)+/i
const KEYWORD =
  /^(and|or|not|where|on|having|when|then|else|case|by|over|select|from|join|distinct|as|exists|is|like|between)$/i
const LIST_ENDS = /;|\b(?:limit|offset|fetch|for|having|window|union|order|rows|range|groups|returning)\b/gi
const WHERE = /\bwhere\b/gi
/** Functions that calculate with the values of a column: what they give is no ciphertext, and means nothing. */
const AGGREGATE = /^(sum|avg|min|max|total|median|std\w*|var\w*|bit_\w+|mode|group_concat|string_agg|listagg)$/i
const IS_NULL = /^\s*is (not )?null\b/i
const NAME = '(?:"[^"]+"|`[^`]+`|\\w+)'
const NO_ALIAS =
  'where|on|using|set|values|left|right|inner|outer|full|cross|natural|join|order|group|limit|having|union|for|returning|select|default'
const SOURCE = new RegExp(
  `\\b(?:from|join|update|into)\\s+(?:${NAME}\\.)*(${NAME})(?:\\s+(?:as\\s+)?(?!(?:${NO_ALIAS})\\b)(${NAME}))?`,
  'gi',
)

/** A table of a record as the text of a query names it. */
export interface NamedTable {
  readonly record: MappedRecord
  /** The name in the database. */
  readonly table: string
  /** Database names of columns by the names in the record. */
  readonly columns: ReadonlyMap<string, string>
  /** What a backslash in a literal is, where the database is known. */
  readonly backslash?: Backslash
  /** Whether statements may also name columns without quotes: those of an application may. */
  readonly unquoted?: boolean
}

/**
 * Refuses a query that compares, groups or orders by an encrypted column: what a mapper lets through because such a column
 * is one like any other to it. Reads the text, in which names are quoted unless `unquoted` says otherwise.
 *
 * @throws InvalidInputError
 */
export function assertReadable(text: string, named: NamedTable): void {
  const { record, columns } = named
  const { names, bare } = sqlText(text, named.backslash) ?? { names: text, bare: text }
  const from = conditionsFrom(bare)
  if (from >= bare.length) return
  const others = otherAliases(names, named.table)
  for (const [field, name] of columns) {
    if (!record.isEncrypted(field)) continue
    const found = occurrences({ names, bare }, name, others, named).filter(([start]) => start >= from)
    for (const { index, 0: words } of bare.matchAll(/\b(?:order|group|partition)\s+by\b/gi)) {
      const end = endOf(bare, index + words.length, LIST_ENDS)
      if (!found.some(([start]) => start > index && start < end)) continue
      throw /^order/i.test(words) ? record.ordered(field) : record.compared(field)
    }
    for (const [start, end] of found) {
      if (record.showsNull(field) && IS_NULL.test(bare.slice(end))) continue
      if (isCompared(bare, start, end)) throw record.compared(field)
    }
    const isDistinct = /^\s*select\s+distinct\s/i.test(bare) && !/"distinctAlias"|`distinctAlias`/.test(names)
    if (isDistinct && found.length > 0) {
      throw new InvalidInputError(`${record.name}.${field} differs in every row, so distinct cannot merge rows`)
    }
  }
}

/**
 * Refuses a select that gives an encrypted column to a function of the database, other than `count`.
 *
 * @throws InvalidInputError
 */
export function assertNotCalculated(text: string, named: NamedTable): void {
  const { record, columns } = named
  const { names, bare } = sqlText(text, named.backslash) ?? { names: text, bare: text }
  const others = otherAliases(names, named.table)
  for (const [field, name] of columns) {
    if (!record.isEncrypted(field)) continue
    for (const [start] of occurrences({ names, bare }, name, others, named)) {
      const called = /(\w+)\s*$/.exec(bare.slice(0, Math.max(0, startOf(bare, start))))?.[1] ?? 'count'
      if (!KEYWORD.test(called) && !/^count$/i.test(called)) throw record.calculated(field)
    }
  }
}

/** Where the part of a statement starts that chooses rows: what an insert or update sets is checked value by value. */
function conditionsFrom(bare: string): number {
  if (/^\s*(\(|select|with)/i.test(bare)) return 0
  let from = endOf(bare, 0, WHERE)
  // An insert may have one for the index of its conflict, before what it sets.
  while (/^\s*insert\b/i.test(bare)) {
    const next = endOf(bare, from + 1, WHERE)
    if (next >= bare.length) break
    from = next
  }
  return from
}

/** Where a column is named, unless it is that of another table. */
function occurrences(
  { names, bare }: Pick<SqlText, 'names' | 'bare'>,
  name: string,
  others: ReadonlySet<string>,
  { unquoted = false }: NamedTable,
): (readonly [number, number])[] {
  const pattern = `(?:(?:(?:["\`][^"\`]+["\`]|\\b\\w+)\\.)*(?:["\`]([^"\`]+)["\`]|\\b\\w+)\\.)?["\`]${escaped(name)}["\`]`
  const quoted = [...names.matchAll(new RegExp(pattern, 'g'))]
  const word = `(?:(?:${NAME}\\.)*(?:["\`]([^"\`]+)["\`]|\\b(\\w+))\\.|(?<![\\w.$:@"\`]))${escaped(name)}(?![\\w"\`.]|\\s*\\()`
  const words = unquoted ? [...names.matchAll(new RegExp(word, 'gi'))] : []
  const isQuoted = (end: number) => bare.slice(end - name.length, end) !== names.slice(end - name.length, end)
  return [...quoted, ...words.filter((found) => !isQuoted(found.index + found[0].length))]
    .filter((found) => !others.has(found[1] ?? found[2] ?? ''))
    .map((found) => [found.index, found.index + found[0].length] as const)
}

/** Whether an operator stands next to an expression, or next to the calls and parentheses around it. */
function isCompared(bare: string, start: number, end: number): boolean {
  const behind = bare.slice(end).replace(CAST, '')
  if (OPERATOR.test(behind) || OPERATOR_BEFORE.test(bare.slice(0, start))) return true
  if (/\(\s*distinct\s*\(?\s*$/i.test(bare.slice(0, start))) return true
  const open = startOf(bare, start)
  const close = endOf(bare, end)
  const within = bare.slice(open + 1, close)
  if (open < 0 || /^\s*(select|with|values)\b/i.test(within)) return false
  const called = /\w+\s*$/.exec(bare.slice(0, open))
  const name = called?.[0].trim() ?? ''
  if (/^(in|any|all|some|using)$/i.test(name)) return true
  if (AGGREGATE.test(name)) return true
  if (/^count$/i.test(name)) return /^\s*distinct\b/i.test(within)
  const isCall = name !== '' && !KEYWORD.test(name)
  if (!isCall && /\b(and|or)\b/i.test(within)) return false
  return isCompared(bare, isCall ? (called as RegExpExecArray).index : open, close + 1)
}

/** The aliases and tables of a query that are not the table's. */
function otherAliases(text: string, table: string): Set<string> {
  const others = new Set<string>()
  for (const [, name, alias] of text.matchAll(SOURCE)) {
    const source = bareName(name as string)
    if (source !== table) others.add(alias === undefined ? source : bareName(alias))
  }
  others.delete(table)
  return others
}

/** Refuses a limit, and anything but a select, where rows are dropped after they were read. */
export function assertFilterable(text: string, record: MappedRecord, index: string): void {
  const bare = sqlText(text)?.bare ?? text
  if (!/^[\s(]*(select|with)\b/i.test(bare) || /(?<!\bfor\s+(no\s+key\s+)?)\b(insert|update|delete)\b/i.test(bare))
    throw record.notUnique(index, 'a write could change rows that you do not search')
  if (/\b(limit|offset|fetch)\b/i.test(bare)) throw limited(record, index)
}

/** An error for a limit where rows are dropped after they were read. */
export function limited(record: MappedRecord, index: string): InvalidInputError {
  return record.notUnique(index, 'a limit could cut off the row that you search')
}

/** Whether a text has the name of the table, in whatever spelling. */
export function isNamed(text: string, { table }: Pick<NamedTable, 'table'>): boolean {
  return new RegExp(`(?<!\\w)["\`]?${escaped(table)}["\`]?(?!\\w)`, 'i').test(text)
}

/** A name without its quotes. */
export function bareName(name: string): string {
  return name.replace(/^["`]|["`]$/g, '')
}

export function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
