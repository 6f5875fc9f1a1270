import { InvalidInputError } from '../errors.ts'
import type { MappedRecord } from './mapped-record.ts'

const OPERATOR = /^\s*(=|<|>|!=|~|not\b|i?like\b|in\b|between\b|is\b|similar\b|@)/i
const IS_NULL = /^\s*is (not )?null\b/i

/** A table of a record as the text of a query names it. */
export interface NamedTable {
  readonly record: MappedRecord
  /** The name in the database. */
  readonly table: string
  /** Database names of columns by the names in the record. */
  readonly columns: ReadonlyMap<string, string>
}

/**
 * Refuses a query that compares, groups or orders by an encrypted column: what a mapper lets through because such a column
 * is one like any other to it. Reads the text, in which names are quoted.
 *
 * @throws InvalidInputError
 */
export function assertReadable(text: string, named: NamedTable): void {
  const { record, columns } = named
  // What an insert or update sets is checked value by value.
  const last = text.search(/ where (?!.* where )/is)
  const conditions = /^\s*(\(|select|with)/i.test(text) ? text : last < 0 ? '' : text.slice(last)
  const others = otherAliases(text, named.table)
  for (const [field, name] of columns) {
    if (!record.isEncrypted(field)) continue
    const found = (within: string) => occurrences(within, name, others)
    for (const clause of conditions.matchAll(/\b(order|group) by ([^)]*?)(?= limit | offset | for |\)|$)/gi)) {
      if (found(clause[2] as string).length === 0) continue
      throw clause[1]?.toLowerCase() === 'order' ? record.ordered(field) : record.compared(field)
    }
    for (const behind of found(conditions)) {
      if (record.showsNull(field) && IS_NULL.test(behind)) continue
      if (OPERATOR.test(behind)) throw record.compared(field)
    }
    if (/^\s*select distinct /i.test(text) && found(text).length > 0 && !/"distinctAlias"|`distinctAlias`/.test(text)) {
      throw new InvalidInputError(`${record.name}.${field} differs in every row, so distinct cannot merge rows`)
    }
  }
}

/** What stands behind each place where a column is named, unless it is that of another table. */
function occurrences(text: string, name: string, others: ReadonlySet<string>): string[] {
  const pattern = new RegExp(`(?:["\`]([^"\`]+)["\`]\\.)?["\`]${escaped(name)}["\`]`, 'g')
  return [...text.matchAll(pattern)]
    .filter((found) => !others.has(found[1] ?? ''))
    .map((found) => text.slice(found.index + found[0].length))
}

/** The aliases and tables of a query that are not the table's. */
function otherAliases(text: string, table: string): Set<string> {
  const others = new Set<string>()
  for (const [, name, alias] of text.matchAll(
    /\b(?:from|join|update|into) ["`]([^"`]+)["`](?: (?:as )?["`]([^"`]+)["`])?/gi,
  )) {
    if (name !== table) others.add(alias ?? (name as string))
  }
  others.delete(table)
  return others
}

/** Refuses a limit where rows are dropped after they were read. */
export function assertWithoutLimit(text: string, record: MappedRecord, index: string): void {
  if (/ (limit|offset|fetch) /i.test(text))
    throw record.notUnique(index, 'a limit could cut off the row that you search')
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
