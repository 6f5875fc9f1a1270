import { assertArray, assertMethods } from '../../src/bytes.ts'
import type { AnyRow } from '../../src/mapping/mapped-record.ts'
import type { Query } from './database.ts'
import type { Related } from './encrypted-table.ts'
import { assertTables, decryptRelations, type RelatedTables } from './nested.ts'

/**
 * Runs a join and decrypts the tables in its rows, each of which is one property: `{ customers: …, orders: … | null }`.
 *
 * @param tables by the names that they have in the rows
 * @throws InvalidInputError, DecryptionError
 */
export async function decryptJoin<Row, Of extends RelatedTables>(
  query: Query<readonly Row[]>,
  tables: Of,
): Promise<(Omit<Row, keyof Of> & { [Name in keyof Of & keyof Row]: Related<Row[Name], Of[Name]> })[]> {
  assertMethods(query, ['toSQL', 'then'], 'the query')
  assertTables(tables)
  const { sql } = query.toSQL()
  for (const table of Object.values(tables)) table.assertReadable(sql)
  const rows: unknown = await query
  assertArray(rows, 'the rows of the query')
  return (await decryptRelations(rows as readonly AnyRow[], tables)) as never
}
