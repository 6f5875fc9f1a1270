import type { FieldType } from './field-type.ts'

/** Marks the transforms of this package, whose results need no check. Not exported to users. */
export const builtIn: unique symbol = Symbol('builtIn')

/**
 * What an index searches by: a pure function from a value to the text or bytes that equal values share.
 * Its `id` is part of the index key, so an index made with another `id` is another index.
 */
export interface IndexTransform<Value = never> {
  /** @internal */
  readonly [builtIn]?: true
  /** Named and versioned, as `email-lower-nfc-v1`: lower case, digits, `.` and `-`, at most 64 characters, ends in `-v` and a number. */
  readonly id: string
  /** The field types it can be declared on. */
  readonly accepts: readonly FieldType[]
  /** No more distinct outputs than this can exist, whatever the values are: `last4` has 10,000. */
  readonly distinct?: number
  /** How many distinct outputs to plan for when the index does not state `distinct`. Low is safe: fewer bits, more rows to filter. */
  readonly assumedDistinct?: number
  /** @returns the searched form; the same for the same value on every machine. @throws InvalidInputError when there is none */
  apply(value: Value): string | Uint8Array
  /**
   * The form of a value that is searched for, when not every value can be; `apply` otherwise.
   *
   * @throws InvalidInputError when this one cannot be
   */
  applyToQuery?(wanted: Value): string | Uint8Array
  /** Whether a stored value is what was searched for; equality of the two forms otherwise. */
  matches?(stored: Value, wanted: Value): boolean
}

/** The transforms that have a name. */
export type TransformName = 'exact' | 'email' | 'last4' | 'digits' | 'casefold' | 'day' | 'month' | 'year' | 'decade'

/** A transform of your own. Its members mean what they mean in `IndexTransform`; without `accepts` it takes every field type. */
export interface OwnTransform<Value = never> {
  readonly id: string
  readonly accepts?: readonly FieldType[]
  readonly distinct?: number
  readonly assumedDistinct?: number
  apply(value: Value): string | Uint8Array
  applyToQuery?(wanted: Value): string | Uint8Array
  matches?(stored: Value, wanted: Value): boolean
}

/** A transform of any value type, where it is stored rather than called. */
// biome-ignore lint/suspicious/noExplicitAny: parameters are contravariant, so only `any` accepts every transform
export type AnyTransform = IndexTransform<any>

/** What an index takes as its transform. */
// biome-ignore lint/suspicious/noExplicitAny: parameters are contravariant, so only `any` accepts every transform
export type TransformOption = TransformName | OwnTransform<any>
