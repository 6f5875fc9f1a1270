import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { assertArray, assertCallback, assertMethods, assertObject, describe } from '../../src/bytes.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { InvalidInputError, KmsError } from '../../src/errors.ts'
import type { KmsCall, KmsProvider } from '../../src/kms.ts'
import { checkedKms } from '../../src/kms-checks.ts'

/** What goes wrong, and how often. Shares are from 0 to 1; together they must not pass 1. */
export interface FaultPlan {
  /** The same seed gives the same faults at the same calls. Default 1. */
  readonly seed?: number | string
  /** Share of calls refused as `throttled`. */
  readonly throttled?: number
  /** Share of calls that hang until the signal aborts them, or for `timeoutMs`. */
  readonly timeouts?: number
  /** Share of calls whose connection is reset: `unavailable`, after the service did the work. */
  readonly resets?: number
  /** Share of unwraps that answer with another key. */
  readonly wrongKeys?: number
  /** Share of unwraps that answer with too few bytes. */
  readonly shortKeys?: number
  /** Every call takes this long, evenly between the two, in ms. */
  readonly latencyMs?: readonly [min: number, max: number]
  /** While it lasts every call fails as `unavailable`: from and to in ms since `faulty` was called. */
  readonly outages?: readonly (readonly [from: number, to: number])[]
  /** How long a hanging call hangs, in ms. Default 60,000. */
  readonly timeoutMs?: number
  /** The time in ms. Default: the monotonic clock. */
  readonly clock?: () => number
  /** Waits; rejects with the signal's reason. Default: a timer. */
  readonly sleep?: (ms: number, signal?: AbortSignal) => Promise<void>
}

/** A fault that was injected, or `none`. */
export type Fault = 'none' | 'outage' | 'throttled' | 'timeouts' | 'resets' | 'wrongKeys' | 'shortKeys'

/** A provider with faults, which counts what it did. */
export interface FaultyKms extends KmsProvider {
  /** How many calls met which fault. */
  readonly faults: Readonly<Record<Fault, number>>
}

/**
 * Puts faults between a caller and a provider: throttling, latency, timeouts, resets, wrong and short keys, outages.
 * Which call meets which fault is decided by the seed and the number of the call alone.
 *
 * @throws InvalidInputError when a share is not from 0 to 1, or their sum is above 1
 */
