import { KeyNotFoundError, KeyUnavailableError } from '../errors.ts'
import type { KeyPurpose, KeyRecord, KeyState, KeyStore } from '../key-store.ts'
import type { Clock } from './clock.ts'
import { assertKeyId } from './key-arguments.ts'
import type { KeyWriter } from './key-writer.ts'
import type { Keyring } from './keyring.ts'
import type { KmsGroup } from './kms-group.ts'
import type { NewKey } from './new-key.ts'
import { assertIsRecord, assertPlace } from './record-verifier.ts'
import { describeScope } from './scope.ts'

/** What every step in the life of a key works with. */
export interface KeyParts {
  readonly name: string
  readonly store: KeyStore
  readonly keyring: Keyring
  readonly kms: KmsGroup
  readonly writer: KeyWriter
  readonly clock: Clock
}

const SCOPE_LIMIT = 1000
const GET_LIMIT = 1000

/** How many records to write at once: `most`, or fewer where the store takes fewer. */
export function commitSize(store: KeyStore, most: number): number {
  return Math.max(1, Math.min(most, store.maxCommit ?? most))
}

/** A key's record, read afresh and checked. @throws InvalidInputError, KeyNotFoundError, KeyRecordError */
export async function readKey({ store, keyring }: KeyParts, id: string): Promise<KeyRecord> {
  assertKeyId(id)
  const [record] = await store.get([id])
  if (record === undefined) throw new KeyNotFoundError(id)
  assertIsRecord(record, id)
  return keyring.verified(record)
}

/** The records of these keys, read afresh in one call a thousand and checked, in the order of the ids. @throws KeyNotFoundError, KeyRecordError */
export async function readKeys({ store, keyring }: KeyParts, ids: readonly string[]): Promise<KeyRecord[]> {
  const found = new Map<string, KeyRecord>()
  for (let at = 0; at < ids.length; at += GET_LIMIT) {
    for (const record of await store.get(ids.slice(at, at + GET_LIMIT))) found.set(record?.id, record)
  }
  const records: KeyRecord[] = []
  for (const id of ids) {
    const record = found.get(id)
    if (record === undefined) throw new KeyNotFoundError(id)
    assertIsRecord(record, id)
    records.push(await keyring.verified(record))
  }
  return records
}

/** All records of one purpose and scope, newest generation first, checked. */
export async function readScope(
  { store, keyring }: KeyParts,
  purpose: KeyPurpose,
  scope: string,
): Promise<KeyRecord[]> {
  const records = await store.list({ purpose, scope, limit: SCOPE_LIMIT })
  for (const record of records) assertPlace(record, purpose, new Set([scope]))
  const checked = await Promise.all(records.map((record) => keyring.verified(record)))
  return checked.sort((a, b) => b.generation - a.generation)
}

/** The active records of these scopes, checked. */
export async function readActive({ store, keyring }: KeyParts, purpose: KeyPurpose, scopes: readonly string[]) {
  const records = await store.findActive(purpose, scopes)
  const wanted = new Set(scopes)
  for (const record of records) assertPlace(record, purpose, wanted)
  const checked = await Promise.all(records.map((record) => keyring.verified(record)))
  return checked.filter((record) => record.state === 'active')
}

/** What a new key of this scope is, one generation above all others. */
export async function nextKey(parts: KeyParts, purpose: KeyPurpose, scope: string, state: KeyState): Promise<NewKey> {
  const [newest] = await readScope(parts, purpose, scope)
  const generation = 1 + (newest?.generation ?? 0)
  return { store: parts.name, purpose, scope, generation, state, at: parts.clock.date(), reason: null, expiresAt: null }
}

/** Why a scope cannot encrypt although it has keys. */
export async function outOfUse(parts: KeyParts, purpose: KeyPurpose, scope: string): Promise<KeyUnavailableError> {
  const [newest] = await readScope(parts, purpose, scope)
  const where = describeScope(scope)
  if (newest === undefined) return new KeyUnavailableError(`there is no ${purpose} key for ${where} yet`, 'none')
  return new KeyUnavailableError(
    `there is no active ${purpose} key for ${where}: the newest is ${newest.state}; resume it, or add and promote another`,
    newest.state,
    newest.id,
  )
}
