import { KeyStoreError } from '../errors.ts'
import type { KeyRecord, KeyState, ShredLedger } from '../key-store.ts'
import { assertMay, type Change, stateChange } from './key-change.ts'
import { type KeyInfo, keyInfo } from './key-info.ts'
import { type KeyParts, readKey } from './key-parts.ts'
import { type KeyStep, type KeyStepPlan, STEP_ACTIONS, targetOf } from './key-step.ts'
import { rotateRoot, rotateScopes } from './rotate-keys.ts'

/** What `takeStep` would do to a key now. @throws KeyStateError, InvalidInputError, KeyNotFoundError, KeyRecordError */
export async function planStep(
  parts: KeyParts,
  shredLedger: ShredLedger | undefined,
  step: KeyStep,
  id: string,
): Promise<KeyStepPlan> {
  const { before, to } = await targetOf(parts, shredLedger, step, id)
  return { key: keyInfo(before), to, rotates: rotatesFirst(step, before) }
}

/**
 * Brings a key into the state to which a step leads.
 *
 * @returns the key as it is then
 * @throws KeyStateError when the key may not take it; InvalidInputError, KeyNotFoundError, KeyRecordError, KeyStoreError
 */
export async function takeStep(
  parts: KeyParts,
  shredLedger: ShredLedger | undefined,
  step: KeyStep,
  id: string,
  reason: string | undefined,
): Promise<KeyInfo> {
  const { before, to } = await targetOf(parts, shredLedger, step, id)
  if (rotatesFirst(step, before)) {
    if (before.purpose === 'root') await rotateRoot(parts, reason)
    else await rotateScopes(parts, before.purpose, [before.scope], reason)
  }
  return transition(parts, STEP_ACTIONS[step], id, to, reason)
}

async function transition(
  parts: KeyParts,
  action: string,
  id: string,
  to: KeyState,
  reason: string | undefined,
): Promise<KeyInfo> {
  const written = await parts.writer.write(action, async () => {
    const before = await readKey(parts, id)
    assertMay(before, to, action)
    if (before.purpose === 'root' && to === 'destroyed') return { change: [await rootTombstone(parts, before, reason)] }
    const signer = await parts.keyring.root(before.parent ?? before.id)
    return { change: [stateChange(parts, before, to, reason, signer)] }
  })
  if (!Array.isArray(written)) {
    throw new KeyStoreError('conflict', `could not ${action} key ${id}: another key became active at the same moment`)
  }
  return keyInfo(written[0] as KeyRecord)
}

/** A destroyed root key cannot sign for itself any more: the active one does. */
async function rootTombstone(parts: KeyParts, before: KeyRecord, reason: string | undefined): Promise<Change> {
  const active = await parts.keyring.activeRoot()
  const change = stateChange(parts, before, 'destroyed', reason, active)
  return { ...change, after: { ...change.after, parent: active.id } }
}

/** A key that still writes hands over before it is declared known to others. */
function rotatesFirst(step: KeyStep, { state }: KeyRecord): boolean {
  return step === 'compromise' && state === 'active'
}
