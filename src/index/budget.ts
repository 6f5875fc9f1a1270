import { assertArray, assertFlag, assertObject, assertText } from '../bytes.ts'
import { ConfigError, InvalidInputError } from '../errors.ts'
import {
  assertExplicit,
  type BitLimits,
  bitLimits,
  type IndexPlan,
  overBudget,
  type PlanInput,
  planOf,
  uniquePlan,
} from './planner.ts'

/** One index of a record, for planning. */
export interface PlannedIndex extends Omit<PlanInput, 'shared'> {
  /** The column of its tags; distinct within a record. */
  readonly index: string
  /** The fields it covers: one, or several for a compound index. */
  readonly fields: readonly string[]
}

/** A plan with the index it belongs to. */
export interface NamedIndexPlan extends IndexPlan {
  /** The column of its tags. */
  readonly index: string
  /** The fields it covers. */
  readonly fields: readonly string[]
}

/**
 * Plans all indexes of a record together. Every index tells something about each field it covers, so the bits of all
 * indexes over one field, compound ones included, stay within ⌊log2 rows⌋ − 1. Indexes that state no bits share what
 * the others leave evenly. Unique indexes have their own size and are not counted. Index specification section 7.
 *
 * @returns one plan per index, in the same order
 * @throws ConfigError as `planIndex`, and when the bits of one field do not fit; InvalidInputError as `planIndex`
 */
export function planIndexes(indexes: readonly PlannedIndex[]): NamedIndexPlan[] {
  assertArray(indexes, 'indexes')
  for (const index of indexes) {
    assertObject(index, 'an index')
    assertText(index.index, 'the name of an index')
    assertArray(index.fields, `the fields of index ${index.index}`)
    for (const field of index.fields) assertText(field, `a field of index ${index.index}`)
    assertFlag(index.unique, `unique of index ${index.index}`)
  }
  assertDistinctNames(indexes)
  const counted = indexes.filter(({ unique }) => unique !== true)
  const limits = new Map(counted.map((index) => [index, named(index, () => bitLimits(index))]))
  const budgets = fieldBudgets(counted, limits)
  const bits = new Map<PlannedIndex, number>()
  for (const index of counted) {
    if (index.bits === undefined) continue
    const sharing = index.fields.some((field) => (budgets.get(field)?.indexes.length ?? 0) > 1)
    named(index, () => assertExplicit(index, limits.get(index) as BitLimits, sharing))
    take(index, index.bits, budgets, bits)
  }
  for (const [field, { indexes, rows, total, left }] of budgets) {
    const waiting = indexes.filter((index) => !bits.has(index)).length
    if (left < waiting) throw overBudget(total - left + waiting, total, rows, field)
  }
  shareEvenly(counted, limits, budgets, bits)
  return indexes.map((index) => ({
    index: index.index,
    fields: index.fields,
    ...(index.unique === true ? named(index, () => uniquePlan(index)) : planOf(index, bits.get(index) as number)),
  }))
}

/** Plans all indexes over one field, in the order given. @throws as `planIndexes` */
export function planField(indexes: readonly Omit<PlanInput, 'shared'>[]): IndexPlan[] {
  assertArray(indexes, 'indexes')
  for (const index of indexes) assertObject(index, 'an index')
  const named = indexes.map((index, at) => ({ ...index, index: String(at), fields: ['field'] }))
  return planIndexes(named).map(({ index: _index, fields: _fields, ...plan }) => plan)
}

interface FieldBudget {
  readonly indexes: PlannedIndex[]
  rows: number
  total: number
  left: number
}

function fieldBudgets(counted: readonly PlannedIndex[], limits: ReadonlyMap<PlannedIndex, BitLimits>) {
  const budgets = new Map<string, FieldBudget>()
  for (const index of counted) {
    const total = (limits.get(index) as BitLimits).budget
    const rows = index.rows as number
    for (const field of index.fields) {
      const budget = budgets.get(field) ?? { indexes: [], rows, total, left: total }
      budget.indexes.push(index)
      // Indexes of one table planned for different numbers of rows: the smallest decides.
      if (rows < budget.rows) Object.assign(budget, { rows, total, left: total })
      budgets.set(field, budget)
    }
  }
  return budgets
}

function take(
  index: PlannedIndex,
  amount: number,
  budgets: ReadonlyMap<string, FieldBudget>,
  bits: Map<PlannedIndex, number>,
): void {
  bits.set(index, amount)
  for (const field of index.fields) {
    const budget = budgets.get(field) as FieldBudget
    budget.left -= amount
    if (budget.left < 0) throw overBudget(budget.total - budget.left, budget.total, budget.rows, field)
  }
}

/** Says in a refusal which index it is about: a record can have many. */
function named<Result>({ index }: PlannedIndex, plan: () => Result): Result {
  try {
    return plan()
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`index ${index}: ${error.message}`)
    if (error instanceof InvalidInputError) throw new InvalidInputError(`index ${index}: ${error.message}`)
    throw error
  }
}

/** Gives each waiting index its share, the most constrained first, so that what it cannot use goes to the others. */
function shareEvenly(
  counted: readonly PlannedIndex[],
  limits: ReadonlyMap<PlannedIndex, BitLimits>,
  budgets: ReadonlyMap<string, FieldBudget>,
  bits: Map<PlannedIndex, number>,
): void {
  const waiting = new Set(counted.filter((index) => !bits.has(index)))
  while (waiting.size > 0) {
    let next: PlannedIndex | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const index of waiting) {
      const shares = index.fields.map((field) => {
        const budget = budgets.get(field) as FieldBudget
        return Math.floor(budget.left / budget.indexes.filter((one) => waiting.has(one)).length)
      })
      const share = Math.min((limits.get(index) as BitLimits).usual, ...shares)
      if (share < fewest) [next, fewest] = [index, share]
    }
    if (next === undefined) return
    waiting.delete(next)
    take(next, fewest, budgets, bits)
  }
}

function assertDistinctNames(indexes: readonly PlannedIndex[]): void {
  const seen = new Set<string>()
  for (const { index, fields } of indexes) {
    if (seen.has(index)) throw new ConfigError(`two indexes use the column ${index}`)
    seen.add(index)
    if (fields.length === 0 || new Set(fields).size !== fields.length) {
      throw new InvalidInputError(`index ${index} must cover at least one field, and each only once`)
    }
  }
}
