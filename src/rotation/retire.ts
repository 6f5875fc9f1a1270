import {
  assertArray,
  assertOptions as assertBag,
  assertDate,
  assertMethods,
  assertObject,
  assertText,
  describe,
} from '../bytes.ts'
import { InvalidInputError, KeyStateError } from '../errors.ts'
import type { KeyPurpose, KeyState } from '../key-store.ts'
import type { KeyInfo } from '../keys/key-info.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { assertKeyring } from '../keys/keyring-bounds.ts'
import { assertDays } from './days.ts'
import type { KeyRows } from './key-rows.ts'
import { assertParts } from './parts.ts'
import {
  checkAttempts,
  checkBackups,
  checkJobs,
  checkQuarantine,
  checkRows,
  checkState,
  checkUncounted,
  checkWraps,
  checkWriters,
  countRows,
  isRetired,
  type RetireCheck,
  type RetireCheckName,
  type RetireParts,
} from './retire-checks.ts'

/** What an operator may answer for; that rows, wraps or jobs are left cannot be overridden. */
export type RetireOverride = Extract<RetireCheckName, 'uncounted' | 'quarantine' | 'attempts' | 'backups'>

/** What can be overridden. */
export const RETIRE_OVERRIDES: readonly RetireOverride[] = ['uncounted', 'quarantine', 'attempts', 'backups']

/** How to judge, and to take, the next step towards the destruction of a key. */
export interface RetireOptions {
  /** What somebody answers for; written into the record of the key, and into the reason, which is wanted then. */
  readonly override?: readonly RetireOverride[]
  /** For the record; at most 900 characters. */
  readonly reason?: string
  /** Where the passwords stand, as `users.password_hash`: a record of the configuration and a column of its table. For pepper keys. */
  readonly passwords?: string
  /** The time of this machine, for tests. */
  readonly now?: Date
}

/** Whether the next step towards the destruction of a key may be taken, and why. */
export interface RetireVerdict {
  readonly keyId: string
  readonly purpose: KeyPurpose
  readonly scope: string
  readonly generation: number
  readonly state: KeyState
  /** `retire`: out of use, and back by `cancelRetire`. `destroy`: for ever. */
  readonly step: 'retire' | 'destroy'
  readonly allowed: boolean
  /** When everything was looked at, ISO 8601. */
  readonly at: string
  readonly checks: readonly RetireCheck[]
  /** What was counted, columns without a row under the key included. */
  readonly rows: readonly KeyRows[]
}

type Keys = Pick<KeyManager, 'get' | 'retire' | 'destroy' | 'attempts' | 'countWrapped' | 'scopeText'>

/**
 * Whether a key may be retired, or, once it is retired, destroyed. Everything is counted now, nothing is taken from a
 * cache, and what cannot be counted counts as a no. Reads each configured table once; decrypts and changes nothing.
 *
 * @param parts the configuration
 * @param keys `room.keys`
 * @throws KeyNotFoundError, KeyRecordError, TableError (`ERR_TABLE`)
 */
export async function retireVerdict(
  parts: RetireParts,
  keys: Keys,
  id: string,
  options: RetireOptions = {},
): Promise<RetireVerdict> {
  assertParts(parts)
  assertBag(parts.keyring, 'keyring')
  assertKeyring(parts.keyring ?? {})
  assertDays('quarantineDays', parts.quarantineDays)
  assertMethods(keys, ['get', 'list', 'retire', 'destroy'], 'keys')
  assertObject(options, 'the options')
  const { now = new Date(), override = [] } = options
  assertOptions(options)
  const key = await keys.get(id)
  const rows = await countRows(parts, keys, key)
  const checks = [
    checkState(key),
    checkWriters(parts, key, now),
    checkRows(key, rows),
    checkUncounted(parts, key, rows, options.passwords),
    await checkWraps(keys, key),
    await checkJobs(parts, key),
    checkQuarantine(parts, key, now),
    await checkAttempts(keys, key),
    checkBackups(parts, key, now),
  ].map((check) =>
    check.result === 'no' && overrides(override, check) ? { ...check, result: 'overridden' as const } : check,
  )
  const { purpose, scope, generation, state } = key
  return {
    keyId: key.id,
    purpose,
    scope,
    generation,
    state,
    step: isRetired(key) ? 'destroy' : 'retire',
    allowed: checks.every(({ result }) => result !== 'no'),
    at: now.toISOString(),
    checks,
    rows,
  }
}

/**
 * Takes the next step, after looking at everything once more: retires a key, or destroys one that is retired.
 *
 * @param step what the caller means to do: a key that has gone on meanwhile is not destroyed by accident
 * @throws KeyStateError with the reasons when it may not be taken; nothing was done then
 * @throws KeyNotFoundError, KeyRecordError, TableError (`ERR_TABLE`)
 */
export async function retireKey(
  parts: RetireParts,
  keys: Keys,
  id: string,
  step: 'retire' | 'destroy',
  options: RetireOptions = {},
): Promise<{ readonly verdict: RetireVerdict; readonly key: KeyInfo }> {
  if (step !== 'retire' && step !== 'destroy') {
    throw new InvalidInputError(`step must be retire or destroy, received ${describe(step)}`)
  }
  const verdict = await retireVerdict(parts, keys, id, options)
  if (!verdict.allowed || verdict.step !== step) throw new KeyStateError(id, verdict.state, step, why(verdict, step))
  const reason = auditedReason(verdict, options.reason)
  const key = await (step === 'retire' ? keys.retire(id, reason) : keys.destroy(id, reason))
  return { verdict, key }
}

function why(verdict: RetireVerdict, step: string): string {
  if (verdict.step !== step) return step === 'retire' ? 'it is retired already' : 'retire it first'
  return verdict.checks
    .filter(({ result }) => result === 'no')
    .map(({ message }) => message)
    .join('; ')
}

/** Who answers for what stands in the record itself, under its MAC. */
function auditedReason({ checks }: RetireVerdict, reason: string | undefined): string | undefined {
  const overridden = checks.filter(({ result }) => result === 'overridden').map(({ check }) => check)
  return overridden.length === 0 ? reason : `${reason} (overridden: ${overridden.join(', ')})`
}

function overrides(override: readonly RetireOverride[], { check }: RetireCheck): boolean {
  return override.includes(check as RetireOverride)
}

function assertOptions({ override = [], reason, passwords, now }: RetireOptions): void {
  assertArray(override, 'override')
  if (reason !== undefined) assertText(reason, 'reason')
  if (passwords !== undefined) assertText(passwords, 'passwords')
  assertDate(now, 'now')
  const unknown = override.find((name) => !RETIRE_OVERRIDES.includes(name))
  if (unknown !== undefined) throw new InvalidInputError(`override must be of ${RETIRE_OVERRIDES.join(', ')}`)
  if (override.length > 0 && (reason ?? '').trim() === '') {
    throw new InvalidInputError('a reason is wanted with override: it is written into the record of the key')
  }
  if ((reason ?? '').length > MAX_REASON)
    throw new InvalidInputError(`reason must have at most ${MAX_REASON} characters`)
}

const MAX_REASON = 900
