import type { Expression, ExpressionBuilder, Kysely, SqlBool, Transaction } from 'kysely'
import { assertMethods, assertObject } from '../../src/bytes.ts'
import { InvalidInputError } from '../../src/errors.ts'
import { type AnyCipher, MappedRecord } from '../../src/mapping/mapped-record.ts'
import type { RecordCipher } from '../../src/records/record-cipher.ts'
import type { AnyRecord, DecryptedRow, FieldName, FieldValue, Identity } from '../../src/records/record-types.ts'

/**
 * Decrypts rows of SQL of your own, run on `db.withoutPlugins()`. They need the identity columns of the record, and columns
 * by the names that they have there.
 *
 * @throws DecryptionError; what loading keys throws
 */
export function decryptRows<Schema extends AnyRecord, Row extends Identity<Schema>>(
  cipher: RecordCipher<Schema>,
  rows: readonly Row[],
): Promise<DecryptedRow<Schema, Row>[]> {
  assertMethods(cipher, ['decryptMany'], 'cipher')
  return cipher.decryptMany(rows)
}

/** What an update sets in every row: fields as their values, other columns as they are. */
export type RowChanges<Schema extends AnyRecord> = {
  readonly [Name in FieldName<Schema>]?: FieldValue<Schema, Name>
} & { readonly [column: string]: unknown }

/** The tables of a Kysely or a transaction. */
type DatabaseOf<Db> = Db extends Transaction<infer DB> ? DB : Db extends Kysely<infer DB> ? DB : never

/**
 * Updates encrypted columns in many rows, which no single statement can do: values are bound to their rows. Reads the ids
 * and updates row by row; a row that no longer meets `where` when its turn comes is left alone. Pass a transaction as `db`
 * to have all rows or none.
 *
 * @param db with the plugin
 * @param cipher of the record, whose name is that of the table
 * @param where as in `db.selectFrom(table).where(where)`; it must not be a search by an index that is not unique
 * @returns how many rows were changed
 * @throws InvalidInputError for a change that is refused; KeyNotResidentError as every write does
 */
export async function updateEach<Db extends { readonly isTransaction: boolean }, Schema extends AnyRecord>(
  db: Db,
  cipher: AnyCipher & { readonly schema: Schema },
  where: (eb: ExpressionBuilder<DatabaseOf<Db>, Schema['name'] & keyof DatabaseOf<Db>>) => Expression<SqlBool>,
  changes: RowChanges<Schema>,
): Promise<number> {
  const record = new MappedRecord(cipher)
  assertObject(changes, 'the changes')
  if (Object.values(changes).every((value) => value === undefined))
    throw new InvalidInputError('an update must change something')
  const loose = db as unknown as Kysely<Record<string, Record<string, unknown>>>
  const condition = where as unknown as (eb: unknown) => Expression<SqlBool>
  const rows = await loose
    .selectFrom(record.name)
    .select([...record.identity])
    .where(condition)
    .execute()
  let count = 0
  for (const row of rows) {
    let query = loose.updateTable(record.name).set(changes).where(condition)
    for (const column of record.identity) query = query.where(column, '=', row[column] as never)
    const { numUpdatedRows } = await query.executeTakeFirst()
    count += Number(numUpdatedRows)
  }
  return count
}
