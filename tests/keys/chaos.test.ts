import { expect, it } from 'vitest'
import { chaosRun } from '../../benchmarks/kms-chaos.ts'
import { recoveryRun } from '../../benchmarks/kms-recovery.ts'
import { stampedeRun } from '../../benchmarks/kms-stampede.ts'

/** Small versions of what `npm run bench -- kms` shows at full length. */

it('of many operations under chaos nearly all succeed, none gives a wrong key, and calls stay bounded', async () => {
  const report = await chaosRun({
    durationMs: process.env.STRONGROOM_SLOW === '1' ? 90_000 : 15_000,
    concurrency: 50,
    seed: 7,
    latencyMs: [5, 25],
  })
  expect(report.operations).toBeGreaterThanOrEqual(1500)
  expect(report.faults.outage).toBeGreaterThan(0)
  expect(report.faults.throttled).toBeGreaterThan(50)
  expect(report.succeeded / report.operations).toBeGreaterThanOrEqual(0.999)
  expect(report).toMatchObject({ wrongKeys: 0, plaintextWritten: 0, strangeErrors: 0 })
  expect(report.callsPerOperation).toBeLessThan(4)
}, 90_000)

it('3,000 callers whose key is not in memory make one KMS call and one store read', async () => {
  expect(await stampedeRun()).toEqual({ callers: 3000, decrypted: 3000, kmsCalls: [1, 0], storeReads: 1 })
})

it('after an outage calls come back at the stated rate, not all at once', async () => {
  const report = await recoveryRun({
    phasesMs: [200, 1000, 1800],
    callers: 100,
    resilience: { recoveryPerSecond: 50, recoveryMs: 4000, probeAfterMs: 200, maxProbeAfterMs: 400 },
  })
  expect(report.worstSecond).toBeLessThanOrEqual(51) // 50 in a second, and the one at its end
  expect(report.worstSecond).toBeGreaterThan(10)
  expect(report.worstSecondWithout).toBeGreaterThan(300)
  expect(report.firstAnswerMs).toBeLessThan(1500)
})
