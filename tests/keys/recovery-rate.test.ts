import fc from 'fast-check'
import { expect, it } from 'vitest'
import { RecoveryRate } from '../../src/keys/recovery-rate.ts'

it('holds nobody back in normal times', () => {
  const rate = new RecoveryRate(10, 1000)
  for (let now = 0; now < 100; now++) expect(rate.take(now, 5000)).toBe(0)
})

it('spaces calls out evenly while the service recovers, and stops when it has', () => {
  const rate = new RecoveryRate(10, 1000)
  rate.restart(0)
  expect([rate.take(0, 5000), rate.take(0, 5000), rate.take(0, 5000), rate.take(150, 5000)]).toEqual([0, 100, 200, 150])
  expect(rate.take(1000, 5000)).toBe(0)
})

it('turns away at once who could not be served in time, and takes no slot for them', () => {
  const rate = new RecoveryRate(10, 1000)
  rate.restart(0)
  rate.take(0, 0)
  expect(rate.take(0, 50)).toBeUndefined()
  expect(rate.take(0, 100)).toBe(100)
})

it('never lets more calls start in any second than it says', () => {
  const arrivals = fc.array(fc.nat(3000), { minLength: 1, maxLength: 300 })
  fc.assert(
    fc.property(arrivals, fc.integer({ min: 1, max: 50 }), (times, perSecond) => {
      const rate = new RecoveryRate(perSecond, 1e9)
      rate.restart(0)
      const starts = times
        .sort((a, b) => a - b)
        .map((now) => now + (rate.take(now, 1e9) as number))
        .sort((a, b) => a - b)
      for (const [index, start] of starts.entries()) {
        const inSecond = starts.slice(index).filter((other) => other < start + 999.999).length
        expect(inSecond).toBeLessThanOrEqual(perSecond)
      }
    }),
  )
})
