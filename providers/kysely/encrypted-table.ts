import type { ColumnType } from 'kysely'
import type { AnyRecord, FieldName, FieldValue, IdentityColumn, IndexColumn } from '../../src/records/record-types.ts'

declare const encrypted: unique symbol

/** A value read from an encrypted column: usable as the value it is, and not comparable with one in a query. */
export type Encrypted<Value> = Value extends null | undefined
  ? Value
  : Value & { readonly [encrypted]: 'search it by its index, with matching()' }

/**
 * The table of a record for Kysely's types: fields are written and read as their values, index columns are not seen.
 *
 * @typeParam Plain the other columns, identity columns among them, as Kysely has them
 */
export type EncryptedTable<
  Schema extends AnyRecord,
  Plain extends { readonly [Column in IdentityColumn<Schema>]: unknown },
> = Plain & {
  [Name in FieldName<Schema>]: ColumnType<
    Encrypted<FieldValue<Schema, Name>>,
    Optional<FieldValue<Schema, Name>>,
    FieldValue<Schema, Name>
  >
} & { [Column in IndexColumn<Schema>]: ColumnType<never, never, never> }

type Optional<Value> = null extends Value ? Value | undefined : Value
