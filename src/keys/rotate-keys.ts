import { KeyStoreError } from '../errors.ts'
import type { KeyPurpose, KeyRecord } from '../key-store.ts'
import { assertMay, type Change, stateChange } from './key-change.ts'
import { type KeyInfo, keyInfo } from './key-info.ts'
import { type KeyParts, nextKey, outOfUse, readActive, readKey, readKeys, readScope } from './key-parts.ts'
import { newKey, newRootKey } from './new-key.ts'
import { openKey } from './open-key.ts'

/** One rotation: the key that writes now, and the one it took over from, if there was one. */
export interface Rotation {
  readonly created: KeyInfo
  readonly replaced: KeyInfo | null
}

type LocalPurpose = Exclude<KeyPurpose, 'root'>

const ATTEMPTS = 5

/**
 * Gives each scope a new writing key: a waiting key is stored, read back and unwrapped, and only then swapped with the
 * active one in a single commit. A crash leaves a waiting key, which the next rotation of that scope takes.
 * Specification section 4.6.
 *
 * @throws KeyUnavailableError when a scope has no active key
 */
export async function rotateScopes(
  parts: KeyParts,
  purpose: LocalPurpose,
  scopes: readonly string[],
  reason: string | undefined,
): Promise<Rotation[]> {
  const actives = await readActive(parts, purpose, scopes)
  const idle = scopes.find((scope) => !actives.some((record) => record.scope === scope))
  if (idle !== undefined) throw await outOfUse(parts, purpose, idle)
  const waiting = await prepare(parts, purpose, actives)
  return swap(parts, 'rotate', waiting, reason)
}

/** Rotates the root key: the new one is wrapped under every configured KMS. Rewrap moves the other keys under it. */
export async function rotateRoot(parts: KeyParts, reason: string | undefined): Promise<Rotation> {
  const { keyring } = parts
  const old = await keyring.activeRoot()
  const request = { ...(await nextKey(parts, 'root', '', 'active')), reason: reason ?? null }
  const root = await newRootKey(parts.kms, request, (secret, record) => keyring.roots.adopt(secret, record))
  const plan = async () => {
    const before = await readKey(parts, old.id)
    assertMay(before, 'decrypt_only', 'rotate')
    return { create: [root.record], change: [stateChange(parts, before, 'decrypt_only', reason, old)] }
  }
  const written = await parts.writer.write('rotate', plan, root)
  if (!Array.isArray(written)) {
    keyring.roots.forget(root.id)
    throw new KeyStoreError('conflict', 'another process rotated the root key at the same moment')
  }
  return { created: keyInfo(root.record), replaced: keyInfo(await readKey(parts, old.id)) }
}

/** Makes waiting keys active and the active keys of their scopes decrypt_only, all in one commit. */
export async function swap(
  parts: KeyParts,
  action: string,
  waiting: readonly KeyRecord[],
  reason: string | undefined,
): Promise<Rotation[]> {
  const [first] = waiting
  if (first === undefined) return []
  const scopes = waiting.map((record) => record.scope)
  const ids = waiting.map((record) => record.id)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    let replaced = new Map<string, string>()
    const plan = async () => {
      const actives = await readActive(parts, first.purpose, scopes)
      const byScope = new Map(actives.map((record) => [record.scope, record]))
      replaced = new Map(actives.map((record) => [record.scope, record.id]))
      const change: Change[] = []
      for (const before of await readKeys(parts, ids)) {
        if (before.state === 'active') continue // another process swapped this very key
        assertMay(before, 'active', action)
        const active = byScope.get(before.scope)
        // What was suspended or destroyed meanwhile is not undone by a rotation: only promote starts such a scope again.
        if (active === undefined && action === 'rotate') throw await outOfUse(parts, first.purpose, before.scope)
        // The old key goes first, so that no store ever sees two active keys.
        if (active !== undefined) change.push(await signedChange(parts, active, 'decrypt_only', reason))
        change.push(await signedChange(parts, before, 'active', reason))
      }
      return { change }
    }
    const written = await parts.writer.write(action, plan)
    if (Array.isArray(written)) return report(parts, waiting, replaced)
  }
  throw new KeyStoreError('conflict', `could not ${action}: other processes kept changing the active key`)
}

async function signedChange(parts: KeyParts, before: KeyRecord, state: 'active' | 'decrypt_only', reason?: string) {
  return stateChange(parts, before, state, reason, await parts.keyring.root(before.parent as string))
}

async function report(parts: KeyParts, waiting: readonly KeyRecord[], replaced: ReadonlyMap<string, string>) {
  const created = await readKeys(
    parts,
    waiting.map(({ id }) => id),
  )
  await parts.keyring.admit(created)
  const took = waiting.map(({ id, scope }) => [id, replaced.get(scope)] as const)
  const oldIds = took.flatMap(([id, old]) => (old === undefined || old === id ? [] : [old]))
  const olds = new Map((await readKeys(parts, oldIds)).map((record) => [record.id, record]))
  return took.map(([, oldId], at) => {
    const old = oldId === undefined ? undefined : olds.get(oldId)
    return { created: keyInfo(created[at] as KeyRecord), replaced: old === undefined ? null : keyInfo(old) }
  })
}

/** A waiting key for each scope, stored, read back, and proved to unwrap. */
async function prepare(parts: KeyParts, purpose: LocalPurpose, actives: readonly KeyRecord[]): Promise<KeyRecord[]> {
  const ids = await store(parts, purpose, actives)
  const waiting = await readKeys(parts, ids)
  for (const record of waiting) openKey(await parts.keyring.root(record.parent as string), record).wipe()
  return waiting
}

async function store(parts: KeyParts, purpose: LocalPurpose, actives: readonly KeyRecord[]): Promise<string[]> {
  if (actives.length === 1) return [await storeOne(parts, purpose, (actives[0] as KeyRecord).scope)]
  const root = await parts.keyring.activeRoot()
  const at = parts.clock.date()
  const base = { store: parts.name, purpose, state: 'pending', at, reason: null, expiresAt: null } as const
  const create = actives.map(({ scope, generation }) => newKey(root, { ...base, scope, generation: generation + 1 }))
  const written = await parts.writer.write('add', async () => ({ create }))
  if (Array.isArray(written)) return create.map((record) => record.id)
  // A scope has a waiting key already: go one by one, which takes it.
  const ids: string[] = []
  for (const { scope } of actives) ids.push(await storeOne(parts, purpose, scope))
  return ids
}

async function storeOne(parts: KeyParts, purpose: LocalPurpose, scope: string): Promise<string> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const waiting = (await readScope(parts, purpose, scope)).find((record) => record.state === 'pending')
    if (waiting !== undefined) return waiting.id
    const record = newKey(await parts.keyring.activeRoot(), await nextKey(parts, purpose, scope, 'pending'))
    if (Array.isArray(await parts.writer.write('add', async () => ({ create: [record] })))) return record.id
  }
  throw new KeyStoreError('conflict', 'could not rotate: other processes kept adding keys to the same scope')
}
