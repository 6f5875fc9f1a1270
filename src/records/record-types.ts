import type { Field, FieldOptions, IndexOptions } from './field.ts'
import type { RecordOptions, RecordSchema } from './schema.ts'

declare const ciphertext: unique symbol
declare const blindIndex: unique symbol

/** An encrypted value as text, `sr1_…`. Any driver takes it as the string it is. */
export type CiphertextText = string & { readonly [ciphertext]: true }
/** An encrypted value as bytes. */
export type CiphertextBytes = Uint8Array & { readonly [ciphertext]: true }
/** An encrypted value. */
export type Ciphertext = CiphertextText | CiphertextBytes

/** The tag of a blind index, as hexadecimal text. */
export type BlindIndexText = string & { readonly [blindIndex]: true }
/** The tag of a blind index, as bytes. */
export type BlindIndexBytes = Uint8Array & { readonly [blindIndex]: true }
/** The tag of a blind index. */
export type BlindIndex = BlindIndexText | BlindIndexBytes

/** What can stand in an id, tenant or subject column. A number and its decimal text are the same id. */
export type RowId = string | number | bigint

/** Shows a type as one flat object. */
export type Simplify<Type> = { [Key in keyof Type]: Type[Key] } & {}

/** Any record. */
export type AnyRecord = RecordSchema<string, Record<string, Field>, RecordOptions>

/** The names of a record's fields. */
export type FieldName<Schema extends AnyRecord> = keyof Schema['fields'] & string

/** The value of a field. */
export type FieldValue<Schema extends AnyRecord, Name extends FieldName<Schema>> =
  Schema['fields'][Name] extends Field<infer Value, FieldOptions> ? Value : never

type Listed<Value> = Value extends readonly (infer Item)[] ? Item : Value
type IdColumn<Schema extends AnyRecord> = Listed<Schema['options']['id']> & string
type NamedColumn<
  Schema extends AnyRecord,
  Option extends 'tenant' | 'subject',
> = Schema['options'][Option] extends infer Name extends string ? Name : never

/** The columns that say which row it is, which every row given to Strongroom must have. */
export type IdentityColumn<Schema extends AnyRecord> =
  | (Schema['options']['unbound'] extends true ? never : IdColumn<Schema>)
  | NamedColumn<Schema, 'tenant'>
  | NamedColumn<Schema, 'subject'>

/** The identity part of a row. */
export type Identity<Schema extends AnyRecord> = { readonly [Column in IdentityColumn<Schema>]: RowId }

/** A row as the application has it. Every field may be left out: only those given are encrypted. */
export type PlainRow<Schema extends AnyRecord> = Simplify<
  Identity<Schema> & { readonly [Name in FieldName<Schema>]?: FieldValue<Schema, Name> }
>

/** The whole row of a record: every field, and its identity. */
export type InferRow<Schema extends AnyRecord> = Simplify<
  Identity<Schema> & { readonly [Name in FieldName<Schema>]: FieldValue<Schema, Name> }
>

type IndexColumnsOf<Options> = Options extends { readonly index: infer Index }
  ? Listed<Index> extends IndexOptions<infer Column>
    ? Column
    : never
  : never

/** The columns that a field's indexes fill. */
type FieldIndexColumn<Schema extends AnyRecord, Name> =
  Name extends FieldName<Schema> ? IndexColumnsOf<Schema['fields'][Name]['options']> : never

type CompoundColumn<Schema extends AnyRecord> = keyof NonNullable<Schema['options']['indexes']> & string

/** Every column that an index of the record fills. */
export type IndexColumn<Schema extends AnyRecord> =
  | { [Name in FieldName<Schema>]: FieldIndexColumn<Schema, Name> }[FieldName<Schema>]
  | CompoundColumn<Schema>

