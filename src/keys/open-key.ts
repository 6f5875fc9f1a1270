import { Buffer } from 'node:buffer'
import { equalBytes, wipe } from '../bytes.ts'
import type { KeyRecord } from '../key-store.ts'
import { DataKey } from './data-key.ts'
import { IndexKey } from './index-key.ts'
import { commitmentOf, refused, wrappedKeys } from './record.ts'
import type { RootKey } from './root-key.ts'

/**
 * Unwraps a key with its root key and checks that it is the key the record names.
 *
 * @throws KeyRecordError `wrap` or `commitment`
 */
export function openKey(root: RootKey, record: KeyRecord): DataKey | IndexKey {
  const secret = unwrapSecret(root, record)
  try {
    return keyOf(secret, record, root)
  } finally {
    wipe(secret)
  }
}

/** The key in memory that a record stands for. `secret` is not kept as it is, and is the caller's to wipe. */
export function keyOf(secret: Uint8Array, record: KeyRecord, root: RootKey): DataKey | IndexKey {
  return record.purpose === 'index' ? new IndexKey(secret, record, root) : new DataKey(secret, record, root)
}

/** The 32 bytes of a key, which the caller wipes. @throws KeyRecordError `wrap` or `commitment` */
export function unwrapSecret(root: RootKey, record: KeyRecord): Uint8Array {
  const [wrapped] = wrappedKeys(record)
  const secret = wrapped && root.unwrap(Buffer.from(wrapped.ciphertext), record)
  if (secret === undefined) {
    throw refused(
      record.id,
      'wrap',
      'its wrapped key, or an attribute bound to it (id, purpose, scope, generation, parent, dates), was changed',
    )
  }
  if (equalBytes(commitmentOf(secret), Buffer.from(record.commitment, 'hex'))) return secret
  wipe(secret)
  throw refused(record.id, 'commitment', 'its wrapped key is not the key it names')
}
