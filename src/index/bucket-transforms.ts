import { describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import { builtIn, type IndexTransform } from './transform.ts'
import { bigintBytes, numberBytes } from './value-bytes.ts'

/** Calendar days, UTC. Index specification section 4.7. */
export const day: IndexTransform<Date> = calendar('date-day-utc-v1', 36_525, (date) => date)

/** Calendar months, UTC. */
export const month: IndexTransform<Date> = calendar('date-month-utc-v1', 1_200, (date) => date.slice(0, -3))

/** Calendar years, UTC. */
export const year: IndexTransform<Date> = calendar('date-year-utc-v1', 100, yearOf)

/** Calendar decades, UTC: 1980 stands for 1980 to 1989. */
export const decade: IndexTransform<Date> = calendar('date-decade-utc-v1', 10, (date) =>
  String(Math.floor(Number(yearOf(date)) / 10) * 10),
)

/**
 * Numbers in steps of `size`, for ranges: `bucket(1000)` puts 0 to 999 in one bucket, −1000 to −1 in the one below.
 * Plan for it: state `distinct`, about the span of your values divided by `size`; 100 is assumed. Section 4.8.
 *
 * @param size above 0; a whole number for `integer` and `bigint` fields; from 0.000001 to 2^53 − 1, or any positive bigint below 2^64
 * @throws InvalidInputError
 */
export function bucket(size: number | bigint): IndexTransform<number | bigint> {
  assertSize(size)
  const id = `bucket-${size}-v1`
  return {
    [builtIn]: true,
    id,
    accepts: Number.isInteger(Number(size)) ? ['integer', 'number', 'bigint'] : ['number'],
    assumedDistinct: 100,
    apply(value) {
      if (typeof value === 'bigint') return bigintBytes(floorDivide(value, BigInt(size)))
      if (!Number.isFinite(value)) throw new InvalidInputError(`transform ${id} needs a finite number`)
      return numberBytes(Math.floor(value / Number(size)))
    },
  }
}

function calendar(id: string, assumedDistinct: number, part: (date: string) => string): IndexTransform<Date> {
  return {
    [builtIn]: true,
    id,
    accepts: ['date'],
    assumedDistinct,
    apply: (value) => part(value.toISOString().slice(0, -'T00:00:00.000Z'.length)),
  }
}

function yearOf(date: string): string {
  return date.slice(0, -'-01-01'.length)
}

function floorDivide(value: bigint, size: bigint): bigint {
  const quotient = value / size
  return value % size < 0n ? quotient - 1n : quotient
}

function assertSize(size: unknown): asserts size is number | bigint {
  const valid =
    typeof size === 'bigint'
      ? size > 0n && size < 2n ** 64n
      : typeof size === 'number' && size >= 0.000001 && size <= Number.MAX_SAFE_INTEGER
  if (!valid) throw new InvalidInputError(`bucket size must be a number above 0, received ${describe(size)}`)
}
