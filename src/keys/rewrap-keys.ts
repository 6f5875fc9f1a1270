import { Buffer } from 'node:buffer'
import { encodeBase64url } from '../base64url.ts'
import { equalBytes, wipe } from '../bytes.ts'
import type { KeyRecord, KeyState } from '../key-store.ts'
import type { WrappedKey } from '../kms.ts'
import type { Change } from './key-change.ts'
import { keyPages } from './key-pages.ts'
import { commitSize, type KeyParts, readKey } from './key-parts.ts'
import { keyWrap } from './new-key.ts'
import { unwrapSecret } from './open-key.ts'
import { commitmentOf, rootContext, wrappedKeys } from './record.ts'
import type { RootKey } from './root-key.ts'
import { mayRewrap, mayRewrapRoot } from './states.ts'

/** How to rewrap. */
export interface RewrapOptions {
  /** Stops between two batches; running again goes on where it stopped. */
  readonly signal?: AbortSignal
  /** Told the keys done so far, after each batch. */
  readonly onProgress?: (rewrapped: number) => void
}

/** What a rewrap did. */
export interface RewrapReport {
  /** Root keys wrapped anew by the KMS. */
  readonly roots: number
  /** Keys moved under the active root key. */
  readonly keys: number
  /** KMS keys under which a root key could not be wrapped (see `minWraps`): run again when they are back. */
  readonly missing: readonly { readonly provider: string; readonly keyId: string }[]
}

const BATCH = 500

/** Wraps root keys under every KMS configured now, then all other keys under the active root key. */
export async function rewrapKeys(parts: KeyParts, options: RewrapOptions): Promise<RewrapReport> {
  const missing: RewrapReport['missing'][number][] = []
  const { all, used } = await rootsToRewrap(parts)
  const rewrapRoots = async (some: readonly KeyRecord[]) => {
    for (const { id } of some) {
      options.signal?.throwIfAborted()
      missing.push(...(await rewrapRoot(parts, id)))
    }
  }
  await rewrapRoots(used)
  const active = await parts.keyring.activeRoot()
  let keys = 0
  for (const { id } of used) {
    if (id === active.id) continue
    for await (const count of moveChildren(parts, id, active)) {
      keys += count
      options.onProgress?.(keys)
      options.signal?.throwIfAborted()
    }
  }
  // Retired ones last: one that no service opens any more must not keep those in use from being saved.
  await rewrapRoots(all.filter((root) => !used.includes(root)))
  return { roots: all.length, keys, missing }
}

/** The root keys that are wrapped anew; those in use among them are the ones whose keys move. */
export async function rootsToRewrap({ store }: KeyParts): Promise<{ all: KeyRecord[]; used: KeyRecord[] }> {
  const all = (await store.list({ purpose: 'root', limit: 1000 })).filter((root) => mayRewrapRoot(root.state))
  return { all, used: all.filter((root) => mayRewrap(root.state)) }
}

/** Whether a key in this state moves under another root key: tombstones do, so that they stay provable. */
export function isMoved(state: KeyState): boolean {
  return mayRewrap(state) || state === 'destroyed'
}

async function rewrapRoot(parts: KeyParts, id: string): Promise<RewrapReport['missing']> {
  const root = await parts.keyring.root(id)
  const record = await readKey(parts, id)
  const commitment = Buffer.from(record.commitment, 'hex')
  const context = rootContext(record)
  const verify = (key: Uint8Array) => equalBytes(commitmentOf(key), commitment)
  const secret = await parts.kms.unwrap(wrappedKeys(record), { context }, verify)
  try {
    // Of several wraps one was opened, and it is not told which: any other may hold something else.
    const [proven, ...others] = wrappedKeys(record).filter((wrapped) => !isRecovery(parts, wrapped))
    const { wraps, missing } = await parts.kms.wrap(secret, { context }, others.length === 0 ? proven : undefined)
    // What a service that is down once wrapped is kept: rewrapping must not make a gap where there was none.
    const absent = parts.kms.providers.filter((one) =>
      missing.some(({ provider, keyId }) => provider === one.name && keyId === one.keyId),
    )
    const kept = wrappedKeys(record).flatMap((wrap, at) => {
      const old = record.wraps[at]
      return old !== undefined && absent.some((one) => one.accepts(wrap)) ? [old] : []
    })
    const after = { wraps: [...wraps.map((wrap) => keyWrap(wrap, parts.clock.date())), ...kept] }
    await parts.writer.write('rewrap', async () => {
      const before = await readKey(parts, id)
      return mayRewrapRoot(before.state) ? { change: [{ before, after, signer: root }] } : {}
    })
    return missing.map(({ provider, keyId }) => ({ provider, keyId }))
  } finally {
    wipe(secret)
  }
}

/** A recovery key opens nothing here, so that what was opened was another wrap. */
function isRecovery({ kms }: KeyParts, wrapped: WrappedKey): boolean {
  return kms.providers.some((provider) => provider.recovery !== undefined && provider.accepts(wrapped))
}

/** Moves keys from one root key to another, a batch a commit. */
async function* moveChildren(parts: KeyParts, from: string, to: RootKey): AsyncGenerator<number> {
  const size = commitSize(parts.store, BATCH)
  const old = await parts.keyring.root(from)
  for await (const page of keyPages(parts.store, { parent: from }, BATCH)) {
    const ids = page.filter((record) => isMoved(record.state)).map((record) => record.id)
    for (let at = 0; at < ids.length; at += size) yield moveBatch(parts, ids.slice(at, at + size), old, to)
  }
}

/** @returns how many were moved */
async function moveBatch(parts: KeyParts, ids: readonly string[], from: RootKey, to: RootKey): Promise<number> {
  const written = await parts.writer.write('rewrap', async () => {
    const records = await parts.store.get(ids)
    const change: Change[] = []
    for (const candidate of records) {
      const before = await parts.keyring.verified(candidate)
      if (before.parent === from.id && isMoved(before.state)) change.push(moved(parts, before, from, to))
    }
    return { change }
  })
  return Array.isArray(written) ? written.length : 0
}

function moved(parts: KeyParts, before: KeyRecord, from: RootKey, to: RootKey): Change {
  if (before.state === 'destroyed') return { before, after: { parent: to.id }, signer: to }
  const secret = unwrapSecret(from, before)
  try {
    const ciphertext = encodeBase64url(to.wrap(secret, { ...before, parent: to.id }))
    const wrap = { provider: 'root', keyId: to.id, ciphertext, wrappedAt: parts.clock.date().toISOString() }
    return { before, after: { parent: to.id, wraps: [wrap] }, signer: to }
  } finally {
    wipe(secret)
  }
}
