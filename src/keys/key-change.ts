import { KeyStateError } from '../errors.ts'
import type { KeyRecord, KeyState } from '../key-store.ts'
import type { UnsignedRecord } from './record.ts'
import type { RootKey } from './root-key.ts'
import { mayBecome, nextStates } from './states.ts'

/** A change of one existing key, not yet signed; `signer` is its parent, or itself for a root key. */
export interface Change {
  readonly before: KeyRecord
  readonly after: Partial<Pick<UnsignedRecord, 'state' | 'stateAt' | 'reason' | 'wraps' | 'parent'>>
  readonly signer: RootKey
}

/** A new state for a key. A destroyed key loses its wraps. */
export function stateChange(
  { clock }: { clock: { date(): Date } },
  before: KeyRecord,
  state: KeyState,
  reason: string | undefined,
  signer: RootKey,
): Change {
  const after = { state, stateAt: clock.date().toISOString(), reason: reason ?? null }
  return { before, after: state === 'destroyed' ? { ...after, wraps: [] } : after, signer }
}

/** Refuses a transition that the states do not allow. @throws KeyStateError */
export function assertMay(record: KeyRecord, to: KeyState, action: string): void {
  if (!mayBecome(record.state, to)) throw new KeyStateError(record.id, record.state, action, nextStates(record.state))
}
