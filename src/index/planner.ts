import { assertFlag, assertObject, describe } from '../bytes.ts'
import { ConfigError, InvalidInputError } from '../errors.ts'

/** How large an index has to be planned. */
export interface PlanInput {
  /** Rows to plan for: of one tenant when each tenant has its own index key. 16 to 2^53 − 1; not needed for `unique`. */
  readonly rows?: number | undefined
  /** About how many distinct values (after the transform) there are; unlimited when absent. */
  readonly distinct?: number | undefined
  /** Bits of the tag, instead of the planned number. */
  readonly bits?: number | undefined
  /** A 128-bit tag, so that the database can enforce uniqueness. Equal values are then visible as equal. */
  readonly unique?: boolean | undefined
  /** Bits already given to other indexes over the same field. */
  readonly shared?: number | undefined
}

/** The size of an index, and what follows from it. */
export interface IndexPlan {
  /** Bits of a tag. */
  readonly bits: number
  /** Size of a stored tag in bytes, index version included. */
  readonly bytes: number
  /** Whether its tags have 128 bits, so that the database can hold them unique. */
  readonly unique: boolean
  /** Rows planned for; undefined where `unique` was planned without. */
  readonly rows: number | undefined
  /** Distinct values planned for; undefined where they are not few. */
  readonly distinct: number | undefined
  /** Rows of other values that a lookup returns on average, to be filtered out. */
  readonly falsePositives: number
  /** Above this number of rows lookups return over four times as many false ones: plan again and re-index. */
  readonly warnAtRows: number | undefined
  /** What someone who can read the table learns from the column. */
  readonly leaks: string
}

// Two values of one table share a tag with probability below 2^-64 up to 2^32 rows.
const UNIQUE_BITS = 128

const FEWEST_ROWS = 16
const FEWEST_DISTINCT = 32
const GROWTH = 4

/**
 * Plans one index: ⌊log2 rows⌋ − 2 bits, fewer when there are few distinct values. Index specification section 7.
 *
 * @throws ConfigError when the rows are too few, the values are too few, or explicit bits are outside the window
 * @throws InvalidInputError when a number is not a positive integer
 */
export function planIndex(input: PlanInput): IndexPlan {
  assertObject(input, 'the index')
  assertFlag(input.unique, 'unique')
  if (input.unique === true) return uniquePlan(input)
  const limits = bitLimits(input)
  const { shared = 0 } = input
  if (!Number.isSafeInteger(shared) || shared < 0) {
    throw new InvalidInputError(`shared must be a number of bits, received ${describe(shared)}`)
  }
  const left = limits.budget - shared
  if (left < 1) {
    throw new ConfigError(
      `the indexes over this field already use ${shared} bits of the ${limits.budget} that ${input.rows} rows allow: drop one, or declare a compound index`,
    )
  }
  if (input.bits === undefined) return planOf(input, Math.min(limits.usual, left))
  assertExplicit(input, limits, shared > 0)
  if (input.bits > left) throw overBudget(input.bits + shared, limits.budget, input.rows as number)
  return planOf(input, input.bits)
}

/** What the rows and the distinct values of one index allow. @internal */
export interface BitLimits {
  /** Fewest bits worth having: below, a lookup returns more than √rows. */
  readonly least: number
  readonly usual: number
  /** Most bits for this index. */
  readonly most: number
  /** Most bits for all indexes over one field together. */
  readonly budget: number
}

/** Checks rows and distinct values of an index that is not unique. @throws as `planIndex` */
export function bitLimits({ rows, distinct }: PlanInput): BitLimits {
  assertCount(rows, 'rows')
  if (rows < FEWEST_ROWS) {
    throw new ConfigError(
      `an index needs at least ${FEWEST_ROWS} rows, planned ${rows}: decrypt so few rows and filter them`,
    )
  }
  const log = floorLog2(rows)
  const most = log - 1
  const least = Math.min(ceilHalfLog2(rows), most)
  const usual = Math.max(log - 2, least)
  if (distinct === undefined) return { least, usual, most, budget: most }
  assertCount(distinct, 'distinct')
  if (distinct < FEWEST_DISTINCT) {
    throw new ConfigError(
      `an index over ${distinct} distinct values would give them away by their frequency, ${FEWEST_DISTINCT} are the least: declare a compound index with another field`,
    )
  }
  const cap = floorLog2(distinct) - 1
  return { least: Math.min(least, cap), usual: Math.min(usual, cap), most: Math.min(most, cap), budget: most }
}

/** Checks bits that the caller chose against the window of one index. @throws ConfigError @throws InvalidInputError */
export function assertExplicit(
  input: PlanInput,
  limits: BitLimits,
  sharing: boolean,
): asserts input is PlanInput & { bits: number } {
  const { bits, rows, distinct } = input
  assertCount(bits, 'bits')
  const least = sharing ? 1 : limits.least
  if (bits >= least && bits <= limits.most) return
  const capped = distinct !== undefined && floorLog2(distinct) - 1 === limits.most
  const reason = capped ? `${distinct} distinct values` : `${rows} rows`
  throw new ConfigError(`an index over ${reason} can have ${least} to ${limits.most} bits, not ${bits}`)
}

/** The plan that follows from a number of bits. @internal */
export function planOf({ rows, distinct }: PlanInput, bits: number): IndexPlan {
  const planned = rows as number
  const others = distinct === undefined ? planned : planned - planned / distinct
  return {
    bits,
    bytes: 1 + Math.ceil(bits / 8),
    unique: false,
    rows,
    distinct,
    falsePositives: others / 2 ** bits,
    warnAtRows: Math.min(planned * GROWTH, Number.MAX_SAFE_INTEGER),
    leaks: `which of ${(2 ** bits).toLocaleString('en-US')} groups a row belongs to, and how many rows each group has`,
  }
}

/** The plan of a unique index. @throws ConfigError when bits are given, or the values are fewer than the rows */
export function uniquePlan({ rows, distinct, bits }: PlanInput): IndexPlan {
  if (rows !== undefined) assertCount(rows, 'rows')
  if (distinct !== undefined) assertCount(distinct, 'distinct')
  if (bits !== undefined) throw new ConfigError(`a unique index has ${UNIQUE_BITS} bits: leave \`bits\` out`)
  if (distinct !== undefined && distinct < Math.max(rows ?? 0, FEWEST_DISTINCT)) {
    throw new ConfigError(`${distinct} distinct values cannot be unique in ${rows ?? 'a table of'} rows`)
  }
  return {
    bits: UNIQUE_BITS,
    bytes: 1 + UNIQUE_BITS / 8,
    unique: true,
    rows,
    distinct,
    falsePositives: 0,
    warnAtRows: undefined,
    leaks: 'exactly which rows have equal values',
  }
}

/** The error for explicit bits that do not fit together. @internal */
export function overBudget(used: number, budget: number, rows: number, field?: string): ConfigError {
  const where = field === undefined ? 'this field' : `field ${field}`
  return new ConfigError(
    `the indexes over ${where} use ${used} bits, and ${rows} rows allow ${budget} together: give them fewer, or drop one`,
  )
}

/** ⌊log2 n⌋, exact for every safe integer. */
function floorLog2(n: number): number {
  return BigInt(n).toString(2).length - 1
}

/** ⌈½ · log2 n⌉, exact for every safe integer. */
function ceilHalfLog2(n: number): number {
  return Math.ceil((floorLog2(n - 1) + 1) / 2)
}

function assertCount(value: unknown, name: string): asserts value is number {
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new InvalidInputError(`${name} must be a positive integer, received ${describe(value)}`)
  }
}
