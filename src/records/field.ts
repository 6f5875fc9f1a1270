import { assertOptions } from '../bytes.ts'
import type { JsonValue } from '../format/json.ts'
import type { Padding } from '../format/padding.ts'
import type { ValueType } from '../format/typed-value.ts'
import type { TransformOption } from '../index/transform.ts'

/** How a column is stored: `text` is base64url behind `sr1_`, `binary` is bytes and a quarter smaller. */
export type Storage = 'text' | 'binary'

/** A blind index over one field: a column that finds rows by equality without showing the value. See the search guide. */
export interface IndexOptions<Column extends string = string> {
  /** The column that holds the tags. */
  readonly column: Column
  /** What equal means: a name such as `email`, or a transform of your own. `exact` by default. */
  readonly transform?: TransformOption
  /** Rows planned for: of one tenant when the record has one. 16 or more; not needed for `unique`. */
  readonly rows?: number
  /** About how many distinct values there are, where that is few. */
  readonly distinct?: number
  /** Bits of the tag, instead of the number planned from `rows`. */
  readonly bits?: number
  /** A 128-bit tag that the database can hold unique; equal values are then visible as equal. */
  readonly unique?: boolean
  /** `global` finds rows of all tenants with one query; `tenant` (the default) needs the tenant. */
  readonly scope?: 'tenant' | 'global'
  /** What a null value gets: a random tag of the same size (the default), or NULL, which shows that it is null. */
  readonly nulls?: 'random' | 'null'
  /**
   * Makes every tag cost an Argon2id hash of 4 MiB, so that guesses stay dear for whoever got the index key. Only methods
   * with `Many` can then write and search it. Another `slow` is another index: the tags must be written again.
   */
  readonly slow?: boolean
}

/** How one column is encrypted. */
export interface FieldOptions {
  /** Whether the value may be null. `true` encrypts null like any value; `'visible'` leaves it NULL for all to see. */
  readonly nullable?: boolean | 'visible'
  /** The record's storage by default. */
  readonly storage?: Storage
  /** How the length is hidden: `{ min: 16 }` by default. */
  readonly padding?: Padding
  /**
   * `encrypted` (the default): anything else is refused. `migrating`: plaintext is still read, and reported, until
   * `until`. `plaintext`: not encrypted, not yet or no more.
   */
  readonly state?: 'encrypted' | 'migrating' | 'plaintext'
  /** The end of a migration, ISO date or Date; plaintext read after it is refused. Needed when `migrating`. */
  readonly until?: string | Date
  /** The blind indexes that find rows by the value: none, one, or several with a column each. */
  readonly index?: IndexOptions | readonly IndexOptions[]
}

/** One encrypted column of a record. Made by `text`, `integer`, `number`, `bigint`, `boolean`, `date`, `bytes`, `json`. */
export interface Field<Value = unknown, Options extends FieldOptions = FieldOptions> {
  readonly type: ValueType
  readonly options: Options
  /** For the type checker alone; it does not exist at run time. */
  readonly '~value'?: Value
}

type Nullable<Value, Options> = Options extends { readonly nullable: true | 'visible' } ? Value | null : Value
type Unindexed = Omit<FieldOptions, 'index'> & { readonly index?: never }

/**
 * A column of text: well-formed Unicode, stored as it is, at most 16 MiB as UTF-8.
 *
 * @param options checked by `defineRecord`
 * @throws InvalidInputError when they are no object
 */
export function text<const Options extends FieldOptions = Record<never, never>>(options?: Options) {
  return field<string, Options>('text', options)
}

/** A column of whole numbers within ±(2^53 − 1). @throws as `text` */
export function integer<const Options extends FieldOptions = Record<never, never>>(options?: Options) {
  return field<number, Options>('integer', options)
}

/** A column of IEEE 754 numbers of 64 bits; −0, infinities and NaN are kept. @throws as `text` */
export function number<const Options extends FieldOptions = Record<never, never>>(options?: Options) {
  return field<number, Options>('number', options)
}

/** A column of integers of any size up to 1 MiB. @throws as `text` */
export function bigint<const Options extends FieldOptions = Record<never, never>>(options?: Options) {
  return field<bigint, Options>('bigint', options)
}

/** A column of true and false. It cannot be indexed: an index over two values would show them. @throws as `text` */
export function boolean<const Options extends Unindexed = Record<never, never>>(options?: Options) {
  return field<boolean, Options>('boolean', options)
}

/** A column of points in time, to the millisecond: what a `Date` holds, ±8.64 · 10^15 ms around 1970. @throws as `text` */
export function date<const Options extends FieldOptions = Record<never, never>>(options?: Options) {
  return field<Date, Options>('date', options)
}

/** A column of bytes, at most 16 MiB. @throws as `text` */
export function bytes<const Options extends FieldOptions = Record<never, never>>(options?: Options) {
  return field<Uint8Array, Options>('bytes', options)
}

/**
 * A column of JSON, at most 16 MiB as UTF-8 and 64 levels deep. Give the shape as the type argument: `json<Note[]>()`. It
 * cannot be indexed.
 *
 * @throws as `text`
 */
export function json<Value = JsonValue>(options?: Unindexed & { readonly nullable?: false }): Field<Value, Unindexed>
export function json<Value = JsonValue>(
  options: Unindexed & { readonly nullable: true | 'visible' },
): Field<Value | null, Unindexed>
export function json(options?: Unindexed): Field<unknown, Unindexed> {
  return field<unknown, Unindexed>('json', options)
}

function field<Value, Options extends FieldOptions>(type: ValueType, options?: Options) {
  assertOptions(options, `the options of ${type}()`)
  const made: Field<Nullable<Value, Options>, Options> = { type, options: options ?? ({} as Options) }
  return made
}
