import { describe } from '../bytes.ts'
import { InvalidInputError, KeyStoreError } from '../errors.ts'
import { LOCAL_PURPOSES } from '../key-store.ts'
import { assertPurpose, assertReason } from './key-arguments.ts'
import { type KeyInfo, keyInfo } from './key-info.ts'
import { type KeyParts, nextKey } from './key-parts.ts'
import { newKey } from './new-key.ts'
import { encodeScope, type KeyScope } from './scope.ts'

/** Which key to make. */
export interface AddOptions {
  /** `data` by default. */
  readonly purpose?: 'data' | 'index' | 'pepper'
  /** The empty scope by default. */
  readonly scope?: KeyScope
  /** When the key ends: after this it neither encrypts nor decrypts, not even when its record is put back. */
  readonly expiresAt?: Date
  /** For the record; at most 1,000 characters. */
  readonly reason?: string
}

const ATTEMPTS = 5

/** Makes a key in state `pending`, one generation above all others of its scope. @throws InvalidInputError, KeyStoreError */
export async function addKey(parts: KeyParts, options: AddOptions): Promise<KeyInfo> {
  const { purpose = 'data', scope: given = {}, expiresAt, reason } = options
  assertPurpose(purpose, LOCAL_PURPOSES)
  assertReason(reason)
  const now = parts.clock.date().getTime()
  if (expiresAt !== undefined && !(expiresAt instanceof Date && expiresAt.getTime() > now)) {
    throw new InvalidInputError(`expiresAt must be a Date in the future, received ${describe(expiresAt)}`)
  }
  const scope = encodeScope(given, parts.name)
  const said = { expiresAt: expiresAt ?? null, reason: reason ?? null }
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const root = await parts.keyring.activeRoot()
    const record = newKey(root, { ...(await nextKey(parts, purpose, scope, 'pending')), ...said })
    if (Array.isArray(await parts.writer.write('add', async () => ({ create: [record] })))) return keyInfo(record)
  }
  throw new KeyStoreError('conflict', 'could not add a key: other processes kept adding keys to the same scope')
}