export function faulty(kms: KmsProvider, plan: FaultPlan): FaultyKms {
  assertMethods(kms, ['wrap', 'unwrap', 'accepts'], 'kms')
  assertObject(plan, 'the plan')
  checkShares(plan)
  checkTimes(plan)
  assertCallback(plan.clock, 'clock')
  assertCallback(plan.sleep, 'sleep')
  const clock = plan.clock ?? (() => performance.now())
  const sleep = plan.sleep ?? ((ms, signal) => delay(ms, undefined, { signal }).catch(rethrowReason(signal)))
  const rewrap = kms.rewrap?.bind(kms)
  const started = clock()
  const faults: Record<Fault, number> = {
    none: 0,
    outage: 0,
    throttled: 0,
    timeouts: 0,
    resets: 0,
    wrongKeys: 0,
    shortKeys: 0,
  }
  let calls = 0

  return checkedKms<FaultyKms>({
    name: kms.name,
    keyId: kms.keyId,
    faults,
    ...(kms.recipient === undefined ? {} : { recipient: kms.recipient }),
    ...(kms.recovery === undefined ? {} : { recovery: kms.recovery }),
    wrap: (key, call) => under(call, WRAP_FAULTS, () => kms.wrap(key, call)),
    unwrap: (wrapped, call) =>
      under(call, UNWRAP_FAULTS, () => kms.unwrap(wrapped, call), { wrongKeys: 32, shortKeys: 31 }),
    accepts: (wrapped) => kms.accepts(wrapped),
    ...(rewrap === undefined
      ? {}
      : { rewrap: (wrapped, call) => under(call, WRAP_FAULTS, () => rewrap(wrapped, call)) }),
    close: async () => kms.close?.(),
  })

  async function under<Answer>(
    call: KmsCall,
    possible: readonly ShareName[],
    work: () => Promise<Answer>,
    lengths: { wrongKeys: number; shortKeys: number } = { wrongKeys: 0, shortKeys: 0 },
  ): Promise<Answer> {
    call.signal?.throwIfAborted()
    const number = ++calls
    const fault = faultOf(number, possible)
    faults[fault]++
    const [min, max] = plan.latencyMs ?? [0, 0]
    if (max > 0) await sleep(min + draw('latency', number) * (max - min), call.signal)
    switch (fault) {
      case 'outage':
        throw new KmsError(kms.name, 'unavailable', 'connection refused (injected outage)')
      case 'throttled':
        throw new KmsError(kms.name, 'throttled', 'too many requests (injected)')
      case 'timeouts':
        await sleep(plan.timeoutMs ?? 60_000, call.signal)
        throw new KmsError(kms.name, 'unavailable', 'no answer in time (injected)')
      case 'resets':
        await work()
        throw new KmsError(kms.name, 'unavailable', 'connection reset (injected)')
      case 'wrongKeys':
      case 'shortKeys':
        await work()
        return randomBytes(lengths[fault]) as Answer
      case 'none':
        return work()
    }
  }

  function faultOf(number: number, possible: readonly ShareName[]): Fault {
    const now = clock() - started
    if ((plan.outages ?? []).some(([from, to]) => now >= from && now < to)) return 'outage'
    let left = draw('fault', number)
    for (const name of possible) {
      left -= plan[name] ?? 0
      if (left < 0) return name
    }
    return 'none'
  }

  function draw(what: string, number: number): number {
    return (
      createHash('sha256')
        .update(`${plan.seed ?? 1} ${what} ${number}`)
        .digest()
        .readUInt32BE(0) /
      2 ** 32
    )
  }
}

const WRAP_FAULTS = ['throttled', 'timeouts', 'resets'] as const
const UNWRAP_FAULTS = [...WRAP_FAULTS, 'wrongKeys', 'shortKeys'] as const
type ShareName = (typeof UNWRAP_FAULTS)[number]

function checkShares(plan: FaultPlan): void {
  const shares = UNWRAP_FAULTS.map((name) => plan[name] ?? 0)
  const isShare = (share: unknown) => typeof share === 'number' && share >= 0
  if (!shares.every(isShare)) throw new InvalidInputError('the shares of a fault plan must be numbers from 0 to 1')
  const sum = shares.reduce((total, share) => total + share, 0)
  if (sum > 1 + Number.EPSILON) {
    throw new InvalidInputError('the shares of a fault plan must be from 0 to 1, and at most 1 together')
  }
}

function checkTimes({ seed, timeoutMs = 0, latencyMs = [0, 0], outages = [] }: FaultPlan): void {
  const isTime = (ms: unknown) => typeof ms === 'number' && ms >= 0
  const isSpan = (span: unknown) => Array.isArray(span) && span.length === 2 && span.every(isTime) && span[0] <= span[1]
  if (seed !== undefined && typeof seed !== 'number' && typeof seed !== 'string') {
    throw new InvalidInputError(`the seed of a fault plan must be a number or text, received ${describe(seed)}`)
  }
  if (!isTime(timeoutMs) || timeoutMs > MAX_MS) {
    throw new InvalidInputError(`timeoutMs of a fault plan must be a number from 0 to ${MAX_MS}`)
  }
  if (!isSpan(latencyMs) || latencyMs[1] > MAX_MS) {
    throw new InvalidInputError(
      `latencyMs of a fault plan must be two numbers from 0 to ${MAX_MS}, the lower one first`,
    )
  }
  assertArray(outages, 'outages of a fault plan')
  if (!outages.every(isSpan)) {
    throw new InvalidInputError('each of outages of a fault plan must be two times in ms, the earlier one first')
  }
}

/** The longest that a timer waits. */
const MAX_MS = 2_147_483_647

function rethrowReason(signal: AbortSignal | undefined): (error: unknown) => never {
  return (error) => {
    signal?.throwIfAborted()
    throw error
  }
}