/** What `index` and `filter` can be asked for: a field with an index, or the column of an index. */
export type Searchable<Schema extends AnyRecord> =
  | { [Name in FieldName<Schema>]: FieldIndexColumn<Schema, Name> extends never ? never : Name }[FieldName<Schema>]
  | IndexColumn<Schema>

/** The fields behind a searchable name. */
type SearchedFields<Schema extends AnyRecord, Name> =
  Name extends FieldName<Schema>
    ? Name
    : { [Field in FieldName<Schema>]: Name extends FieldIndexColumn<Schema, Field> ? Field : never }[FieldName<Schema>]

type CompoundFields<Schema extends AnyRecord, Name> = Name extends keyof NonNullable<Schema['options']['indexes']>
  ? NonNullable<Schema['options']['indexes']>[Name] extends { readonly fields: infer Fields }
    ? Listed<Fields>
    : never
  : never

/** What to search for: the value of the field, or for a compound index an object of all its fields. */
export type SearchedValue<Schema extends AnyRecord, Name> = [CompoundFields<Schema, Name>] extends [never]
  ? NonNullable<FieldValue<Schema, SearchedFields<Schema, Name> & FieldName<Schema>>>
  : { readonly [Field in CompoundFields<Schema, Name> & FieldName<Schema>]: NonNullable<FieldValue<Schema, Field>> }

type StorageOf<Schema extends AnyRecord, Name extends FieldName<Schema>> = Schema['fields'][Name]['options'] extends {
  readonly storage: infer Kind
}
  ? Kind
  : Schema['options'] extends { readonly storage: infer Kind }
    ? Kind
    : 'text'

type Stored<Schema extends AnyRecord, Name extends FieldName<Schema>> = Schema['fields'][Name]['options'] extends {
  readonly state: 'plaintext'
}
  ? FieldValue<Schema, Name>
  :
      | (StorageOf<Schema, Name> extends 'binary' ? CiphertextBytes : CiphertextText)
      | (Schema['fields'][Name]['options'] extends { readonly nullable: 'visible' } ? null : never)

type IndexStored<Schema extends AnyRecord> = Schema['options'] extends { readonly storage: 'binary' }
  ? BlindIndexBytes
  : BlindIndexText

type CompleteCompounds<Schema extends AnyRecord, Row> = {
  [Name in CompoundColumn<Schema>]: [CompoundFields<Schema, Name>] extends [keyof Row] ? Name : never
}[CompoundColumn<Schema>]

/** A row as the database gets it: fields encrypted, index columns added, the rest unchanged. */
export type EncryptedRow<Schema extends AnyRecord, Row> = Simplify<
  {
    [Name in keyof Row]: Name extends FieldName<Schema> ? Stored<Schema, Name> : Row[Name]
  } & {
    [Column in FieldIndexColumn<Schema, keyof Row> | CompleteCompounds<Schema, Row>]: IndexStored<Schema> | null
  }
>

/** A row as the application gets it back: fields decrypted, index columns gone, the rest unchanged. */
export type DecryptedRow<Schema extends AnyRecord, Row> = 0 extends 1 & Row
  ? InferRow<Schema>
  : Simplify<{
      [Name in keyof Row as Name extends IndexColumn<Schema> ? never : Name]: Name extends FieldName<Schema>
        ? FieldValue<Schema, Name>
        : Row[Name]
    }>

/** Columns that are neither identity, field nor declared plain must not be there: a forgotten field would be written as plaintext. */
export type NoOthers<Schema extends AnyRecord, Row> = Schema['options']['plain'] extends 'all'
  ? unknown
  : {
      readonly [Name in Exclude<
        keyof Row,
        IdentityColumn<Schema> | FieldName<Schema> | IdColumn<Schema> | Listed<Schema['options']['plain']>
      >]: never
    }

/** The tenant argument of a search: needed where indexes are per tenant. */
export type SearchOptions<Schema extends AnyRecord> = [NamedColumn<Schema, 'tenant'>] extends [never]
  ? { readonly tenant?: never }
  : { readonly tenant?: RowId }
