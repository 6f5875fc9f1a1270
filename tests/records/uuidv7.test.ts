import { describe, expect, test } from 'vitest'
import { uuidv7 } from '../../src/records/uuidv7.ts'

describe('a pre-allocated id', () => {
  test('has the time, version and variant of the example in RFC 9562, appendix A.6', () => {
    const id = uuidv7(0x017f22e279b0)
    expect(id).toMatch(/^017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  test('begins with the present time if none is given', () => {
    const before = Date.now()
    const time = Number.parseInt(uuidv7().replace('-', '').slice(0, 12), 16)
    expect(time).toBeGreaterThanOrEqual(before)
    expect(time).toBeLessThanOrEqual(Date.now())
  })

  test('varies in each of its 74 random bits and nowhere else within one millisecond', () => {
    let varied = 0n
    const bits = (id: string) => BigInt(`0x${id.replaceAll('-', '')}`)
    const first = bits(uuidv7(1))
    for (let i = 0; i < 200; i++) varied |= first ^ bits(uuidv7(1))
    expect(varied).toBe(0x0000_0000_0000_0fff_3fff_ffff_ffff_ffffn)
  })

  test('sorts as text by the millisecond, from the first to the last', () => {
    const ids = [0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1].map((time) => uuidv7(time))
    expect(ids.toSorted()).toEqual(ids)
  })

  test('never comes twice in 20,000', () => {
    expect(new Set(Array.from({ length: 20_000 }, () => uuidv7(5))).size).toBe(20_000)
  })

  test.each([-1, 0.5, 2 ** 48, Number.NaN, Number.POSITIVE_INFINITY, '1' as never, null as never, new Date() as never])(
    'refuses %s as a time',
    (time) => {
      expect(() => uuidv7(time)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_INPUT' }))
    },
  )
})
