import type { KeyPurpose, KeyRecord } from '../key-store.ts'
import { assertMay } from './key-change.ts'
import { type KeyInfo, keyInfo } from './key-info.ts'
import { keyPages } from './key-pages.ts'
import { type KeyParts, outOfUse, readActive, readKey } from './key-parts.ts'

/** A KMS key under which a root key is, or would be, wrapped. */
export interface WrapTarget {
  readonly provider: string
  readonly keyId: string
}

/** What one scope would see of a rotation. */
export interface PlannedRotation {
  /** The key that writes now. */
  readonly replaces: KeyInfo
  /** The waiting key that would take over; null where a key would be made. */
  readonly waiting: KeyInfo | null
}

/** What a rotation would do, from the keys as they are now. */
export interface RotationPlan {
  readonly purpose: KeyPurpose
  /** One entry a scope. */
  readonly keys: readonly PlannedRotation[]
  /** Under which KMS keys the new root key would be wrapped. Empty for other purposes, which the root key wraps in memory. */
  readonly wraps: readonly WrapTarget[]
}

const BATCH = 500

/** What a rotation of the root key would do. */
export async function planRootRotation(parts: KeyParts): Promise<RotationPlan> {
  const active = await readKey(parts, (await parts.keyring.activeRoot()).id)
  assertMay(active, 'decrypt_only', 'rotate')
  return { purpose: 'root', keys: [{ replaces: keyInfo(active), waiting: null }], wraps: wrapTargets(parts) }
}

/**
 * What a rotation of these scopes would do.
 *
 * @throws KeyUnavailableError when one of them has no active key
 */
export async function planScopeRotation(
  parts: KeyParts,
  purpose: Exclude<KeyPurpose, 'root'>,
  scopes: readonly string[],
): Promise<RotationPlan> {
  const waiting = await waitingKeys(parts, purpose, scopes.length === 1 ? scopes[0] : undefined)
  const keys: PlannedRotation[] = []
  for (let at = 0; at < scopes.length; at += BATCH) {
    const batch = scopes.slice(at, at + BATCH)
    const actives = new Map((await readActive(parts, purpose, batch)).map((record) => [record.scope, record]))
    for (const scope of batch) {
      const active = actives.get(scope)
      if (active === undefined) throw await outOfUse(parts, purpose, scope)
      const next = waiting.get(scope)
      keys.push({ replaces: keyInfo(active), waiting: next === undefined ? null : keyInfo(next) })
    }
  }
  return { purpose, keys, wraps: [] }
}

/** The KMS keys that are configured now. */
export function wrapTargets({ kms }: KeyParts): WrapTarget[] {
  return kms.providers.map(({ name, keyId }) => ({ provider: name, keyId }))
}

/** The newest waiting key of each scope that has one: few, so that they are not asked for scope by scope. */
async function waitingKeys(
  { store, keyring }: KeyParts,
  purpose: KeyPurpose,
  scope: string | undefined,
): Promise<Map<string, KeyRecord>> {
  const found = new Map<string, KeyRecord>()
  for await (const page of keyPages(store, { purpose, state: 'pending', ...(scope !== undefined && { scope }) })) {
    for (const record of page) {
      const checked = await keyring.verified(record)
      const known = found.get(checked.scope)
      if (known === undefined || known.generation < checked.generation) found.set(checked.scope, checked)
    }
  }
  return found
}
