import type { DataKey } from './data-key.ts'
import type { IndexKey } from './index-key.ts'
import { commitSize, type KeyParts, outOfUse } from './key-parts.ts'
import { newKey } from './new-key.ts'
import { keyOf } from './open-key.ts'

const BATCH = 10_000

/**
 * Brings the active keys of these scopes into memory, making those that never existed. Any number of processes may do
 * this at once: the store lets one key win and the others use it.
 *
 * @param scopes canonical texts, without duplicates
 * @throws KeyUnavailableError when a scope has keys and none is active: it was suspended, or erased
 */
export async function ensureActive(
  parts: KeyParts,
  purpose: 'data' | 'index' | 'pepper',
  scopes: readonly string[],
): Promise<void> {
  const missing = await parts.keyring.loadActive(purpose, scopes)
  const batch = commitSize(parts.store, BATCH)
  for (let at = 0; at < missing.length; at += batch) await create(parts, purpose, missing.slice(at, at + batch))
}

async function create(parts: KeyParts, purpose: 'data' | 'index' | 'pepper', scopes: readonly string[]): Promise<void> {
  const root = await parts.keyring.activeRoot()
  const at = parts.clock.date()
  const base = {
    store: parts.name,
    purpose,
    generation: 1,
    state: 'active',
    at,
    reason: null,
    expiresAt: null,
  } as const
  // Kept from the moment they are made: reading back and unwrapping what was wrapped a moment ago costs as much again.
  const keys: (DataKey | IndexKey)[] = []
  const records = scopes.map((scope) =>
    newKey(root, { ...base, scope }, (secret, record) => keys.push(keyOf(secret, record, root))),
  )
  const written = await parts.writer.write('create', async () => ({ create: records }))
  if (Array.isArray(written)) return parts.keyring.adopt(keys)
  for (const key of keys) key.wipe()

  // Another process made some of them first, or a scope has keys that are all out of use.
  const missing = await parts.keyring.loadActive(purpose, scopes)
  const [first] = missing
  if (first === undefined) return
  if (missing.length < scopes.length) return create(parts, purpose, missing)
  if (missing.length === 1) throw await outOfUse(parts, purpose, first)
  const half = missing.length >> 1
  await create(parts, purpose, missing.slice(0, half))
  await create(parts, purpose, missing.slice(half))
}
