import { assertCallback, assertOptions, assertWhole } from '../bytes.ts'
import { defineStrongroom, type StrongroomConfig } from '../config.ts'
import { agesOf, type MaxAgeDays } from './ages.ts'
import { compareWithLog, compareWithReference, dateOf } from './clock.ts'
import type { Finding } from './finding.ts'
import { examineKeys } from './keys.ts'
import { examineKms } from './kms.ts'
import { examineStore } from './store.ts'
import { examineTables } from './tables.ts'

/** What to hold the configuration against. */
export interface DoctorOptions {
  /** How old an active key may be, in days, by purpose. Default: root 30, data 90, index 365, pepper 365. */
  readonly maxAgeDays?: Partial<MaxAgeDays>
  /** Active keys of each purpose to open at most. Default 10,000. */
  readonly maxKeys?: number
  /** After so many ms a call counts as failed. Default 10,000. */
  readonly timeoutMs?: number
  /** The time somewhere else, to compare this machine's clock with. */
  readonly reference?: () => Promise<Date>
  /** The time of this machine, for tests. */
  readonly now?: () => Date
}

/** What the doctor found; healthy when nothing is a problem. */
export interface DoctorReport {
  readonly healthy: boolean
  readonly findings: readonly Finding[]
}

const DEFAULT_MAX_KEYS = 10_000
const DEFAULT_TIMEOUT_MS = 10_000
const MAX_TIMEOUT_MS = 3_600_000

/**
 * Examines a configuration without changing anything: every KMS wraps and opens a random key and refuses a wrong
 * context, the key store can be read and written and honours conditions, every active key opens, every root key opens
 * by every KMS, no key is older than the policy, the columns of configured tables hold what will be written there, and the
 * clock is right. Never throws for what it finds.
 *
 * Costs three calls to each KMS, and two for each root key in use. The providers and the store stay open.
 *
 * @throws InvalidInputError, ConfigError: only for arguments that are none
 */
export async function doctor(config: StrongroomConfig, options: DoctorOptions = {}): Promise<DoctorReport> {
  defineStrongroom(config)
  assertOptions(options, 'the options')
  const { name, kms, store } = config
  const { now: clock = () => new Date(), reference, maxKeys = DEFAULT_MAX_KEYS } = options
  assertCallback(reference, 'reference')
  assertCallback(clock, 'now')
  const now = () => dateOf(clock(), 'what now gives')
  now()
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options
  assertWhole(maxKeys, 'maxKeys', 0, Number.MAX_SAFE_INTEGER)
  assertWhole(timeoutMs, 'timeoutMs', 1, MAX_TIMEOUT_MS)
  const maxAgeDays = agesOf(options.maxAgeDays)
  const providers = Array.isArray(kms) ? kms : [kms]
  const findings = (await Promise.all(providers.map((provider) => examineKms(provider, name, timeoutMs)))).flat()
  const storeFindings = await examineStore(store, timeoutMs)
  findings.push(...storeFindings)
  if (storeFindings[0]?.status === 'ok') {
    findings.push(...(await examineKeys({ name, store, providers, maxAgeDays, maxKeys, timeoutMs, now: now() })))
    findings.push(await compareWithLog(store, now, timeoutMs))
  }
  findings.push(...(await examineTables(config, timeoutMs)))
  if (reference !== undefined) findings.push(await compareWithReference(reference, now, timeoutMs))
  return { healthy: findings.every(({ status }) => status !== 'problem'), findings }
}
