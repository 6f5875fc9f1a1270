import type { Table } from 'drizzle-orm'
import { InvalidInputError } from '../../src/errors.ts'
import type { AnyRow } from '../../src/mapping/mapped-record.ts'
import type { AnyRecord, DecryptedRow } from '../../src/records/record-types.ts'
import type { Query } from './database.ts'
import type { EncryptedTable } from './encrypted-table.ts'

/** The encrypted table of any record. */
export interface AnyEncryptedTable {
  assertReadable(sql: string): void
  assertQuery(sql: string, parameters: readonly unknown[]): void
  decryptRows(rows: readonly AnyRow[]): Promise<AnyRow[]>
}

type Relations = Readonly<Record<string, AnyEncryptedTable>>

/** A row of which the relations are decrypted as well. */
export type NestedRow<Schema extends AnyRecord, Row, Of extends Relations> = Omit<
  DecryptedRow<Schema, Row>,
  keyof Of
> & {
  [Name in keyof Of & keyof Row]: Related<Row[Name], Of[Name]>
}

type Related<Value, Of> =
  Of extends EncryptedTable<Table, infer Schema>
    ? Value extends readonly (infer Row)[]
      ? DecryptedRow<Schema, Row>[]
      : Value extends null
        ? null
        : DecryptedRow<Schema, Value>
    : never

/**
 * Runs a join and decrypts the tables in its rows, each of which is one property: `{ customers: …, orders: … | null }`.
 *
 * @param tables by the names that they have in the rows
 * @throws InvalidInputError, DecryptionError
 */
export async function decryptJoin<Row, Of extends Relations>(
  query: Query<readonly Row[]>,
  tables: Of,
): Promise<(Omit<Row, keyof Of> & { [Name in keyof Of & keyof Row]: Related<Row[Name], Of[Name]> })[]> {
  const { sql } = query.toSQL()
  for (const table of Object.values(tables)) table.assertReadable(sql)
  const rows = (await query) as readonly AnyRow[]
  return (await decryptRelations(rows, tables)) as never
}

/** Decrypts rows and what is in their relations. */
export async function decryptNested(
  rows: readonly AnyRow[],
  table: AnyEncryptedTable,
  relations: Relations,
): Promise<AnyRow[]> {
  const related = await decryptRelations(rows, relations)
  return table.decryptRows(related)
}

async function decryptRelations(rows: readonly AnyRow[], relations: Relations): Promise<AnyRow[]> {
  const out = rows.map((row): Record<string, unknown> => ({ ...row }))
  for (const [name, table] of Object.entries(relations)) {
    const missing = out.some((row) => row[name] === undefined)
    if (missing) throw new InvalidInputError(`the rows have no property ${name}`)
    const lists = out.map((row) => listed(row[name]))
    const plain = await table.decryptRows(lists.flat())
    let at = 0
    for (const [index, row] of out.entries()) {
      const count = (lists[index] as AnyRow[]).length
      const own = plain.slice(at, at + count)
      at += count
      row[name] = Array.isArray(row[name]) ? own : (own[0] ?? null)
    }
  }
  return out
}

function listed(value: unknown): AnyRow[] {
  if (value === null) return []
  return Array.isArray(value) ? value : [value as AnyRow]
}
