import type { Attributes, Model, Optional } from 'sequelize'
import type { NewFields } from '../../src/mapping/row-types.ts'
import type { AnyRecord, FieldName, FieldValue, IdentityColumn, IndexColumn } from '../../src/records/record-types.ts'

/** The encrypted columns of an instance, as their real types. */
export type EncryptedFields<Schema extends AnyRecord> = { [Name in FieldName<Schema>]: FieldValue<Schema, Name> }

/**
 * An instance with encrypted columns, for `sequelize.define<EncryptedInstance<typeof record, Columns>>(…)`: new rows have both
 * kinds of columns, instances show both, and conditions are on the others alone. `Defaulted` are columns that new rows may leave out.
 */
export type EncryptedInstance<
  Schema extends AnyRecord,
  Columns extends object,
  Defaulted extends keyof Columns = never,
> = Model<Columns, Optional<Columns, Defaulted> & NewFields<Schema>> & Columns & EncryptedFields<Schema>

/** Which row: its id, tenant and subject. */
export type RowKey<Of, Schema extends AnyRecord> = Pick<Of, IdentityColumn<Schema> & keyof Of>

/** What a row is changed to. */
export type RowChanges<Of extends Model, Schema extends AnyRecord> = Partial<
  Omit<Attributes<Of>, FieldName<Schema> | IdentityColumn<Schema> | IndexColumn<Schema>> & EncryptedFields<Schema>
>
