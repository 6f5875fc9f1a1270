import { InvalidInputError } from '../errors.ts'
import { aliases, occurrences, type RowList, rowLists, type Span } from './column-text.ts'
import type { MappedRecord } from './mapped-record.ts'
import { escaped, sourceNames } from './source-text.ts'
import { type Backslash, endOf, sqlText, startOf } from './sql-text.ts'

export { bareName, escaped, isNamed } from './source-text.ts'

const OPERATOR = /^\s*(=|<|>|!=|~|not\b|i?like\b|in\b|between\b|is\b|similar\b|@)/i
const OPERATOR_BEFORE = /([=<>~@]|\b(like|in|to|between|distinct\s+from|between\s+\S+\s+and))\s*$/i
const CAST = /^(\s*::\s*"?\w+"?(\s+(varying|precision))?(\s*\(\d+\))?(\[\])?|\s+collate\s+\S+)+/i
const KEYWORD =
  /^(and|or|not|where|on|having|when|then|else|case|by|over|select|from|join|lateral|distinct|as|exists|is|like|between|union|all|except|intersect|materialized)$/i
const WHERE = /\bwhere\b/gi
/** Functions that calculate with the values of a column: what they give is no ciphertext, and means nothing. */
const AGGREGATE = /^(sum|avg|min|max|total|median|std\w*|var\w*|bit_\w+|mode|group_concat|string_agg|listagg)$/i
const IS_NULL = /^\s*is (not )?null\b/i
const NATURAL = /\bnatural\s+(?:(?:inner|left|right|full|outer)\s+)*join\b/i
const STAR = /(?:\bselect|\ball|\bdistinct|,|\.)\s*\*/i

/** A table of a record as the text of a query names it. */
export interface NamedTable {
  readonly record: MappedRecord
  /** The name in the database. */
  readonly table: string
  /** Database names of columns by the names in the record. */
  readonly columns: ReadonlyMap<string, string>
  /** Further names that they may have in statements, each behind the name in the record. */
  readonly spellings?: readonly (readonly [field: string, name: string])[]
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
  const { record, unquoted = false } = named
  const sql = sqlText(text, named.backslash) ?? { names: text, bare: text }
  const { names, bare } = sql
  if (NATURAL.test(bare)) {
    throw new InvalidInputError(
      `a natural join compares all columns of one name, encrypted ones of ${record.name} as well: write the columns with on or using`,
    )
  }
  const from = conditionsFrom(bare)
  if (from >= bare.length) return
  const { others } = sourceNames(sql, named.table)
  const columns = columnNames(named)
  const lists = rowLists(bare)
  const isDistinct = /^\s*select\s+distinct\s/i.test(bare) && !/"distinctAlias"|`distinctAlias`/.test(names)
  if (lists.some(({ hasPosition }) => hasPosition) && STAR.test(bare)) throw byPosition(record)
  for (const [field, name] of columns) {
    if (!record.isEncrypted(field)) continue
    const found = occurrences(sql, name, others, unquoted).filter(([start]) => start >= from)
    if (found.length === 0) continue
    assertLists(lists, found, field, record)
    const given = [...aliases(sql, found)].filter((alias) => alias !== name)
    for (const alias of given) {
      const named = occurrences(sql, alias, others, unquoted)
      assertLists(lists, named, field, record)
      const isOwn = columns.some(([, own]) => own === alias)
      if (!isOwn && named.some((span) => isCompared(bare, ...span))) throw record.compared(field)
    }
    for (const [start, end] of found) {
      if (record.showsNull(field) && IS_NULL.test(bare.slice(end))) continue
      if (isCompared(bare, start, end)) throw record.compared(field)
    }
    if (isDistinct) {
      throw new InvalidInputError(`${record.name}.${field} differs in every row, so distinct cannot merge rows`)
    }
  }
}

/** Refuses a list that has what stands at these places, or may have it by its position. */
function assertLists(lists: readonly RowList[], found: readonly Span[], field: string, record: MappedRecord): void {
  for (const { isOrder, span, hasPosition } of lists) {
    if (hasPosition) throw byPosition(record)
    if (!found.some(([start]) => start >= span[0] && start < span[1])) continue
    throw isOrder ? record.ordered(field) : record.compared(field)
  }
}

function byPosition(record: MappedRecord): InvalidInputError {
  return new InvalidInputError(
    `an order or a group by the position of a column may mean an encrypted column of ${record.name}, which is random bytes: write the name of the column`,
  )
}

/**
 * Refuses a select that gives an encrypted column, or a whole row, to a function of the database, other than `count`.
 *
 * @param builds what a mapper itself reads relations by
 * @throws InvalidInputError
 */
export function assertNotCalculated(text: string, named: NamedTable, builds: ReadonlySet<string> = new Set()): void {
  const { record, unquoted = false } = named
  const sql = sqlText(text, named.backslash) ?? { names: text, bare: text }
  const { names, bare } = sql
  const { ours, others } = sourceNames(sql, named.table)
  for (const [field, name] of columnNames(named)) {
    if (!record.isEncrypted(field)) continue
    for (const [start] of occurrences(sql, name, others, unquoted)) {
      const called = calledWith(bare, start)
      if (called !== undefined && !builds.has(called)) throw record.calculated(field)
    }
  }
  for (const name of ours) {
    const row = new RegExp(`(?<![\\w."\`])["\`]?${escaped(name)}["\`]?(?:\\s*\\.\\s*\\*|(?![\\w"\`]|\\s*\\.))`, 'gi')
    for (const { index } of names.matchAll(row)) {
      if (isSubquery(bare, startOf(bare, index)) || calledWith(bare, index) === undefined) continue
      throw new InvalidInputError(
        `a whole row of ${record.name} cannot be decrypted inside a function of the database: name its columns, outside of functions`,
      )
    }
  }
}

