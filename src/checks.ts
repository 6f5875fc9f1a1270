import { InvalidInputError } from './errors.ts'

// Free of everything that only Node has: `strongroom/web` is built from this file too.

/** Describes a value for an error message by its type alone, never by its content. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : 'a Date'
  if (value instanceof Uint8Array) return 'bytes'
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (typeof value === 'object') return 'an object'
  return value === undefined ? 'undefined' : `a ${typeof value}`
}

/** Refuses anything but a `Uint8Array` (a `Buffer` is one) that still has its memory. @throws InvalidInputError */
export function assertBytes(value: unknown, name: string): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array))
    throw new InvalidInputError(`${name} must be a Uint8Array, received ${describe(value)}`)
  if (value.byteLength === 0 && isDetached(value)) {
    throw new InvalidInputError(`${name} has no memory any more: it was transferred to somebody else`)
  }
}

/** `detached` is not in every engine; a view of what is gone cannot be made in any. */
function isDetached({ buffer }: Uint8Array): boolean {
  try {
    return new Uint8Array(buffer).byteLength < 0
  } catch {
    return true
  }
}

/** Refuses anything but a well-formed string: a lone surrogate has no UTF-8 form, so two texts would share one. @throws InvalidInputError */
export function assertText(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw new InvalidInputError(`${name} must be a string, received ${describe(value)}`)
  if (!value.isWellFormed()) throw new InvalidInputError(`${name} must be well-formed Unicode: it has a lone surrogate`)
}

/** Refuses anything but well-formed text that says something, as a name, a path or an address does. @throws InvalidInputError */
export function assertFilled(value: unknown, name: string): asserts value is string {
  assertText(value, name)
  if (value === '' || value.includes('\0')) throw new InvalidInputError(`${name} must not be empty or hold a NUL`)
}

/** Refuses anything but a whole number in a range. @throws InvalidInputError */
export function assertWhole(value: unknown, name: string, least: number, most: number): asserts value is number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return
  const received = typeof value === 'number' ? String(value) : describe(value)
  throw new InvalidInputError(`${name} must be a whole number from ${least} to ${most}, received ${received}`)
}

/** Refuses anything but true or false, or nothing: the text `'false'` would count as true. @throws InvalidInputError */
export function assertFlag(value: unknown, name: string): asserts value is boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return
  throw new InvalidInputError(`${name} must be true or false, received ${describe(value)}`)
}

/** Refuses anything but a Date that is one, or nothing. @throws InvalidInputError */
export function assertDate(value: unknown, name: string): asserts value is Date | undefined {
  if (value === undefined || (value instanceof Date && !Number.isNaN(value.getTime()))) return
  throw new InvalidInputError(`${name} must be a valid Date, received ${describe(value)}`)
}

/** Refuses anything but an object of names and values: no null, array, Map, Date or function. @throws InvalidInputError */
export function assertObject(value: unknown, name: string): asserts value is object {
  if (Object.prototype.toString.call(value) !== '[object Object]') {
    throw new InvalidInputError(`${name} must be an object, received ${describe(value)}`)
  }
}

/** Refuses anything but options: an object of names and values, or nothing. @throws InvalidInputError */
export function assertOptions(value: unknown, name: string): asserts value is object | undefined {
  if (value !== undefined) assertObject(value, name)
}

/** Refuses anything but an array without holes, which some loops would see and others not. @throws InvalidInputError */
export function assertArray(value: unknown, name: string): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw new InvalidInputError(`${name} must be an array, received ${describe(value)}`)
  for (let at = 0; at < value.length; at++) {
    if (!(at in value)) throw new InvalidInputError(`${name} must have no holes, as there is one at ${at}`)
  }
}

/** Refuses anything but an array of well-formed texts, or of what `assertOne` takes. @throws InvalidInputError */
export function assertTexts(
  values: unknown,
  name: string,
  assertOne: (value: unknown, name: string) => void = assertText,
): asserts values is readonly string[] {
  assertArray(values, name)
  for (const value of values) assertOne(value, `each of ${name}`)
}

/** Refuses anything but one of the known texts. Never says another text: it may be a secret. @throws InvalidInputError */
export function assertOneOf(known: readonly string[], value: unknown, name: string): void {
  if (typeof value === 'string' && known.includes(value)) return
  const received = typeof value === 'string' ? 'another text' : describe(value)
  throw new InvalidInputError(`${name} must be one of ${known.join(', ')}, received ${received}`)
}

/** Refuses anything but a function. @throws InvalidInputError */
export function assertFunction(value: unknown, name: string): asserts value is (...args: never[]) => unknown {
  if (typeof value !== 'function')
    throw new InvalidInputError(`${name} must be a function, received ${describe(value)}`)
}

/** Refuses anything but a function that is told of something, or nothing. @throws InvalidInputError */
export function assertCallback(value: unknown, name: string): void {
  if (value !== undefined) assertFunction(value, name)
}

/** Refuses anything but an object with these methods. @throws InvalidInputError */
export function assertMethods(value: unknown, methods: readonly string[], name: string): asserts value is object {
  const methodsOf = value as Record<string, unknown> | null | undefined
  const missing = methods.find((method) => typeof methodsOf?.[method] !== 'function')
  if (missing === undefined) return
  const received = typeof value === 'object' && value !== null ? `one without ${missing}` : describe(value)
  throw new InvalidInputError(`${name} must have the methods ${methods.join(', ')}, received ${received}`)
}

/** Refuses anything but an AbortSignal, or nothing. @throws InvalidInputError */
export function assertSignal(value: unknown): asserts value is AbortSignal | undefined {
  if (value !== undefined) assertMethods(value, ['throwIfAborted', 'addEventListener', 'removeEventListener'], 'signal')
}
