import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigError, InvalidInputError } from '../../src/errors.ts'
import { type PlannedIndex, planField, planIndexes } from '../../src/index/budget.ts'
import { explainIndexPlan } from '../../src/index/explain.ts'
import { planIndex } from '../../src/index/planner.ts'
import { withoutStacks } from '../without-stacks.ts'

const bitsOf = (indexes: readonly PlannedIndex[]) => planIndexes(indexes).map(({ bits }) => bits)

describe('the indexes over one field', () => {
  const rows = 1_000_000 // 18 bits together

  test('have their own plan when there is one', () => {
    expect(planField([{ rows }])).toEqual([planIndex({ rows })])
    expect(planField([{ rows, distinct: 10_000 }])).toEqual([planIndex({ rows, distinct: 10_000 })])
    expect(planField([])).toEqual([])
  })

  test('divide the bits of the field evenly', () => {
    const bits = (...indexes: object[]) => planField(indexes.map((index) => ({ rows, ...index }))).map((p) => p.bits)
    expect(bits({}, {})).toEqual([9, 9])
    expect(bits({}, {}, {})).toEqual([6, 6, 6])
    expect(bits({}, {}, {}, {})).toEqual([4, 4, 5, 5])
    expect(bits({ bits: 12 }, {})).toEqual([12, 6])
    expect(bits({ bits: 12 }, { bits: 6 })).toEqual([12, 6])
    expect(bits({ distinct: 32 }, {})).toEqual([4, 14])
    expect(bits({ unique: true }, {})).toEqual([128, 17])
    expect(bits({ bits: 3 }, {})).toEqual([3, 15])
  })

  test('are refused when explicit bits do not fit, with the numbers', () => {
    expect(() =>
      planField([
        { rows, bits: 12 },
        { rows, bits: 7 },
      ]),
    ).toThrow('use 19 bits, and 1000000 rows allow 18')
    expect(() => planField([{ rows, bits: 18 }, { rows }])).toThrow('use 19 bits, and 1000000 rows allow 18')
    expect(() => planField([{ rows, bits: 19 }, { rows }])).toThrow('can have 1 to 18 bits, not 19')
    expect(() => planField(Array(19).fill({ rows }))).toThrow(ConfigError)
    expect(() => planField([{ rows, bits: 9 }])).toThrow('can have 10 to 18 bits, not 9')
  })

  test('follow the smallest number of rows', () => {
    expect(planField([{ rows: 1e6 }, { rows: 1_000 }]).map(({ bits }) => bits)).toEqual([4, 4])
    expect(() =>
      planField([
        { rows: 1e6, bits: 6 },
        { rows: 1_000, bits: 5 },
      ]),
    ).toThrow('1000 rows allow 8')
  })
})

describe('the indexes of a record', () => {
  withoutStacks()

  const rows = 1_000_000
  const one = (index: string, fields: string[], rest: object = {}): PlannedIndex => ({ index, fields, rows, ...rest })

  test('count a compound index against each of its fields', () => {
    expect(bitsOf([one('a', ['name', 'birth'])])).toEqual([17])
    expect(bitsOf([one('a', ['name']), one('b', ['name', 'birth'])])).toEqual([9, 9])
    expect(bitsOf([one('a', ['name']), one('b', ['name', 'birth']), one('c', ['birth'])])).toEqual([9, 9, 9])
    expect(bitsOf([one('a', ['name'], { bits: 10 }), one('b', ['name', 'birth']), one('c', ['birth'])])).toEqual([
      10, 8, 10,
    ])
    expect(bitsOf([one('a', ['name']), one('b', ['email'])])).toEqual([17, 17])
    expect(() => planIndexes([one('a', ['name'], { bits: 12 }), one('b', ['name', 'birth'], { bits: 12 })])).toThrow(
      'the indexes over field name use 24 bits, and 1000000 rows allow 18',
    )
  })

  test('are named in every refusal', () => {
    expect(() => planIndexes([one('gender_index', ['gender'], { distinct: 3 })])).toThrow(
      /^index gender_index: .*compound/,
    )
    expect(() => planIndexes([one('b', ['x'], { bits: 40 })])).toThrow(/^index b: /)
    expect(() => planIndexes([one('b', ['x'], { rows: 'many' })])).toThrow(/^index b: rows must be a positive integer/)
    expect(() => planIndexes([one('b', ['x'], { unique: true, bits: 9 })])).toThrow(/^index b: a unique index/)
    expect(() => planIndexes([one('b', ['x'], { rows: '1' })])).toThrow(InvalidInputError)
  })

  test('are refused when two share a column, or one covers no field or the same twice', () => {
    expect(() => planIndexes([one('a', ['x']), one('a', ['y'])])).toThrow(ConfigError)
    expect(() => planIndexes([one('a', [])])).toThrow(InvalidInputError)
    expect(() => planIndexes([one('a', ['x', 'x'])])).toThrow(InvalidInputError)
  })

  test('keep every budget, window and cap, whatever is declared, and waste none of a lone index', () => {
    const anyIndex = fc.record({
      fields: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'), {
        minLength: 1,
        maxLength: 3,
      }),
      distinct: fc.option(fc.integer({ min: 1, max: 1e7 }), { nil: undefined }),
      bits: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined, freq: 4 }),
      unique: fc.option(fc.constant(true), { nil: undefined, freq: 8 }),
    })
    let planned = 0
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 1e9 }), fc.array(anyIndex, { maxLength: 6 }), (rows, list) => {
        const indexes = list.map((index, at) => ({ ...index, rows, index: `i${at}` }))
        let plans: ReturnType<typeof planIndexes>
        try {
          plans = planIndexes(indexes)
        } catch (error) {
          assert(error instanceof ConfigError)
          return
        }
        planned++
        const used = new Map<string, number>()
        plans.forEach((plan, at) => {
          const index = indexes[at] as PlannedIndex
          assert.deepEqual([plan.index, plan.fields], [index.index, index.fields])
          if (plan.unique) return
          assert(plan.bits >= 1)
          if (index.bits !== undefined) assert.equal(plan.bits, index.bits)
          if (index.distinct !== undefined) assert(2 ** (plan.bits + 1) <= index.distinct)
          for (const field of index.fields) used.set(field, (used.get(field) ?? 0) + plan.bits)
        })
        for (const bits of used.values()) assert(2 ** (bits + 1) <= rows)
      }),
      { numRuns: 10_000 },
    )
    expect(planned).toBeGreaterThan(1_000)
  })

  test('are shown as a table', () => {
    const table = explainIndexPlan(
      planIndexes([
        one('email_index', ['email']),
        one('ssn_last4', ['ssn'], { distinct: 10_000 }),
        { index: 'login_index', fields: ['login'], unique: true },
      ]),
    )
    expect(table.split('\n')).toEqual([
      'index        fields       rows  distinct  bits  bytes  extra rows  plan again at  shows',
      'email_index  email   1,000,000              17      4         7.6      4,000,000  which of 131,072 groups a row belongs to, and how many rows each group has',
      'ssn_last4    ssn     1,000,000    10,000    12      3         244      4,000,000  which of 4,096 groups a row belongs to, and how many rows each group has',
      'login_index  login                         128     17           0                 exactly which rows have equal values',
    ])
    expect(explainIndexPlan([])).toMatch(/^index/)
  })
})
