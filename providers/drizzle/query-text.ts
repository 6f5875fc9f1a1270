import { InvalidInputError } from '../../src/errors.ts'
import type { MappedRecord } from '../../src/mapping/mapped-record.ts'

/** A query of Drizzle before it runs. */
export interface Query<Rows> extends PromiseLike<Rows> {
  toSQL(): { readonly sql: string }
}

const OPERATOR = /^\s*(=|<|>|!=|~|not\b|i?like\b|in\b|between\b|is\b|similar\b|@)/i
const IS_NULL = /^\s*is (not )?null\b/i

/**
 * Refuses a query that compares, groups or orders by an encrypted column: what Drizzle lets through because such a column is
 * one like any other to it. Reads the text, in which names are quoted.
 *
 * @param names database names of columns by the names in the record
 * @throws InvalidInputError
 */
export function assertReadable(text: string, record: MappedRecord, names: ReadonlyMap<string, string>): void {
  // What an insert or update sets is checked value by value.
  const conditions = /^\s*(\(|select|with)/i.test(text) ? text : text.slice(Math.max(0, text.lastIndexOf(' where ')))
  for (const [field, name] of names) {
    if (!record.isEncrypted(field)) continue
    const quoted = new RegExp(`["\`]${escaped(name)}["\`]`, 'g')
    for (const clause of conditions.matchAll(/\b(order|group) by ([^)]*?)(?= limit | offset | for |\)|$)/gi)) {
      if (quoted.test(clause[2] as string)) throw clause[1] === 'order' ? record.ordered(field) : record.compared(field)
    }
    for (const found of conditions.matchAll(quoted)) {
      const behind = conditions.slice(found.index + found[0].length)
      if (record.showsNull(field) && IS_NULL.test(behind)) continue
      if (OPERATOR.test(behind)) throw record.compared(field)
    }
    if (/^\s*select distinct /i.test(text) && quoted.test(text)) {
      throw new InvalidInputError(`${record.name}.${field} differs in every row, so distinct cannot merge rows`)
    }
  }
}

/** Refuses a limit where rows are dropped after they were read. */
export function assertWithoutLimit(text: string, record: MappedRecord, index: string): void {
  if (/ (limit|offset|fetch) /i.test(text))
    throw record.notUnique(index, 'a limit could cut off the row that you search')
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
