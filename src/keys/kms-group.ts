import { wipe } from '../bytes.ts'
import type { EncryptionContext } from '../crypto/context.ts'
import { ConfigError, InvalidInputError, KmsError } from '../errors.ts'
import type { EventHub } from '../events.ts'
import type { KmsCall, KmsProvider, WrappedKey } from '../kms.ts'
import { type Clock, systemClock } from './clock.ts'
import { firstOf } from './hedge.ts'
import { differentKey, mostTelling, nobodyAccepts } from './kms-faults.ts'
import { type Resilience, resilience } from './resilience.ts'
import { type ResilienceOptions, withDefaults } from './resilience-options.ts'

/** How several key management services work together. */
export interface KmsGroupOptions extends ResilienceOptions {
  /** In order of preference, 1 to 10. Every new key is wrapped under all of them; any one opens it. */
  readonly providers: readonly KmsProvider[]
  /** Hears `kms.called` and `kms.failed` once per attempt, and `kms.missing` when a key was wrapped without a service. */
  readonly events: EventHub
  /** A key may be created when so many services, recovery keys not counted, wrapped it; the others are missing. Default: all. */
  readonly minWraps?: number
  /** When one service has not opened a key after this many ms, the next is asked as well. Default 500. */
  readonly hedgeAfterMs?: number
  /** Default: the clock of this machine. */
  readonly clock?: Clock
}

/** The one place through which Strongroom calls key management services. */
export interface KmsGroup {
  readonly providers: readonly KmsProvider[]
  /** The same providers but recovery keys, each call with the group's retries, deadlines and circuit breakers: for sealed messages. */
  readonly guarded: readonly KmsProvider[]

  /**
   * Wraps a key under every provider.
   *
   * @param proven a wrap of this key that was opened just now: a service that can moves it to the newest version of its
   * key by itself, and is not given the key
   * @returns one wrap per provider that answered, in the order of the providers, and what is missing
   * @throws KmsError when fewer than `minWraps` answered, recovery keys not counted
   */
  wrap(key: Uint8Array, call: KmsCall, proven?: WrappedKey): Promise<{ wraps: WrappedKey[]; missing: MissingWrap[] }>

  /**
   * Unwraps a key by any provider that is configured for one of its wraps, healthy ones first. Wraps behind the first
   * 10 are not looked at, and a wrap that names a key not configured is not sent anywhere.
   *
   * @param verify whether these bytes are the key: what fails it is wiped and never returned
   * @throws KmsError of the most telling failure; its message ends in `returned a different key` when one did
   */
  unwrap(wraps: readonly WrappedKey[], call: KmsCall, verify: (key: Uint8Array) => boolean): Promise<Uint8Array>

  /** Closes every provider. */
  close(): Promise<void>
}

/** A provider that could not wrap a new key: `rewrap` adds what it lacks. */
export interface MissingWrap {
  readonly provider: string
  readonly keyId: string
  readonly error: KmsError
}

/** Refuses numbers that cannot work, alone or with these providers. @throws InvalidInputError, ConfigError */
export function assertGroupOptions(options: Omit<KmsGroupOptions, 'events'>): void {
  const { providers, minWraps, hedgeAfterMs = DEFAULT_HEDGE_MS } = options
  const services = servicesOf(providers)
  if (minWraps !== undefined && (!Number.isInteger(minWraps) || minWraps < 1 || minWraps > services)) {
    throw new ConfigError(`minWraps must be 1 to ${services}, the number of kms providers, recovery keys not counted`)
  }
  if (typeof hedgeAfterMs !== 'number' || !(hedgeAfterMs >= 0 && hedgeAfterMs <= MAX_HEDGE_MS)) {
    throw new InvalidInputError(`hedgeAfterMs must be a number from 0 to ${MAX_HEDGE_MS}`)
  }
  withDefaults(options)
}

/** How many open what they wrapped. */
function servicesOf(providers: readonly KmsProvider[]): number {
  return providers.filter(({ recovery }) => recovery === undefined).length
}

/** @throws InvalidInputError, ConfigError */
export function kmsGroup(options: KmsGroupOptions): KmsGroup {
  const { providers, events, minWraps, hedgeAfterMs = DEFAULT_HEDGE_MS, clock = systemClock } = options
  const services = servicesOf(providers)
  if (services < 1 || providers.length > MAX_WRAPS) {
    throw new ConfigError(
      `kms must be 1 to ${MAX_WRAPS} providers, not only recovery keys, received ${providers.length}`,
    )
  }
  assertGroupOptions(options)
  const members = providers.map(
    (provider): Member => ({ provider, calls: resilience(provider.name, options, clock), clock }),
  )

  return {
    providers,
    guarded: members.filter(opens).map((member) => guardedBy(member, events)),

    async wrap(key, call, proven) {
      const results = await Promise.allSettled(members.map((member) => wrapBy(member, key, call, events, proven)))
      const wraps: WrappedKey[] = []
      const missing: MissingWrap[] = []
      for (const [index, result] of results.entries()) {
        const { name, keyId } = providers[index] as KmsProvider
        if (result.status === 'fulfilled') wraps.push(result.value)
        else if (result.reason instanceof KmsError) missing.push({ provider: name, keyId, error: result.reason })
        else throw result.reason
      }
      const able = results.filter(({ status }, at) => status === 'fulfilled' && opens(members[at] as Member))
      const enough = minWraps === undefined ? missing.length === 0 : able.length >= minWraps
      if (!enough) throw mostTelling(missing.map(({ error }) => error))
      for (const { provider, keyId, error } of missing) {
        events.emit({ type: 'kms.missing', provider, keyId, kind: error.kind })
      }
      return { wraps, missing }
    },

    async unwrap(wraps, call, verify) {
      const tries = candidates(members.filter(opens), wraps).map(
        ({ member, wrapped }) =>
          (signal: AbortSignal | undefined) =>
            unwrapBy(member, wrapped, signal, call.context, verify, events),
      )
      if (tries.length === 0) throw nobodyAccepts(providers, wraps.slice(0, MAX_WRAPS))
      const only = tries.length === 1 ? tries[0] : undefined
      if (only !== undefined) return only(call.signal)
      const outcome = await firstOf(tries, hedgeAfterMs, call.signal, (late) => wipe(late), clock)
      if (outcome.won) return outcome.value
      const other = outcome.errors.find((error) => !(error instanceof KmsError))
      throw other ?? mostTelling(outcome.errors as KmsError[])
    },

    async close() {
      await Promise.all(providers.map((provider) => provider.close?.()))
    },
  }
}

