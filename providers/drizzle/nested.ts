import { assertMethods, assertObject } from '../../src/bytes.ts'
import { InvalidInputError } from '../../src/errors.ts'
import type { AnyRow } from '../../src/mapping/mapped-record.ts'

/** The encrypted table of any record. */
export interface AnyEncryptedTable {
  assertReadable(sql: string): void
  assertQuery(sql: string, parameters: readonly unknown[]): void
  decryptRows(rows: readonly AnyRow[]): Promise<AnyRow[]>
}

/** The tables of relations, by the names that they have in the rows. */
export type RelatedTables = Readonly<Record<string, AnyEncryptedTable>>

/** Refuses what is no object of encrypted tables. @throws InvalidInputError */
export function assertTables(tables: unknown): asserts tables is RelatedTables {
  assertObject(tables, 'the tables')
  for (const table of Object.values(tables)) {
    assertMethods(table, ['assertReadable', 'decryptRows'], 'a table, made with encryptedTable,')
  }
}

/** Decrypts rows and what is in their relations. */
export async function decryptNested(
  rows: readonly AnyRow[],
  table: AnyEncryptedTable,
  relations: RelatedTables,
): Promise<AnyRow[]> {
  const related = await decryptRelations(rows, relations)
  return table.decryptRows(related)
}

/** Decrypts what is in the relations of rows. @throws InvalidInputError when a row lacks one; DecryptionError */
export async function decryptRelations(rows: readonly AnyRow[], relations: RelatedTables): Promise<AnyRow[]> {
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
