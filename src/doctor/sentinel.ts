import { Buffer } from 'node:buffer'
import { createHmac } from 'node:crypto'
import { equalBytes } from '../bytes.ts'
import { AAD_CONTEXT_AT, AAD_LABEL } from '../format/field.ts'
import type { KeyRecord } from '../key-store.ts'
import { DataKey } from '../keys/data-key.ts'
import type { IndexKey } from '../keys/index-key.ts'
import { openKey } from '../keys/open-key.ts'
import type { RootKey } from '../keys/root-key.ts'

const SENTINEL = Buffer.from('strongroom sentinel')

/**
 * Opens a key of a record and puts a known value through it: encrypted and decrypted again, or indexed twice alike.
 *
 * @returns whether the value came back
 * @throws KeyRecordError when the record's wrap or commitment does not fit
 */
export function sentinelOpens(root: RootKey, record: KeyRecord): boolean {
  const key = openKey(root, record)
  try {
    return key instanceof DataKey ? decryptsBack(key) : indexesAlike(key)
  } finally {
    key.wipe()
  }
}

function decryptsBack(key: DataKey): boolean {
  const aad = (): Buffer => Buffer.concat([AAD_LABEL, Buffer.alloc(AAD_CONTEXT_AT - AAD_LABEL.byteLength)])
  const opened = key.decrypt(Buffer.from(key.encryptBytes(SENTINEL, aad())), aad())
  return opened !== undefined && equalBytes(opened, SENTINEL)
}

function indexesAlike(key: IndexKey): boolean {
  const tag = (): Buffer =>
    key.derive('doctor', (secret) => {
      const bytes = createHmac('sha256', secret).update(SENTINEL).digest()
      return { bytes, wipe: () => void bytes.fill(0) }
    }).bytes
  return equalBytes(tag(), tag())
}
