import { ExponentialBackoff, fullJitterGenerator, type IBackoff } from 'cockatiel'
import { InvalidInputError, KmsError, StrongroomError } from '../errors.ts'
import { CallTime, TimeUp } from './call-time.ts'
import { Circuit, CircuitOpen } from './circuit.ts'
import { type Clock, systemClock } from './clock.ts'
import { RecoveryRate } from './recovery-rate.ts'
import { type ResilienceOptions, withDefaults } from './resilience-options.ts'

/** Hears of every attempt: undefined when it succeeded, and how long it took in ms. */
export type AttemptReport = (error: KmsError | undefined, ms: number) => void

/** Timeouts, retries, circuit breaker and recovery rate for one service; holds what is known of its health. */
export interface Resilience {
  /** Whether to prefer this service: it is not known to be down, or it is time to look again. */
  readonly healthy: boolean

  /**
   * Runs `operation` as often as it takes and is allowed.
   *
   * @param operation gets the signal of its attempt
   * @throws KmsError of the last attempt; `unavailable` when time is up or the circuit is open, `throttled` when the
   *   service recovers and no attempt is free in time
   * @throws the reason of `signal` when the caller aborts
   */
  call<T>(operation: (signal: AbortSignal) => Promise<T>, report: AttemptReport, signal?: AbortSignal): Promise<T>
}

/**
 * @param provider name for errors
 * @throws InvalidInputError on an option out of range
 */
export function resilience(provider: string, options: ResilienceOptions = {}, clock: Clock = systemClock): Resilience {
  const settings = withDefaults(options)
  const rate = new RecoveryRate(settings.recoveryPerSecond, settings.recoveryMs)
  const pauses = new ExponentialBackoff({
    generator: fullJitterGenerator,
    initialDelay: settings.backoffMs,
    maxDelay: settings.maxBackoffMs,
  })
  // Calls that hang end together, a time-out later; the service that answered others meanwhile is not down.
  let aliveAt = Number.NEGATIVE_INFINITY
  const overtaken = new WeakSet<KmsError>()
  const circuit = new Circuit({
    ...settings,
    clock,
    // Only `unavailable` counts: a service that throttles or refuses is alive, and opening would turn away what it serves.
    counts: (error) => error instanceof KmsError && error.kind === 'unavailable' && !overtaken.has(error),
    onChange: () => rate.restart(clock.now()),
  })

  return {
    get healthy(): boolean {
      return circuit.healthy
    },

    async call<T>(
      operation: (signal: AbortSignal) => Promise<T>,
      report: AttemptReport,
      signal?: AbortSignal,
    ): Promise<T> {
      signal?.throwIfAborted()
      const time = new CallTime(clock, settings.deadlineMs, settings.attemptTimeoutMs)
      let last: KmsError | undefined
      if (!circuit.closed) time.watch()

      const attempt = async (): Promise<T> => {
        if (time.over) throw new TimeUp()
        const wait = rate.take(clock.now(), time.left)
        if (wait === undefined) throw new Saturated()
        const stop = time.startAttempt()
        if (wait > 0) await time.wait(wait)
        const start = clock.now()
        try {
          const result = await time.limit(operation(stop.signal), stop)
          aliveAt = clock.now()
          report(undefined, aliveAt - start)
          return result
        } catch (error) {
          if (time.over) throw new TimeUp()
          time.watch()
          const failure =
            error instanceof TimeUp ? noAnswer(provider, settings.attemptTimeoutMs) : ours(provider, error)
          if (failure instanceof KmsError) {
            if (failure.kind !== 'unavailable') {
              circuit.alive()
              aliveAt = clock.now()
            } else if (start < aliveAt) overtaken.add(failure)
            last = failure
            report(failure, clock.now() - start)
          }
          throw failure
        }
      }
      const guarded = async (): Promise<T> => {
        try {
          return await circuit.execute(attempt)
        } catch (error) {
          throw time.left === 0 ? new TimeUp() : error
        }
      }
      const repeated = async (): Promise<T> => {
        let pause: IBackoff<unknown> | undefined
        for (let left = settings.maxAttempts; ; ) {
          try {
            return await guarded()
          } catch (error) {
            if (--left === 0 || !(error instanceof KmsError && error.retryable)) throw error
          }
          pause = pause === undefined ? pauses.next() : pause.next(undefined)
          await time.wait(pause.duration)
        }
      }

      try {
        return await time.untilOver(repeated(), signal)
      } catch (error) {
        signal?.throwIfAborted()
        const cause = last === undefined ? {} : { cause: last }
        if (error instanceof TimeUp) throw noAnswer(provider, settings.deadlineMs, cause)
        if (error instanceof CircuitOpen) {
          throw new KmsError(provider, 'unavailable', 'is down and not called until the next probe', cause)
        }
        if (error instanceof Saturated) {
          throw new KmsError(provider, 'throttled', 'is recovering and its calls are used up', cause)
        }
        throw error
      }
    },
  }
}

/** No attempt can start before the deadline while the service recovers. */
class Saturated extends Error {}

/** A provider of somebody else may throw anything: what is no error of ours is not retried. */
function ours(provider: string, error: unknown): unknown {
  if (error instanceof StrongroomError || error instanceof InvalidInputError) return error
  return new KmsError(provider, 'misconfigured', 'threw an error that is no KmsError', { cause: error })
}

function noAnswer(provider: string, ms: number, options?: { cause?: unknown }): KmsError {
  return new KmsError(provider, 'unavailable', `did not answer within ${ms} ms`, options)
}