const MAX_WRAPS = 10
const DEFAULT_HEDGE_MS = 500
const MAX_HEDGE_MS = 600_000
const MAX_CIPHERTEXT = 8192
/** A service that answers with another key is asked again, twice: a wrong answer can be a fault of the moment. */
const TRIES_PER_WRAP = 3

interface Member {
  readonly provider: KmsProvider
  readonly calls: Resilience
  readonly clock: Clock
}

const opens = ({ provider }: Member): boolean => provider.recovery === undefined

async function wrapBy(
  { provider, calls }: Member,
  key: Uint8Array,
  call: KmsCall,
  events: EventHub,
  proven: WrappedKey | undefined,
): Promise<WrappedKey> {
  const report = reporter(provider, 'wrap', events)
  return calls.call(
    async (signal) => {
      const inside = { context: call.context, signal }
      const wrapped = (await moved(provider, proven, inside)) ?? (await provider.wrap(key, inside))
      // A wrap that its own provider would not open is noticed now, while the key still exists.
      if (wrapped.provider === provider.name && provider.accepts(wrapped) && fits(wrapped)) return wrapped
      throw new KmsError(provider.name, 'misconfigured', 'wrapped under a key that it does not accept')
    },
    report,
    call.signal,
  )
}

/** @returns undefined when the service cannot or may not: the key is wrapped anew then */
async function moved(
  provider: KmsProvider,
  proven: WrappedKey | undefined,
  call: KmsCall,
): Promise<WrappedKey | undefined> {
  if (provider.rewrap === undefined || proven === undefined || !provider.accepts(proven)) return undefined
  try {
    return await provider.rewrap(proven, call)
  } catch (error) {
    if (error instanceof KmsError && !error.retryable) return undefined
    throw error
  }
}

async function unwrapBy(
  { provider, calls, clock }: Member,
  wrapped: WrappedKey,
  signal: AbortSignal | undefined,
  context: EncryptionContext,
  verify: (key: Uint8Array) => boolean,
  events: EventHub,
): Promise<Uint8Array> {
  const report = reporter(provider, 'unwrap', events)
  for (let left = TRIES_PER_WRAP; left > 0; left--) {
    const start = clock.now()
    const key = await calls.call(
      async (stop) => {
        const unwrapped = await provider.unwrap(wrapped, { context, signal: stop })
        if (stop.aborted) wipe(unwrapped) // nobody waits for it any more
        return unwrapped
      },
      report,
      signal,
    )
    if (verify(key)) return key
    wipe(key)
    report(differentKey(provider), clock.now() - start)
  }
  throw differentKey(provider)
}

function guardedBy(member: Member, events: EventHub): KmsProvider {
  const { provider } = member
  return {
    name: provider.name,
    keyId: provider.keyId,
    ...(provider.recipient === undefined ? {} : { recipient: provider.recipient }),
    accepts: (wrapped) => provider.accepts(wrapped),
    wrap: (key, call) => wrapBy(member, key, call, events, undefined),
    unwrap: (wrapped, { context, signal }) => unwrapBy(member, wrapped, signal, context, () => true, events),
  }
}

/** Every wrap with the provider that is configured for it, healthy providers first and else in the order of the configuration. */
function candidates(members: readonly Member[], wraps: readonly WrappedKey[]) {
  const considered = wraps.slice(0, MAX_WRAPS).filter(fits)
  const found = members.flatMap((member) =>
    considered.filter((wrapped) => member.provider.accepts(wrapped)).map((wrapped) => ({ member, wrapped })),
  )
  return found.sort((a, b) => Number(b.member.calls.healthy) - Number(a.member.calls.healthy))
}

function fits({ ciphertext }: WrappedKey): boolean {
  return ciphertext instanceof Uint8Array && ciphertext.byteLength > 0 && ciphertext.byteLength <= MAX_CIPHERTEXT
}

function reporter({ name }: KmsProvider, operation: 'wrap' | 'unwrap', events: EventHub) {
  return (error: KmsError | undefined, ms: number): void => {
    if (error === undefined) events.emit({ type: 'kms.called', provider: name, operation, ms })
    else events.emit({ type: 'kms.failed', provider: name, operation, kind: error.kind, ms })
  }
}
