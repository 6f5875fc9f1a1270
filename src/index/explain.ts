import { assertArray, assertObject, assertText, assertWhole, describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import type { NamedIndexPlan } from './budget.ts'

/** Shows plans as a text table, for a terminal or a document. @returns lines without a final line break @throws InvalidInputError */
export function explainIndexPlan(plans: readonly NamedIndexPlan[]): string {
  assertArray(plans, 'plans')
  for (const plan of plans) assertPlan(plan)
  const rows = plans.map((plan) => [
    plan.index,
    plan.fields.join(', '),
    plan.rows === undefined ? '' : grouped(plan.rows),
    plan.distinct === undefined ? '' : grouped(plan.distinct),
    String(plan.bits),
    String(plan.bytes),
    plan.unique ? '0' : atLeastOneDigit(plan.falsePositives),
    plan.warnAtRows === undefined ? '' : grouped(plan.warnAtRows),
    plan.leaks,
  ])
  const table = [TITLES, ...rows]
  const widths = TITLES.map((_, column) => Math.max(...table.map((row) => (row[column] as string).length)))
  return table
    .map((row) =>
      row
        .map((cell, column) =>
          NUMERIC.has(column) ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] as number),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const TITLES = ['index', 'fields', 'rows', 'distinct', 'bits', 'bytes', 'extra rows', 'plan again at', 'shows']
const NUMERIC = new Set([2, 3, 4, 5, 6, 7])

/** Sizes that a unique index may leave out. */
const OPTIONAL: readonly unknown[] = ['rows', 'distinct', 'warnAtRows']

function assertPlan(plan: NamedIndexPlan): void {
  assertObject(plan, 'a plan')
  assertText(plan.index, 'the index of a plan')
  assertText(plan.leaks, 'what an index shows')
  assertArray(plan.fields, 'the fields of a plan')
  for (const field of plan.fields) assertText(field, 'a field of a plan')
  for (const name of ['rows', 'distinct', 'warnAtRows', 'bits', 'bytes'] as const) {
    const value = plan[name]
    if (value === undefined && OPTIONAL.includes(name)) continue
    assertWhole(value, `${name} of a plan`, 1, Number.MAX_SAFE_INTEGER)
  }
  if (!Number.isFinite(plan.falsePositives) || plan.falsePositives < 0) {
    const received = describe(plan.falsePositives)
    throw new InvalidInputError(`falsePositives of a plan must be a number from 0, received ${received}`)
  }
  if (typeof plan.unique !== 'boolean') {
    throw new InvalidInputError(`unique of a plan must be true or false, received ${describe(plan.unique)}`)
  }
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

function atLeastOneDigit(count: number): string {
  return count >= 10 ? grouped(Math.round(count)) : count.toFixed(1)
}
