import { type FaultyKms, faulty, memoryKms } from '../providers/testing/index.ts'
import { equalBytes } from '../src/bytes.ts'
import { randomBytes } from '../src/crypto/random.ts'
import { StrongroomError } from '../src/errors.ts'
import { EventHub } from '../src/events.ts'
import { kmsGroup } from '../src/keys/kms-group.ts'
import type { ResilienceOptions } from '../src/keys/resilience-options.ts'
import type { KmsProvider, WrappedKey } from '../src/kms.ts'
import { SimulatedClock } from './simulated-clock.ts'

/** What a chaos run is made of. */
export interface ChaosOptions {
  /** How long it runs, in ms of simulated time. The first provider is down for the middle third. */
  readonly durationMs: number
  /** Operations in flight at any moment. */
  readonly concurrency: number
  /** The same seed, the same faults. */
  readonly seed: number
  readonly latencyMs: readonly [number, number]
  readonly resilience?: ResilienceOptions & { readonly hedgeAfterMs?: number }
}

/** What came of it. */
export interface ChaosReport {
  readonly operations: number
  readonly succeeded: number
  /** Keys handed out that were not the key: must be 0. */
  readonly wrongKeys: number
  /** Wraps that held their key in the clear: must be 0. */
  readonly plaintextWritten: number
  /** Errors that are none of Strongroom's: must be 0. */
  readonly strangeErrors: number
  readonly calls: number
  readonly callsPerOperation: number
  readonly faults: Readonly<Record<string, number>>
}

const FAULTS = { throttled: 0.3, timeouts: 0.05, resets: 0.02, wrongKeys: 0.005, shortKeys: 0.005 }
const KEYS = 50
/** One operation in so many makes a new key and opens it; the others open an old one. */
const CREATE_EVERY = 10

/**
 * Wraps and unwraps keys through two services that throttle 30 % of all calls, let 5 % hang, reset 2 % and answer 1 %
 * with a wrong or short key, while the preferred one is down for the middle third of the run. Time is simulated: what
 * comes of it is a matter of the waits and limits alone, and not of how busy the machine is.
 */
export function chaosRun(options: ChaosOptions): Promise<ChaosReport> {
  const clock = new SimulatedClock()
  return clock.run(() => chaosOn(clock, options))
}

async function chaosOn(clock: SimulatedClock, options: ChaosOptions): Promise<ChaosReport> {
  const { durationMs, concurrency, seed, latencyMs } = options
  const healthy = [memoryKms({ name: 'first' }), memoryKms({ name: 'second' })]
  const keys = await Promise.all(Array.from({ length: KEYS }, async (_, at) => sample(healthy, at)))
  const third = durationMs / 3
  const providers = healthy.map((kms, at) =>
    faulty(kms, {
      ...FAULTS,
      seed: `${seed} ${at}`,
      latencyMs,
      clock: () => clock.now(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
      ...(at === 0 && { outages: [[third, 2 * third]] }),
    }),
  )
  const group = kmsGroup({ providers, events: new EventHub(), minWraps: 1, clock, ...options.resilience })
  const report = { operations: 0, succeeded: 0, wrongKeys: 0, plaintextWritten: 0, strangeErrors: 0 }

  const open = async ({ key, wraps, context }: Sample): Promise<void> => {
    const opened = await group.unwrap(wraps, { context }, (candidate) => equalBytes(candidate, key))
    if (equalBytes(opened, key)) report.succeeded++
    else report.wrongKeys++
  }
  const create = async (at: number): Promise<void> => {
    const key = randomBytes(32)
    const context = { row: `new ${at}` }
    const { wraps } = await group.wrap(key, { context })
    if (wraps.some(({ ciphertext }) => Buffer.from(ciphertext).includes(key))) report.plaintextWritten++
    await open({ key, wraps, context })
  }
  const work = async (): Promise<void> => {
    while (clock.now() < durationMs) {
      const at = report.operations++
      try {
        await (at % CREATE_EVERY === 0 ? create(at) : open(keys[at % KEYS] as Sample))
      } catch (error) {
        if (!(error instanceof StrongroomError)) report.strangeErrors++
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  await group.close()
  const calls = providers.reduce((sum, { faults }) => sum + total(faults), 0)
  return { ...report, calls, callsPerOperation: calls / report.operations, faults: sumOf(providers) }
}

interface Sample {
  readonly key: Uint8Array
  readonly wraps: readonly WrappedKey[]
  readonly context: { readonly row: string }
}

async function sample(providers: readonly KmsProvider[], at: number): Promise<Sample> {
  const key = randomBytes(32)
  const context = { row: String(at) }
  return { key, context, wraps: await Promise.all(providers.map((kms) => kms.wrap(key, { context }))) }
}

function total(faults: FaultyKms['faults']): number {
  return Object.values(faults).reduce((sum, count) => sum + count, 0)
}

function sumOf(providers: readonly FaultyKms[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const { faults } of providers) {
    for (const [fault, count] of Object.entries(faults)) sum[fault] = (sum[fault] ?? 0) + count
  }
  return sum
}
