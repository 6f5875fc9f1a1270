const DIGITS_OF_SINGLE = 9

/**
 * The shortest decimal that a number of 32 bits is told by, as the number of 64 bits with the same digits: 0.1 for what is
 * 0.10000000149011612 when it is widened.
 */
export function shortestSingle(single: number): number {
  for (let digits = 1; digits < DIGITS_OF_SINGLE; digits++) {
    const shorter = Number(single.toPrecision(digits))
    if (Math.fround(shorter) === single) return shorter
  }
  return Number(single.toPrecision(DIGITS_OF_SINGLE))
}
