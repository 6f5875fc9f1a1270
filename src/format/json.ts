import { describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'

/** Everything JSON can hold and give back unchanged. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue }

const MAX_DEPTH = 64

/**
 * Writes a value as JSON, refusing what JSON would change or drop in silence: `undefined`, functions, symbols, bigints,
 * NaN and infinities, instances of classes (a Date would come back as a string), cycles, lone surrogates, names
 * `__proto__`, and nesting deeper than 64.
 *
 * @throws InvalidInputError
 */
export function encodeJson(value: unknown): string {
  assertJson(value, 0)
  return JSON.stringify(value)
}

/** Reads JSON. @returns undefined when it is not JSON, has a name `__proto__`, or is nested deeper than 64 */
export function parseJson(text: string): JsonValue | undefined {
  try {
    const value: JsonValue = JSON.parse(text)
    assertJson(value, 0)
    return value
  } catch {
    return undefined
  }
}

function assertJson(value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) throw new InvalidInputError(`JSON must be nested at most ${MAX_DEPTH} deep: is it a cycle?`)
  if (value === null || typeof value === 'boolean') return
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new InvalidInputError('JSON must be well-formed Unicode: it has a lone surrogate')
    return
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new InvalidInputError(`JSON has no ${value}`)
    return
  }
  if (Array.isArray(value)) {
    // Not forEach: it would pass over the holes of a sparse array, which JSON turns into null.
    for (let i = 0; i < value.length; i++) assertJson(value[i], depth + 1)
    return
  }
  if (!isPlainObject(value))
    throw new InvalidInputError(`JSON cannot hold ${describe(value)} and give it back unchanged`)
  for (const name of Object.keys(value)) {
    if (name === '__proto__') throw new InvalidInputError('JSON must not have a name "__proto__"')
    if (!name.isWellFormed())
      throw new InvalidInputError('JSON must be well-formed Unicode: a name has a lone surrogate')
    assertJson(value[name], depth + 1)
  }
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  return typeof (value as { toJSON?: unknown }).toJSON !== 'function'
}
