import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import type { AdapterUnderTest } from './harness.ts'
import { customers, orders } from './records.ts'

const INDEX_COLUMNS = ['email_index', 'name_index', 'person_index'] as const

/** Whatever a case did, it left nothing but ciphertexts and tags in the database. Runs after each case. */
export async function assertStoredEncrypted(under: AdapterUnderTest): Promise<void> {
  for (const record of [customers, orders]) {
    for (const row of await under.stored(record.name)) {
      for (const [column, { options }] of Object.entries(record.fields)) {
        if (row[column] === null && options.nullable === 'visible') continue
        assert(isCiphertext(row[column]), `${record.name}.${column} is no ciphertext`)
      }
      if (record.name !== 'customers') continue
      for (const column of INDEX_COLUMNS) assert.match(row[column] as string, /^[0-9a-f]{4,}$/, `${column} is no tag`)
    }
  }
}

function isCiphertext(value: unknown): boolean {
  if (typeof value === 'string') return /^sr1_[\w-]{80,}$/.test(value)
  return value instanceof Uint8Array && Buffer.from(value).length > 60 && value[0] !== 0
}
