import { faulty, memoryKms } from '../providers/testing/index.ts'
import { EventHub } from '../src/events.ts'
import { kmsGroup } from '../src/keys/kms-group.ts'
import type { ResilienceOptions } from '../src/keys/resilience-options.ts'
import { SimulatedClock } from './simulated-clock.ts'

/** An outage, and who waits for its end. */
export interface RecoveryOptions {
  /** ms of simulated time before the outage, the outage, and after it. */
  readonly phasesMs: readonly [before: number, outage: number, after: number]
  /** Callers that each ask again as soon as they have an answer, and after a short wait when it was an error. */
  readonly callers: number
  readonly resilience: ResilienceOptions
}

/** What reached the service. */
export interface RecoveryReport {
  /** Calls that reached it in each second, or in each tenth of the outage when that is shorter than 10 s. */
  readonly perSlot: readonly number[]
  readonly slotMs: number
  /** Most calls in any second while it recovered. */
  readonly worstSecond: number
  /** The same for callers without Strongroom's resilience. */
  readonly worstSecondWithout: number
  /** ms from the end of the outage to the first answer. */
  readonly firstAnswerMs: number
}

const CALLER_WAIT_MS = 100

/** Lets many callers hammer a service that is down for a while, in simulated time, and counts what reaches it. */
export async function recoveryRun(options: RecoveryOptions): Promise<RecoveryReport> {
  const [withGroup, without] = await Promise.all([hammered(options, true), hammered(options, false)])
  const [before, outage] = options.phasesMs
  const up = before + outage
  const firstAnswer = withGroup.answers.find((at) => at >= up) ?? Number.POSITIVE_INFINITY
  const recovered = firstAnswer + (options.resilience.recoveryMs ?? 10_000) - 1000
  const slotMs = Math.min(1000, outage / 10)
  const slots = Math.ceil(options.phasesMs.reduce((sum, phase) => sum + phase, 0) / slotMs)
  return {
    slotMs,
    perSlot: Array.from({ length: slots }, (_, at) => countIn(withGroup.calls, at * slotMs, slotMs)),
    worstSecond: worst(withGroup.calls, up, recovered),
    worstSecondWithout: worst(without.calls, up, recovered),
    firstAnswerMs: firstAnswer - up,
  }
}

function hammered(options: RecoveryOptions, resilient: boolean) {
  const clock = new SimulatedClock()
  return clock.run(() => hammer(clock, options, resilient))
}

async function hammer(clock: SimulatedClock, { phasesMs, callers, resilience }: RecoveryOptions, resilient: boolean) {
  const [before, outage, after] = phasesMs
  const memory = memoryKms()
  const context = { row: '1' }
  const wrapped = await memory.wrap(Buffer.alloc(32, 1), { context })
  const calls: number[] = []
  const answers: number[] = []
  const service = faulty(memory, {
    latencyMs: [5, 15],
    outages: [[before, before + outage]],
    clock: () => clock.now(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  })
  const counted: typeof memory = {
    ...memory,
    unwrap: (wrap, call) => {
      calls.push(clock.now())
      return service.unwrap(wrap, call)
    },
  }
  const group = kmsGroup({ providers: [counted], events: new EventHub(), clock, ...resilience })
  const ask = () =>
    resilient ? group.unwrap([wrapped], { context }, () => true) : counted.unwrap(wrapped, { context })
  const ends = before + outage + after
  const caller = async () => {
    while (clock.now() < ends) {
      await ask().then(
        () => answers.push(clock.now()),
        () => clock.sleep(Math.random() * CALLER_WAIT_MS),
      )
      await clock.sleep(Math.random() * CALLER_WAIT_MS)
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return { calls, answers }
}

function countIn(times: readonly number[], from: number, length: number): number {
  return times.filter((at) => at >= from && at < from + length).length
}

/** Most calls in any window of one second that starts between the two times. */
function worst(times: readonly number[], from: number, to: number): number {
  return Math.max(0, ...times.filter((at) => at >= from && at < to).map((at) => countIn(times, at, 1000)))
}
