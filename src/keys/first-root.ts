import type { KeyParts } from './key-parts.ts'
import { newRootKey } from './new-key.ts'

/**
 * Makes the first root key of an empty store, unless there is one.
 *
 * @returns whether it made one
 * @throws KmsError, KeyStoreError
 */
export async function makeFirstRoot({ name, store, keyring, kms, clock }: KeyParts): Promise<boolean> {
  if ((await store.findActive('root', [''])).length > 0) return false
  await keyring.ledger.sync()
  const request = { store: name, generation: 1, state: 'active', at: clock.date(), reason: null } as const
  const root = await newRootKey(kms, request, (secret, record) => keyring.roots.adopt(secret, record))
  const entry = root.signEntry(keyring.ledger.head, {
    at: root.record.createdAt,
    action: 'init',
    changes: [{ id: root.id, rev: 1, state: 'active' }],
  })
  const result = await store.commit({ puts: [{ record: root.record, replaces: null }], log: entry })
  if (!result.written) keyring.roots.forget(root.id)
  return result.written
}