/** The function, other than `count`, that gets what stands at a position; undefined where it is none. */
function calledWith(bare: string, start: number): string | undefined {
  const open = startOf(bare, start)
  const called = /(\w+)\s*$/.exec(bare.slice(0, Math.max(0, open)))?.[1]?.toLowerCase()
  if (called === undefined || KEYWORD.test(called) || called === 'count') return undefined
  const isSelected = start < endOf(bare, open + 1, /\bfrom\b/gi)
  return isSubquery(bare, open) && !isSelected ? undefined : called
}

function isSubquery(bare: string, open: number): boolean {
  return /^\s*(select|with|values)\b/i.test(bare.slice(open + 1, open + 200))
}

/** The names of columns in the record, each with one that it may have in statements. */
export function columnNames({ columns, spellings = [] }: NamedTable): (readonly [field: string, name: string])[] {
  return [...columns, ...spellings]
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

/** Whether an operator stands next to an expression, or next to the calls and parentheses around it. */
function isCompared(bare: string, start: number, end: number): boolean {
  // SQLite takes a name in brackets.
  const behind = bare.slice(end).replace(/^\]/, '').replace(CAST, '')
  if (OPERATOR.test(behind) || OPERATOR_BEFORE.test(bare.slice(0, start).replace(/\[$/, ''))) return true
  if (/\(\s*distinct\s*\(?\s*$/i.test(bare.slice(0, start))) return true
  const open = startOf(bare, start)
  const close = endOf(bare, end)
  const within = bare.slice(open + 1, close)
  if (open < 0) return false
  const called = /\w+\s*$/.exec(bare.slice(0, open))
  const name = called?.[0].trim() ?? ''
  if (/^\s*(select|with|values)\b/i.test(within)) {
    if (!isSelected(bare, open, start) || /^(from|join|lateral|exists|as|materialized|union)$/i.test(name)) return false
    if (/^(all|any|some)$/i.test(name)) return OPERATOR_BEFORE.test(bare.slice(0, called?.index))
  } else if (/^(any|all|some|using)$/i.test(name)) return true
  if (/^in$/i.test(name)) return true
  if (AGGREGATE.test(name)) return true
  if (/^count$/i.test(name)) return /^\s*distinct\b/i.test(within)
  const isCall = name !== '' && !KEYWORD.test(name)
  if (!isCall && /\b(and|or)\b/i.test(within)) return false
  return isCompared(bare, isCall ? (called as RegExpExecArray).index : open, close + 1)
}

/** Whether what stands at a position is selected by the subquery whose parenthesis opens before it, so that it is what comes out. */
function isSelected(bare: string, open: number, at: number): boolean {
  const clauses = [...flat(bare.slice(open + 1, at)).matchAll(/\b(?:select|from|where|on|by|having|join|values)\b/gi)]
  return /^select$/i.test(clauses.at(-1)?.[0] ?? '')
}

/** A text without what stands in parentheses, every position as it was. */
function flat(text: string): string {
  let level = text
  for (let inner = ''; inner !== level; ) {
    inner = level
    level = level.replace(/\([^()]*\)/g, (nested) => '_'.repeat(nested.length))
  }
  return level
}

/** Refuses a limit, and anything but a select, where rows are dropped after they were read. */
export function assertFilterable(text: string, record: MappedRecord, index: string): void {
  const bare = sqlText(text)?.bare ?? text
  if (!/^[\s(]*(select|with)\b/i.test(bare) || /(?<!\bfor\s+(no\s+key\s+)?)\b(insert|update|delete)\b/i.test(bare))
    throw record.notUnique(index, 'a write could change rows that you do not search')
  if (/\b(limit|offset|fetch)\b/i.test(bare)) throw limited(record, index)
  for (const { index: at } of (sqlText(text)?.names ?? text).matchAll(new RegExp(`["\`]${escaped(index)}["\`]`, 'g'))) {
    if (isAlternative(bare, at)) throw record.notUnique(index, 'its condition stands alone or under `and`')
  }
}

/** Whether a condition is one of several under `or`, or under `not`. */
function isAlternative(bare: string, at: number): boolean {
  const open = startOf(bare, at)
  const close = endOf(bare, at)
  const level = flat(bare.slice(open + 1, close))
  const where = level.search(/\bwhere\b/i)
  if (/\bor\b/i.test(level.slice(Math.max(0, where)))) return true
  if (/\bnot\s*$/i.test(bare.slice(0, Math.max(0, open)))) return true
  return open >= 0 && where < 0 && isAlternative(bare, open)
}

/** An error for a limit where rows are dropped after they were read. */
export function limited(record: MappedRecord, index: string): InvalidInputError {
  return record.notUnique(index, 'a limit could cut off the row that you search')
}
