import { describe } from '../checks.ts'
import { InvalidInputError } from '../errors.ts'
import type { KeyState } from '../key-store.ts'

/** Which states may follow which. Specification section 4.3; SP 800-57 part 1 section 7. */
const next: Readonly<Record<KeyState, readonly KeyState[]>> = {
  pending: ['active', 'destroyed'],
  active: ['decrypt_only', 'suspended', 'compromised', 'destroyed'],
  suspended: ['active', 'decrypt_only', 'compromised', 'destroyed'],
  decrypt_only: ['compromised', 'destroy_scheduled'],
  compromised: ['destroy_scheduled'],
  destroy_scheduled: ['decrypt_only', 'destroyed'],
  destroyed: [],
}

/** Uses that are refused by default and can be allowed for one call, to rescue data from such a key. */
export type AllowedState = 'suspended' | 'compromised'

/** Whether a key may go from one state to another. */
export function mayBecome(from: KeyState, to: KeyState): boolean {
  return next[from].includes(to)
}

/** What a key in this state can still become, in words. */
export function nextStates(from: KeyState): string {
  return next[from].length === 0 ? 'it stays destroyed' : `from there it can become ${next[from].join(' or ')}`
}

/** Refuses a list that names other states than those which can be allowed. @throws InvalidInputError */
export function assertAllowed(allow: unknown): asserts allow is readonly AllowedState[] {
  if (Array.isArray(allow) && [...allow].every((state) => state === 'suspended' || state === 'compromised')) return
  throw new InvalidInputError(`allow must be a list of 'suspended' and 'compromised', received ${describe(allow)}`)
}

/** Whether a key in this state may decrypt, given what the caller allows. */
export function mayDecrypt(state: KeyState, allow: readonly AllowedState[]): boolean {
  return state === 'active' || state === 'decrypt_only' || allow.includes(state as AllowedState)
}

/** Whether a key in this state is worth keeping in memory. */
export function mayLoad(state: KeyState): boolean {
  return state !== 'destroyed' && state !== 'destroy_scheduled'
}

/** Whether a key in this state is wrapped anew by a rewrap. */
export function mayRewrap(state: KeyState): boolean {
  return state !== 'destroyed' && state !== 'destroy_scheduled'
}

/**
 * Whether a root key in this state is wrapped anew by the KMS. A retired one as well: until it is destroyed its retirement
 * can be cancelled, and its record is proved with its secret.
 */
export function mayRewrapRoot(state: KeyState): boolean {
  return state !== 'destroyed'
}
