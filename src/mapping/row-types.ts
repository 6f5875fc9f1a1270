import type { AnyRecord, FieldName, FieldValue } from '../records/record-types.ts'

/** The fields of a row to insert: those that may be null may also be left out. */
export type NewFields<Schema extends AnyRecord> = {
  readonly [Name in FieldName<Schema> as null extends FieldValue<Schema, Name> ? never : Name]: FieldValue<Schema, Name>
} & {
  readonly [Name in FieldName<Schema> as null extends FieldValue<Schema, Name> ? Name : never]?: FieldValue<
    Schema,
    Name
  >
}
