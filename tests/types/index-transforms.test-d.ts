import { bucket, date, type OwnTransform, planIndex, prefix, text } from 'strongroom'
import { expectTypeOf, test } from 'vitest'

test('an index takes a named transform, a made one or your own, and no other', () => {
  const index = { column: 'tags', rows: 1_000 } as const
  text({ index: { ...index, transform: 'email' } })
  text({ index: { ...index, transform: prefix(3) } })
  text({ index: { ...index, transform: { id: 'mine-v1', apply: (value: string) => value } } })
  date({ index: { ...index, transform: 'decade' } })
  // @ts-expect-error no transform has this name
  text({ index: { ...index, transform: 'soundex' } })
  // @ts-expect-error a transform needs an id
  text({ index: { ...index, transform: { apply: (value: string) => value } } })
  // @ts-expect-error a transform returns text or bytes
  text({ index: { ...index, transform: { id: 'mine-v1', apply: (value: string) => value.length } } })
})

test('a transform of your own knows what it is given', () => {
  const own: OwnTransform<Date> = { id: 'weekday-v1', apply: (value) => String(value.getUTCDay()) }
  expectTypeOf(own.apply).parameter(0).toEqualTypeOf<Date>()
  // @ts-expect-error a date is no text
  own.apply('monday')
})

test('plans and transforms are made from numbers', () => {
  expectTypeOf(planIndex({ rows: 1_000 }).bits).toBeNumber()
  expectTypeOf(bucket(10n).apply).parameter(0).toEqualTypeOf<number | bigint>()
  // @ts-expect-error rows are a number
  planIndex({ rows: '1000' })
  // @ts-expect-error a prefix has a length
  prefix()
})
