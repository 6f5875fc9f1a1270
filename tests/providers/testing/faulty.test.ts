import { describe, expect, test } from 'vitest'
import { type FaultPlan, faulty, memoryKms } from '../../../providers/testing/index.ts'

const context = { tenant: 'acme' }
const key = new Uint8Array(32).fill(9)

async function outcomes(plan: FaultPlan, calls: number): Promise<string[]> {
  const kms = faulty(memoryKms({ key }), { sleep: async () => {}, ...plan })
  const results: string[] = []
  for (let at = 0; at < calls; at++) {
    results.push(
      await kms.wrap(key, { context }).then(
        () => 'ok',
        (error) => error.kind,
      ),
    )
  }
  return results
}

describe('a KMS with faults', () => {
  test('without a plan behaves as the KMS behind it', async () => {
    const inner = memoryKms()
    const kms = faulty(inner, {})
    const wrapped = await kms.wrap(key, { context })
    expect(Buffer.from(await kms.unwrap(wrapped, { context }))).toEqual(Buffer.from(key))
    expect([kms.name, kms.keyId, kms.accepts(wrapped)]).toEqual([inner.name, inner.keyId, true])
    expect(kms.faults.none).toBe(2)
  })

  test('meets the same faults at the same calls with the same seed, and others with another', async () => {
    const plan = { throttled: 0.3, resets: 0.1 }
    const first = await outcomes({ ...plan, seed: 'a' }, 200)
    expect(await outcomes({ ...plan, seed: 'a' }, 200)).toEqual(first)
    expect(await outcomes({ ...plan, seed: 'b' }, 200)).not.toEqual(first)
  })

  test('meets each fault about as often as its share says', async () => {
    const results = await outcomes({ throttled: 0.3, resets: 0.1 }, 2000)
    const share = (kind: string) => results.filter((result) => result === kind).length / results.length
    expect(share('throttled')).toBeGreaterThan(0.26)
    expect(share('throttled')).toBeLessThan(0.34)
    expect(share('unavailable')).toBeGreaterThan(0.08)
    expect(share('unavailable')).toBeLessThan(0.12)
  })

  test('is down for exactly as long as the schedule says', async () => {
    let now = 1000
    const kms = faulty(memoryKms(), { outages: [[100, 200]], clock: () => now })
    const works = () =>
      kms.wrap(key, { context }).then(
        () => true,
        () => false,
      )
    const seen: boolean[] = []
    for (const at of [1000, 1099, 1100, 1199, 1200]) {
      now = at
      seen.push(await works())
    }
    expect(seen).toEqual([true, true, false, false, true])
    expect(kms.faults.outage).toBe(2)
  })

  test('a reset comes after the service did the work', async () => {
    const inner = memoryKms()
    await expect(faulty(inner, { resets: 1 }).wrap(key, { context })).rejects.toMatchObject({ retryable: true })
    expect(inner.calls.wrap).toBe(1)
  })

  test('answers an unwrap with another key, or with too few bytes', async () => {
    const inner = memoryKms()
    const wrapped = await inner.wrap(key, { context })
    const wrong = await faulty(inner, { wrongKeys: 1 }).unwrap(wrapped, { context })
    expect(wrong.byteLength).toBe(32)
    expect(Buffer.from(wrong)).not.toEqual(Buffer.from(key))
    expect((await faulty(inner, { shortKeys: 1 }).unwrap(wrapped, { context })).byteLength).toBe(31)
  })

  test('a call that hangs ends with the reason of its signal', async () => {
    const controller = new AbortController()
    const reason = new Error('too slow')
    const call = faulty(memoryKms(), { timeouts: 1 }).wrap(key, { context, signal: controller.signal })
    setTimeout(() => controller.abort(reason), 5)
    await expect(call).rejects.toBe(reason)
  })

  test('a call that hangs gives up by itself, and every call takes the latency of the plan', async () => {
    const slept: number[] = []
    const sleep = async (ms: number) => void slept.push(ms)
    const kms = faulty(memoryKms(), { timeouts: 1, timeoutMs: 250, latencyMs: [10, 20], sleep })
    await expect(kms.wrap(key, { context })).rejects.toMatchObject({ kind: 'unavailable' })
    expect(slept[0]).toBeGreaterThanOrEqual(10)
    expect(slept[0]).toBeLessThanOrEqual(20)
    expect(slept[1]).toBe(250)
  })

  test.each([{ throttled: 1.1 }, { throttled: -0.1 }, { throttled: 0.6, resets: 0.6 }, { resets: Number.NaN }])(
    'refuses shares that cannot be: %o',
    (plan) => {
      expect(() => faulty(memoryKms(), plan)).toThrow(TypeError)
    },
  )
})
