import { describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'

/** How calls to a key management service are repeated, given up and held back. All optional; the defaults suit a cloud KMS. */
export interface ResilienceOptions {
  /** One attempt is given up after this many ms. Default 3,000. */
  readonly attemptTimeoutMs?: number
  /** The whole call, with its retries and waits, is given up after this many ms. Default 10,000. */
  readonly deadlineMs?: number
  /** Attempts per call, the first included, and only after errors that are `retryable`. 1 to 20. Default 8. */
  readonly maxAttempts?: number
  /** The wait before retry n is random between 0 and this many ms times 2^(n-1). Default 50. */
  readonly backoffMs?: number
  /** The longest wait before a retry, in ms. Default 2,000. */
  readonly maxBackoffMs?: number
  /** So many attempts in a row that found the service `unavailable` open the circuit: calls then fail at once. Default 8. */
  readonly openAfter?: number
  /** An open circuit lets one probe through after half to all of this many ms, then twice as many, and so on. Default 1,000. */
  readonly probeAfterMs?: number
  /** The longest wait between probes, in ms. Default 5,000. */
  readonly maxProbeAfterMs?: number
  /** Attempts per second that start while a service recovers. Default 50. */
  readonly recoveryPerSecond?: number
  /** How long after an outage attempts are held back so, in ms. Default 10,000. */
  readonly recoveryMs?: number
}

/** Every option with its value. @throws InvalidInputError on one out of range */
export function withDefaults(options: ResilienceOptions): Required<ResilienceOptions> {
  const settings = { ...DEFAULTS }
  for (const name of Object.keys(LIMITS) as (keyof ResilienceOptions)[]) {
    const value = options[name]
    if (value === undefined) continue
    const [min, max] = LIMITS[name]
    if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max) {
      throw new InvalidInputError(`${name} must be a number from ${min} to ${max}, received ${describe(value)}`)
    }
    settings[name] = value
  }
  return settings
}

const DEFAULTS: Required<ResilienceOptions> = {
  attemptTimeoutMs: 3_000,
  deadlineMs: 10_000,
  maxAttempts: 8,
  backoffMs: 50,
  maxBackoffMs: 2_000,
  openAfter: 8,
  probeAfterMs: 1_000,
  maxProbeAfterMs: 5_000,
  recoveryPerSecond: 50,
  recoveryMs: 10_000,
}

const LIMITS: Readonly<Record<keyof ResilienceOptions, readonly [min: number, max: number]>> = {
  attemptTimeoutMs: [1, 600_000],
  deadlineMs: [1, 600_000],
  maxAttempts: [1, 20],
  backoffMs: [0, 60_000],
  maxBackoffMs: [0, 60_000],
  openAfter: [1, 1_000],
  probeAfterMs: [1, 600_000],
  maxProbeAfterMs: [1, 600_000],
  recoveryPerSecond: [1, 100_000],
  recoveryMs: [0, 600_000],
}
