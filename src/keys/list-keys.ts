import { assertWhole } from '../bytes.ts'
import { KEY_PURPOSES, type KeyPurpose, type KeyState } from '../key-store.ts'
import { assertKeyId, assertPurpose, assertState } from './key-arguments.ts'
import { type KeyInfo, keyInfo } from './key-info.ts'
import { PAGE } from './key-pages.ts'
import type { KeyParts } from './key-parts.ts'
import { encodeScope, type KeyScope } from './scope.ts'

/** Which keys to list; every given property must match. */
export interface ListOptions {
  readonly purpose?: KeyPurpose
  readonly state?: KeyState
  /** Exactly this scope, and none within it. */
  readonly scope?: KeyScope
  /** Continue behind this id. */
  readonly after?: string
  /** Keys at most, 1 to 1,000; 1,000 by default. */
  readonly limit?: number
}

/** One page of keys in order of id, each checked. @throws InvalidInputError, KeyRecordError, KeyStoreError */
export async function listKeys({ name, store, keyring }: KeyParts, options: ListOptions): Promise<KeyInfo[]> {
  const { scope, limit = PAGE, ...query } = options
  assertPurpose(query.purpose, KEY_PURPOSES)
  assertState(query.state)
  if (query.after !== undefined) assertKeyId(query.after, 'after')
  assertWhole(limit, 'limit', 1, PAGE)
  const text = scope === undefined ? {} : { scope: encodeScope(scope, name) }
  const records = await store.list({ ...query, ...text, limit })
  return Promise.all(records.map(async (record) => keyInfo(await keyring.verified(record))))
}
