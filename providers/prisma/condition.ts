import type { Values } from './models.ts'

/** A part of a `where`, rewritten for the database. */
export interface Condition {
  readonly where: Values
  /** Whether the database finds the right rows alone; false when an index may return others as well. */
  readonly exact: boolean
  /** Whether `test` says all that `where` says. */
  readonly complete: boolean
  /** Tests a decrypted row. */
  readonly test: (row: Values) => boolean
  /** The columns that `test` reads. */
  readonly reads: readonly string[]
}

/** What is true of every row. */
export const ALWAYS: Condition = { where: {}, exact: true, complete: true, test: () => true, reads: [] }

/** A condition that the database alone decides. */
export function plainCondition(where: Values): Condition {
  return { where, exact: true, complete: false, test: () => true, reads: [] }
}

/** All of these. */
export function allOf(parts: readonly Condition[]): Condition {
  const [only] = parts
  if (only === undefined) return ALWAYS
  if (parts.length === 1) return only
  const keys = parts.flatMap(({ where }) => Object.keys(where))
  const apart = new Set(keys).size === keys.length
  return {
    // Side by side where that is the same, because a unique column must stand at the top.
    where: apart ? Object.assign({}, ...parts.map(({ where }) => where)) : { AND: parts.map(({ where }) => where) },
    exact: parts.every(({ exact }) => exact),
    complete: parts.every(({ complete }) => complete),
    test: (row) => parts.every(({ test }) => test(row)),
    reads: parts.flatMap(({ reads }) => reads),
  }
}

/** At least one of these; undefined when that can be decided neither by the database nor by testing rows. */
export function anyOf(parts: readonly Condition[]): Condition | undefined {
  const exact = parts.every((part) => part.exact)
  const complete = parts.every((part) => part.complete)
  if (!exact && !complete) return undefined
  return {
    where: { OR: parts.map(({ where }) => where) },
    exact,
    complete,
    test: complete ? (row) => parts.some(({ test }) => test(row)) : () => true,
    reads: parts.flatMap(({ reads }) => reads),
  }
}
