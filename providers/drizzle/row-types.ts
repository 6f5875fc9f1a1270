import type { InferInsertModel, Table } from 'drizzle-orm'
import type { NewFields } from '../../src/mapping/row-types.ts'
import type { AnyRecord, FieldName, FieldValue, IdentityColumn, IndexColumn } from '../../src/records/record-types.ts'

/** A row to insert: fields as their values, identity included, other columns as the table has them. */
export type NewRow<Of extends Table, Schema extends AnyRecord> = Omit<
  InferInsertModel<Of>,
  FieldName<Schema> | IndexColumn<Schema>
> &
  NewFields<Schema>

/** Which row: its id, tenant and subject. */
export type RowKey<Of extends Table, Schema extends AnyRecord> = Pick<
  InferInsertModel<Of>,
  IdentityColumn<Schema> & keyof InferInsertModel<Of>
>

/** What a row is changed to. */
export type RowChanges<Of extends Table, Schema extends AnyRecord> = Partial<
  Omit<InferInsertModel<Of>, FieldName<Schema> | IndexColumn<Schema> | IdentityColumn<Schema>> & {
    readonly [Name in FieldName<Schema>]: FieldValue<Schema, Name>
  }
>
