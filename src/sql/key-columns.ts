import { InvalidInputError } from '../errors.ts'
import type { RowKey } from '../row-key.ts'
import type { TableDescription } from '../table.ts'

const MAX_PARTS = 10_000

/** The key of a table in a statement: as text under names that no column has, and what rows are ordered by. */
export interface KeyColumns {
  readonly key: string
  readonly order: string
  readonly keys: readonly string[]
}

/** A statement, its values, and the names under which it returns the key. */
export interface KeyedSql {
  readonly sql: string
  readonly values: unknown[]
  readonly keys: readonly string[]
}

/**
 * Selects the last key of each of `parts` parts of about the same number of rows, without the last part's.
 *
 * @param from the table, under the name that `key` and `order` have for it
 * @param divide the operator that divides whole numbers
 * @throws InvalidInputError
 */
export function splitsSql({ key, order, keys }: KeyColumns, from: string, parts: number, divide: '/' | 'div'): string {
  if (!Number.isSafeInteger(parts) || parts < 1 || parts > MAX_PARTS) {
    throw new InvalidInputError('parts must be a whole number from 1 to 10,000')
  }
  return `select ${keys.join(', ')} from (
  select ${key}, row_number() over (order by ${order}) as at, count(*) over () as total from ${from}) as numbered
where at < total and at * ${parts} ${divide} total > (at - 1) * ${parts} ${divide} total order by at`
}

/** Whether a text is a UUID, whose digits may be in either case and are the same id. */
export function looksLikeUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}

/** Names under which a statement returns the columns of the key, and which no column has. */
export function keyAliases({ description }: { readonly description: TableDescription }): string[] {
  return description.primaryKey.map((_, at) => `strongroom_key_${at}`)
}

/** @throws InvalidInputError when a key has another number of columns than that of the table */
export function assertKey({ description }: { readonly description: TableDescription }, key: RowKey): void {
  if (key.length !== description.primaryKey.length) {
    throw new InvalidInputError(`a key has ${description.primaryKey.length} columns, received ${key.length}`)
  }
}
