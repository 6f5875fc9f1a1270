import { KeyStateError } from '../errors.ts'
import type { KeyRecord, KeyState, ShredLedger } from '../key-store.ts'
import { assertMay } from './key-change.ts'
import type { KeyInfo } from './key-info.ts'
import { type KeyParts, readKey } from './key-parts.ts'
import { readShredLedger } from './shred-ledger.ts'

/** A step in the life of one key: a method of `KeyManager`. */
export type KeyStep = 'suspend' | 'resume' | 'compromise' | 'retire' | 'cancelRetire' | 'destroy'

/** What a step would do to a key, from the keys as they are now. */
export interface KeyStepPlan {
  readonly key: KeyInfo
  /** The state that it would be in. */
  readonly to: KeyState
  /** Whether its scope would get another writing key first. */
  readonly rotates: boolean
}

/** Every step, and how the key log and the errors call it. */
export const STEP_ACTIONS: Readonly<Record<KeyStep, string>> = {
  suspend: 'suspend',
  resume: 'resume',
  compromise: 'compromise',
  retire: 'retire',
  cancelRetire: 'cancel',
  destroy: 'destroy',
}

/**
 * Whether a step may be taken, and where it leads.
 *
 * @returns the key as it is, and the state that it comes to
 * @throws KeyStateError when the key may not take it; KeyNotFoundError, KeyRecordError
 */
export async function targetOf(
  parts: KeyParts,
  shredLedger: ShredLedger | undefined,
  step: KeyStep,
  id: string,
): Promise<{ before: KeyRecord; to: KeyState }> {
  if (step === 'cancelRetire') await assertNotShredded(parts, shredLedger, id)
  const before = await readKey(parts, id)
  const to = await rules[step](parts, before)
  assertMay(before, to, STEP_ACTIONS[step])
  return { before, to }
}

const rules: Readonly<Record<KeyStep, (parts: KeyParts, key: KeyRecord) => KeyState | Promise<KeyState>>> = {
  suspend: (_, { id, state, purpose }) => {
    if (purpose !== 'root') return 'suspended'
    throw new KeyStateError(id, state, 'suspend', 'every other key stands on it; rotate the root key instead')
  },
  resume: async ({ store }, key) => {
    assertIs('suspended', key, 'resume')
    const actives = await store.findActive(key.purpose, [key.scope])
    return actives.length === 0 ? 'active' : 'decrypt_only'
  },
  compromise: () => 'compromised',
  retire: async (parts, key): Promise<KeyState> => {
    await assertWrapsNothing(parts, key, 'retire')
    return 'destroy_scheduled'
  },
  cancelRetire: (_, key) => {
    assertIs('destroy_scheduled', key, 'cancel the retirement of')
    return 'decrypt_only'
  },
  destroy: async (parts, key): Promise<KeyState> => {
    await assertWrapsNothing(parts, key, 'destroy')
    return 'destroyed'
  },
}

async function assertNotShredded({ name }: KeyParts, ledger: ShredLedger | undefined, id: string): Promise<void> {
  const shredded = ledger === undefined ? [] : await readShredLedger(ledger)
  if (shredded.some(({ store, keyId }) => store === name && keyId === id)) {
    throw new KeyStateError(id, 'destroy_scheduled', 'cancel the retirement of', 'it was shredded: shred it again')
  }
}

function assertIs(wanted: KeyState, { id, state }: KeyRecord, action: string): void {
  if (state !== wanted) throw new KeyStateError(id, state, action, `only a ${wanted} key can`)
}

/** A root key must outlive the keys it wraps, and the active one wraps new keys at any moment. */
async function assertWrapsNothing({ store }: KeyParts, { id, purpose, state }: KeyRecord, action: string) {
  if (purpose !== 'root') return
  if (state === 'active') throw new KeyStateError(id, state, action, 'rotate the root key first')
  const [child] = await store.list({ parent: id, limit: 1 })
  if (child !== undefined) throw new KeyStateError(id, state, action, 'keys are still wrapped under it: rewrap first')
}
