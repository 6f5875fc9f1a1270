import type { AnyRecord, FieldName, FieldValue, IndexColumn, Simplify } from '../../src/records/record-types.ts'

type StorageOf<Schema extends AnyRecord, Name extends FieldName<Schema>> = Schema['fields'][Name]['options'] extends {
  readonly storage: infer Storage
}
  ? Storage
  : Schema['options'] extends { readonly storage: infer Storage }
    ? Storage
    : 'text'

/** What the Prisma schema says that a column holds: `String`, or `Bytes` where it is binary. */
type Column<Schema extends AnyRecord, Name extends FieldName<Schema>> =
  StorageOf<Schema, Name> extends 'binary' ? Uint8Array<ArrayBuffer> : string

type Held<Schema extends AnyRecord, Name extends FieldName<Schema>> =
  | Column<Schema, Name>
  | (Schema['fields'][Name]['options'] extends { readonly nullable: 'visible' } ? null : never)

type TagColumn<Schema extends AnyRecord> = Schema['options'] extends { readonly storage: 'binary' }
  ? Uint8Array<ArrayBuffer>
  : string

/** The same row with the types of the Prisma schema, and with the index columns, which the extension fills. */
export type PrismaRow<Schema extends AnyRecord, Row> = Simplify<
  {
    [Name in keyof Row]: Name extends FieldName<Schema> ? Held<Schema, Name> : Row[Name]
  } & { [Column in IndexColumn<Schema>]: TagColumn<Schema> }
>

type Checked<Schema extends AnyRecord, Row> = {
  readonly [Name in keyof Row]: Name extends FieldName<Schema>
    ? FieldValue<Schema, Name>
    : Name extends IndexColumn<Schema>
      ? never
      : unknown
}

/**
 * Gives values to Prisma in their real types, where its types only know the column: `data: prismaRow(users, { birthDate })`.
 * Nothing happens at run time; the type checker holds each value against the record. For `data` and for `where`. To the type
 * checker alone it has the index columns as well, which Prisma's types of new rows want and the extension fills.
 *
 * @param _schema the record of the model
 * @param row any part of a row
 */
export function prismaRow<Schema extends AnyRecord, Row extends object>(
  _schema: Schema,
  row: Row & Checked<Schema, Row>,
): PrismaRow<Schema, Row> {
  return row as unknown as PrismaRow<Schema, Row>
}
