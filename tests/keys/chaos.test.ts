import { expect, it } from 'vitest'
import { chaosRun } from '../../benchmarks/kms-chaos.ts'
import { recoveryRun } from '../../benchmarks/kms-recovery.ts'
import { stampedeRun } from '../../benchmarks/kms-stampede.ts'

/** Small versions of what `npm run bench -- kms` shows at full length. */

it('of many operations under chaos nearly all succeed, none gives a wrong key, and calls stay bounded', async () => {
  const report = await chaosRun({
    durationMs: process.env.STRONGROOM_SLOW === '1' ? 30_000 : 3_000,
    // Enough operations that one failure, which chance allows, is less than one in a thousand.
    atLeast: 1500,
    concurrency: 100,
    seed: 7,
    latencyMs: [1, 5],
    // Far above what a call takes: a machine that is busy for a second must not look like two services that hang.
    resilience: { attemptTimeoutMs: 2_000, deadlineMs: 15_000, backoffMs: 10, maxBackoffMs: 200, hedgeAfterMs: 60 },
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
  expect(report.worstSecond).toBeLessThanOrEqual(65) // 50 and the lateness of timers
  expect(report.worstSecond).toBeGreaterThan(10)
  expect(report.worstSecondWithout).toBeGreaterThan(300)
  expect(report.firstAnswerMs).toBeLessThan(1500)
})
