import { assertText, describe } from '../bytes.ts'
import { ConfigError, InvalidInputError } from '../errors.ts'
import { day, decade, month, year } from './bucket-transforms.ts'
import { type FieldType, indexableTypes, isIndexable, MAX_INDEXED_LENGTH } from './field-type.ts'
import { casefold, digits, email, last4 } from './text-transforms.ts'
import { type AnyTransform, builtIn, type TransformName, type TransformOption } from './transform.ts'
import { bigintBytes, booleanBytes, dateBytes, numberBytes } from './value-bytes.ts'

/**
 * Finds a transform by name, or checks one of your own, for a field of this type.
 *
 * @returns the transform; its results are checked, so that no lone surrogate, no empty and no huge result gets through
 * @throws ConfigError when the name is unknown, the id is malformed, or the transform does not fit the field
 * @throws InvalidInputError when it is neither a name nor a transform
 */
export function resolveTransform(transform: TransformOption, type: FieldType): AnyTransform {
  if (!isIndexable(type)) {
    throw new ConfigError('a field of this type cannot be indexed: give the part you search a field of its own')
  }
  if (transform === 'exact') return exactFor(type)
  const found = typeof transform === 'string' ? named.get(transform) : ownTransform(transform)
  if (found === undefined) {
    throw new ConfigError(`unknown index transform: use one of ${['exact', ...named.keys()].join(', ')}, or your own`)
  }
  if (!found.accepts.includes(type)) {
    throw new ConfigError(`transform ${found.id} is for ${found.accepts.join(', ')} fields, not for ${type}`)
  }
  return found
}

/**
 * How many distinct values an index over these transforms is planned for: what the index states, but never more than
 * the transforms can give; what they assume if it states nothing; undefined when nobody knows.
 */
export function plannedDistinct(transforms: readonly AnyTransform[], stated?: number): number | undefined {
  const bound = product(transforms.map((transform) => transform.distinct))
  if (stated !== undefined) return bound === undefined ? stated : Math.min(stated, bound)
  return product(transforms.map((transform) => transform.distinct ?? transform.assumedDistinct))
}

const named = new Map<string, AnyTransform>(
  Object.entries({ email, casefold, digits, last4, day, month, year, decade } satisfies Record<
    Exclude<TransformName, 'exact'>,
    AnyTransform
  >),
)

const ID = /^[a-z][a-z0-9.-]*-v[1-9][0-9]{0,3}$/

function exactFor(type: FieldType): AnyTransform {
  return {
    id: 'exact-v1',
    accepts: [type],
    ...(type === 'boolean' ? { distinct: 2 } : {}),
    apply: exact[type] as AnyTransform['apply'],
  }
}

const exact = {
  text: (value: string) => value.normalize('NFC'),
  bytes: (value: Uint8Array) => value,
  integer: numberBytes,
  number: numberBytes,
  bigint: bigintBytes,
  boolean: booleanBytes,
  date: dateBytes,
} satisfies Record<FieldType, (value: never) => string | Uint8Array>

function ownTransform(own: unknown): AnyTransform {
  if (typeof own !== 'object' || own === null) {
    throw new InvalidInputError(`an index transform must be a name or an object, received ${describe(own)}`)
  }
  if ((own as AnyTransform)[builtIn] === true) return own as AnyTransform
  const { id, accepts, apply, applyToQuery, matches, distinct, assumedDistinct } = own as AnyTransform
  assertText(id, 'the id of an index transform')
  if (id.length > 64 || !ID.test(id)) {
    throw new ConfigError('the id of an index transform must be a name with a version, as my-transform-v1')
  }
  if (typeof apply !== 'function') {
    throw new InvalidInputError(`apply of transform ${id} must be a function, received ${describe(apply)}`)
  }
  if (accepts !== undefined && !(Array.isArray(accepts) && accepts.every(isIndexable))) {
    throw new InvalidInputError(`accepts of transform ${id} must be a list of field types`)
  }
  for (const [name, part] of Object.entries({ applyToQuery, matches })) {
    if (part !== undefined && typeof part !== 'function') {
      throw new InvalidInputError(`${name} of transform ${id} must be a function, received ${describe(part)}`)
    }
  }
  for (const [name, count] of Object.entries({ distinct, assumedDistinct })) {
    if (count !== undefined && !(Number.isSafeInteger(count) && count > 0)) {
      throw new InvalidInputError(`${name} of transform ${id} must be a positive integer, received ${describe(count)}`)
    }
  }
  return Object.freeze({
    id,
    accepts: accepts ?? indexableTypes(),
    ...(distinct === undefined ? {} : { distinct }),
    ...(assumedDistinct === undefined ? {} : { assumedDistinct }),
    apply: (value: unknown) => checkedForm(id, () => apply.call(own, value)),
    ...(applyToQuery === undefined
      ? {}
      : { applyToQuery: (value: unknown) => checkedForm(id, () => applyToQuery.call(own, value)) }),
    ...(matches === undefined
      ? {}
      : {
          matches: (stored: unknown, wanted: unknown) => quietly(id, () => matches.call(own, stored, wanted)) === true,
        }),
  })
}

function checkedForm(id: string, form: () => unknown): string | Uint8Array {
  const result = quietly(id, form)
  if (result instanceof Uint8Array || typeof result === 'string') {
    if (typeof result === 'string') assertText(result, `the result of transform ${id}`)
    if (result.length === 0) throw new InvalidInputError(`transform ${id} left nothing of the value`)
    if (result.length <= MAX_INDEXED_LENGTH) return result
    throw new InvalidInputError(`the result of transform ${id} must have a length of at most ${MAX_INDEXED_LENGTH}`)
  }
  throw new InvalidInputError(`transform ${id} must return a string or a Uint8Array, returned ${describe(result)}`)
}

/** Errors of foreign code often quote the value they choked on, so their message is not passed on. */
function quietly<Result>(id: string, action: () => Result): Result {
  try {
    return action()
  } catch (error) {
    if (error instanceof InvalidInputError) throw error
    throw new InvalidInputError(`transform ${id} failed on the value`)
  }
}

function product(counts: readonly (number | undefined)[]): number | undefined {
  let result = 1
  for (const count of counts) {
    if (count === undefined) return undefined
    result = Math.min(result * count, Number.MAX_SAFE_INTEGER)
  }
  return result
}
