import { type KeyInfo, keyInfo } from './key-info.ts'
import { keyPages } from './key-pages.ts'
import type { KeyParts } from './key-parts.ts'
import { isMoved, rootsToRewrap } from './rewrap-keys.ts'
import { type WrapTarget, wrapTargets } from './rotation-plan.ts'

/** What a rewrap would do, from the keys as they are now. */
export interface RewrapPlan {
  /** Root keys that the KMS would wrap anew; `wraps` says what wraps them now. */
  readonly roots: readonly KeyInfo[]
  /** The KMS keys under which each of them would be wrapped then. */
  readonly wraps: readonly WrapTarget[]
  /** How many keys would move under the active root key. */
  readonly keys: number
  /** Calls to key management services, without retries. A recovery key is none: it wraps in this process. */
  readonly calls: { readonly unwrap: number; readonly wrap: number }
}

/** What `rewrapKeys` would do. Every root key is opened by the KMS, as it would be; nothing is wrapped or written. */
export async function planRewrap(parts: KeyParts): Promise<RewrapPlan> {
  const { all, used } = await rootsToRewrap(parts)
  const active = await parts.keyring.activeRoot()
  let keys = 0
  for (const { id } of used) if (id !== active.id) keys += await countMoved(parts, id)
  const roots = await Promise.all(all.map(async (record) => keyInfo(await parts.keyring.verified(record))))
  const services = parts.kms.providers.filter(({ recovery }) => recovery === undefined).length
  const calls = { unwrap: roots.length, wrap: roots.length * services }
  return { roots, wraps: wrapTargets(parts), keys, calls }
}

async function countMoved({ store }: KeyParts, parent: string): Promise<number> {
  let count = 0
  for await (const page of keyPages(store, { parent })) count += page.filter(({ state }) => isMoved(state)).length
  return count
}
