import { chaosRun } from './kms-chaos.ts'
import { firstCallRun } from './kms-first-call.ts'
import { overheadRun } from './kms-overhead.ts'
import { recoveryRun } from './kms-recovery.ts'
import { stampedeRun } from './kms-stampede.ts'
import type { Result, Suite } from './result.ts'

const ID = 'KMS'

/** Services that fail, recover, and are asked by many at once. About a minute; with `--quick` about a quarter of one. */
export const kms: Suite = async ({ quick }) => [
  ...(await chaos(quick)),
  ...(await stampede()),
  ...(await recovery(quick)),
  ...(await overhead(quick)),
  ...(await firstCall(quick)),
]

async function chaos(quick: boolean): Promise<Result[]> {
  const report = await chaosRun({
    durationMs: quick ? 6_000 : 90_000,
    concurrency: 50,
    seed: 1,
    latencyMs: [5, 25],
  })
  const share = (100 * report.succeeded) / report.operations
  const line = (
    what: string,
    value: number,
    target?: Result['target'],
    measured = value.toLocaleString('en'),
  ): Result => ({
    id: ID,
    what,
    measured,
    value,
    ...(target && { target }),
  })
  return [
    line(
      'chaos: operations that succeed, %',
      share,
      { atLeast: 99.9 },
      `${share.toFixed(3)} of ${report.operations.toLocaleString('en')}`,
    ),
    line('chaos: wrong keys handed out', report.wrongKeys, { atMost: 0 }),
    line('chaos: keys written in the clear', report.plaintextWritten, { atMost: 0 }),
    line('chaos: errors that are no StrongroomError', report.strangeErrors, { atMost: 0 }),
    line(
      'chaos: calls for each operation',
      report.callsPerOperation,
      { atMost: 4 },
      report.callsPerOperation.toFixed(2),
    ),
  ]
}

async function stampede(): Promise<Result[]> {
  const { callers, decrypted, kmsCalls, storeReads } = await stampedeRun()
  const calls = kmsCalls.reduce((sum, count) => sum + count, 0)
  return [
    {
      id: ID,
      what: `stampede: KMS calls for ${callers} cold callers`,
      measured: String(calls),
      value: calls,
      target: { atMost: 1 },
    },
    { id: ID, what: 'stampede: store reads', measured: String(storeReads), value: storeReads, target: { atMost: 1 } },
    {
      id: ID,
      what: 'stampede: callers served',
      measured: String(decrypted),
      value: decrypted,
      target: { atLeast: callers },
    },
  ]
}

async function recovery(quick: boolean): Promise<Result[]> {
  const report = await recoveryRun({
    phasesMs: quick ? [1_000, 5_000, 4_000] : [5_000, 30_000, 15_000],
    callers: 200,
    resilience: quick ? { maxProbeAfterMs: 1_000 } : {},
  })
  return [
    {
      id: ID,
      what: 'recovery: most calls in a second, cap 50',
      measured: String(report.worstSecond),
      value: report.worstSecond,
      target: { atMost: 51 },
    },
    { id: ID, what: 'recovery: the same without the layer', measured: String(report.worstSecondWithout) },
    {
      id: ID,
      what: 'recovery: first answer after the outage, ms',
      measured: report.firstAnswerMs.toFixed(0),
      value: report.firstAnswerMs,
      target: { atMost: 5_100 },
    },
    { id: ID, what: `recovery: calls in each ${report.slotMs} ms`, measured: report.perSlot.join(' ') },
  ]
}

async function overhead(quick: boolean): Promise<Result[]> {
  const { callUs, addedUs, added } = await overheadRun(quick ? 5 : 50)
  const measured = `${(added * 100).toFixed(1)}  (${addedUs.toFixed(0)} of ${callUs.toFixed(0)} µs)`
  const what = 'healthy call: added to a loopback call by the resilience layer, %'
  return [{ id: ID, what, measured, value: added * 100, target: { atMost: 5 } }]
}

async function firstCall(quick: boolean): Promise<Result[]> {
  const { grpcMs, restMs } = await firstCallRun(quick ? 1 : 7)
  return [
    { id: ID, what: 'Google, first call by gRPC, ms', measured: grpcMs.toFixed(0) },
    { id: ID, what: 'Google, first call by REST, ms', measured: restMs.toFixed(0) },
  ]
}
