import { equalBytes } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import { typeBytes } from '../format/typed-value.ts'
import type { TagPart } from './blind-index.ts'
import { assertIndexable, type FieldType } from './field-type.ts'
import type { AnyTransform } from './transform.ts'

/**
 * The tag part of a value that is stored.
 *
 * @param name of the field, for errors
 * @throws InvalidInputError when the value is not of the type, or the transform refuses it
 */
export function storedPart(transform: AnyTransform, type: FieldType, value: unknown, name: string): TagPart {
  assertIndexable(type, value, name)
  return { type: typeBytes[type], value: transform.apply(value) }
}

/** The tag part of a value that is searched for. @throws as `storedPart` */
export function queryPart(transform: AnyTransform, type: FieldType, wanted: unknown, name: string): TagPart {
  assertIndexable(type, wanted, name)
  return { type: typeBytes[type], value: (transform.applyToQuery ?? transform.apply).call(transform, wanted) }
}

/**
 * Whether a decrypted value is what was searched for: what removes the false positives of an index.
 *
 * @param stored null never matches
 * @throws as `storedPart`
 */
export function isMatch(
  transform: AnyTransform,
  type: FieldType,
  stored: unknown,
  wanted: unknown,
  name: string,
): boolean {
  assertIndexable(type, wanted, name)
  if (stored === null || stored === undefined) return false
  assertIndexable(type, stored, name)
  const form = transform.apply(wanted)
  try {
    return transform.matches?.(stored, wanted) ?? sameForm(transform.apply(stored), form)
  } catch (error) {
    // Such a value has no tag, so it can only have come here as a false positive.
    if (error instanceof InvalidInputError) return false
    throw error
  }
}

function sameForm(a: string | Uint8Array, b: string | Uint8Array): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b
  return equalBytes(a, b)
}
