import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigError, InvalidInputError } from '../../src/errors.ts'
import { type PlanInput, planIndex } from '../../src/index/planner.ts'

describe('a planned index', () => {
  // The table of docs/search.md and of the specification.
  test.each([
    [1e3, 5, 7, 8, 8],
    [1e4, 7, 11, 12, 5],
    [1e5, 9, 14, 15, 6],
    [1e6, 10, 17, 18, 8],
    [1e7, 12, 21, 22, 5],
    [1e8, 14, 24, 25, 6],
    [1e9, 15, 27, 28, 7],
  ])('of %d rows has %d to %d to %d bits and %d extra rows', (rows, least, usual, most, extra) => {
    const plan = planIndex({ rows })
    expect(plan.bits).toBe(usual)
    expect(Math.round(plan.falsePositives)).toBe(extra)
    expect(plan.warnAtRows).toBe(4 * rows)
    expect(planIndex({ rows, bits: least }).bits).toBe(least)
    expect(planIndex({ rows, bits: most }).bits).toBe(most)
    for (const bits of [least - 1, most + 1]) {
      expect(() => planIndex({ rows, bits })).toThrow(`${rows} rows can have ${least} to ${most} bits, not ${bits}`)
    }
  })

  test('stays inside its window for every number of rows, by exact arithmetic', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.integer({ min: 16, max: 100_000 }),
          fc.maxSafeNat().filter((rows) => rows >= 16),
          fc.integer({ min: 4, max: 52 }).map((power) => 2 ** power),
          fc.integer({ min: 5, max: 53 }).map((power) => 2 ** power - 1),
        ),
        (rows) => {
          const { bits, bytes, falsePositives } = planIndex({ rows })
          const exact = BigInt(rows)
          assert(2n ** BigInt(bits + 1) <= exact) // at most ⌊log2 R⌋ − 1
          // At least ½·log2 R, except where that is above ⌊log2 R⌋ − 1.
          assert(4n ** BigInt(bits) >= exact || 2n ** BigInt(bits + 2) > exact)
          assert.equal(bytes, 1 + Math.ceil(bits / 8))
          assert(falsePositives >= 2)
        },
      ),
      { numRuns: 10_000 },
    )
  })

  test('with few distinct values has so few bits that two of them share each group on average', () => {
    expect(planIndex({ rows: 1e6, distinct: 10_000 })).toMatchObject({ bits: 12, bytes: 3, distinct: 10_000 })
    expect(planIndex({ rows: 1e6, distinct: 2 ** 18 }).bits).toBe(17)
    expect(planIndex({ rows: 1e6, distinct: 2 ** 18 - 1 }).bits).toBe(16)
    expect(planIndex({ rows: 1e6, distinct: 32 }).bits).toBe(4)
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 1e9 }), fc.integer({ min: 32, max: 1e9 }), (rows, distinct) => {
        const { bits } = planIndex({ rows, distinct })
        assert(2 ** (bits + 1) <= distinct)
        assert(bits <= planIndex({ rows }).bits)
        assert(bits >= 1)
      }),
      { numRuns: 10_000 },
    )
  })

  test('tells how many rows of other values a lookup returns', () => {
    expect(planIndex({ rows: 1e6 }).falsePositives).toBeCloseTo(7.63, 2)
    expect(planIndex({ rows: 1e6, distinct: 100 }).falsePositives).toBeCloseTo((1e6 - 1e4) / 32, 2)
  })

  test('refuses few rows, few distinct values, and says what to do instead', () => {
    expect(() => planIndex({ rows: 15 })).toThrow(/at least 16 rows, planned 15: decrypt so few rows/)
    expect(() => planIndex({ rows: 1e6, distinct: 31 })).toThrow(/31 distinct values.*declare a compound index/)
    expect(() => planIndex({ rows: 1e6, distinct: 2 })).toThrow(ConfigError)
    expect(() => planIndex({ rows: 1e6, distinct: 2, bits: 12 })).toThrow(ConfigError)
    expect(() => planIndex({ rows: 1e6, distinct: 10_000, bits: 13 })).toThrow(
      '10000 distinct values can have 10 to 12 bits, not 13',
    )
  })

  test('shares the budget of its field', () => {
    expect(planIndex({ rows: 1e6, shared: 10 }).bits).toBe(8)
    expect(planIndex({ rows: 1e6, shared: 1 }).bits).toBe(17)
    expect(planIndex({ rows: 1e6, shared: 10, bits: 3 }).bits).toBe(3)
    expect(() => planIndex({ rows: 1e6, shared: 10, bits: 9 })).toThrow('use 19 bits, and 1000000 rows allow 18')
    expect(() => planIndex({ rows: 1e6, shared: 18 })).toThrow(ConfigError)
  })

  test.each<[string, unknown]>([
    ['no rows', {}],
    ['rows as text', { rows: '1000' }],
    ['rows that are not whole', { rows: 1000.5 }],
    ['NaN rows', { rows: Number.NaN }],
    ['infinite rows', { rows: Number.POSITIVE_INFINITY }],
    ['no row at all', { rows: 0 }],
    ['rows below zero', { rows: -5 }],
    ['rows beyond exact integers', { rows: 2 ** 53 }],
    ['a bigint of rows', { rows: 1000n }],
    ['bits as text', { rows: 1000, bits: '7' }],
    ['half a bit', { rows: 1000, bits: 6.5 }],
    ['no bits', { rows: 1000, bits: 0 }],
    ['null bits', { rows: 1000, bits: null }],
    ['distinct values as text', { rows: 1000, distinct: '99' }],
    ['no distinct value', { rows: 1000, distinct: 0 }],
    ['shared bits below zero', { rows: 1000, shared: -1 }],
  ])('refuses %s as wrong input', (_, input) => {
    expect(() => planIndex(input as PlanInput)).toThrow(InvalidInputError)
  })
})

describe('a unique index', () => {
  test('has 128 bits whatever the rows, and says that equal values show', () => {
    const plan = planIndex({ unique: true })
    expect(plan).toMatchObject({ bits: 128, bytes: 17, unique: true, falsePositives: 0, warnAtRows: undefined })
    expect(plan.leaks).toContain('exactly')
    expect(planIndex({ unique: true, rows: 3 }).bits).toBe(128)
    expect(planIndex({ unique: true, rows: 1e9, shared: 99 }).bits).toBe(128)
  })

  test('refuses bits, fewer values than rows, and rows that are no number', () => {
    expect(() => planIndex({ unique: true, bits: 128 })).toThrow(ConfigError)
    expect(() => planIndex({ unique: true, rows: 1e6, distinct: 10_000 })).toThrow(ConfigError)
    expect(() => planIndex({ unique: true, distinct: 2 })).toThrow(ConfigError)
    expect(() => planIndex({ unique: true, rows: Number.NaN })).toThrow(InvalidInputError)
  })
})
