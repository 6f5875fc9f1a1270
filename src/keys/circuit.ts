import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  halfJitterGenerator,
  handleWhen,
  type IBackoff,
} from 'cockatiel'
import type { Clock } from './clock.ts'

/** The circuit is open, and no probe is due. Never leaves `resilience.ts`. */
export class CircuitOpen extends Error {}

/** When a circuit opens, and when it looks again. */
export interface CircuitOptions {
  readonly clock: Clock
  readonly openAfter: number
  readonly probeAfterMs: number
  readonly maxProbeAfterMs: number
  /** Whether an error shows that the service is down. */
  readonly counts: (error: unknown) => boolean
  /** Told when the circuit opens, probes or closes. */
  readonly onChange: () => void
}

/**
 * Opens after so many failures in a row; then one probe at a time, ever longer after the last, finds out whether the
 * service is back. Cockatiel keeps the state. When a probe is due is decided here, by a clock that never jumps.
 */
export class Circuit {
  readonly #clock: Clock
  readonly #inARow: ConsecutiveBreaker
  readonly #breaker: CircuitBreakerPolicy
  #probeAt = 0
  #probe: Promise<unknown> = Promise.resolve()

  constructor(options: CircuitOptions) {
    this.#clock = options.clock
    this.#inARow = new ConsecutiveBreaker(options.openAfter)
    const delays = new ExponentialBackoff({
      generator: halfJitterGenerator, // so that the processes of a fleet do not probe together
      initialDelay: options.probeAfterMs,
      maxDelay: options.maxProbeAfterMs,
    })
    this.#breaker = circuitBreaker(handleWhen(options.counts), {
      breaker: this.#inARow,
      halfOpenAfter: { next: () => this.#noted(delays.next()) },
    })
    this.#breaker.onStateChange(options.onChange)
  }

  get closed(): boolean {
    return this.#breaker.state === CircuitState.Closed
  }

  /** Not known to be down, or it is time to look again. */
  get healthy(): boolean {
    return this.closed || (this.#breaker.state === CircuitState.Open && this.#clock.now() >= this.#probeAt)
  }

  /** The service answered, if only to refuse: failures before it are not in a row with those after it. */
  alive(): void {
    this.#inARow.success()
  }

  /** Runs an attempt, after a probe that is under way. @throws CircuitOpen, and what the attempt throws */
  async execute<T>(attempt: () => Promise<T>): Promise<T> {
    while (this.#breaker.state === CircuitState.HalfOpen) await this.#probe
    if (this.closed) return this.#breaker.execute(attempt)
    if (this.#clock.now() < this.#probeAt) throw new CircuitOpen()
    const probe = this.#breaker.execute(attempt)
    this.#probe = probe.catch(() => undefined)
    return probe
  }

  /** Remembers when the probe is due; to cockatiel, which would ask the wall clock, it is due at once. */
  #noted(delay: IBackoff<unknown>): IBackoff<unknown> {
    this.#probeAt = this.#clock.now() + delay.duration
    return { duration: Number.NEGATIVE_INFINITY, next: (context) => this.#noted(delay.next(context)) }
  }
}
