import { assertObject } from '../../src/bytes.ts'
import type { KeyLogEntry, KeyRecord, KeyStore } from '../../src/key-store.ts'
import { checkedKeyStore } from '../../src/key-store-checks.ts'
import { copyEntry, copyRecord, KeyTable } from './key-table.ts'

/** A key store in memory that can say how many keys it holds. */
export interface MemoryKeyStore extends KeyStore {
  /** Keys that it holds, tombstones included. */
  readonly size: number
}

/**
 * A key store inside this process, for tests and demonstrations: what it holds is gone when the process ends.
 *
 * @param initial records and log to start from; they are not checked
 * @throws InvalidInputError when `initial` is no object
 */
export function memoryKeyStore(
  initial: { records?: readonly KeyRecord[]; log?: readonly KeyLogEntry[] } = {},
): MemoryKeyStore {
  assertObject(initial, 'what the store starts from')
  const table = new KeyTable(initial.records?.map(copyRecord), initial.log?.map(copyEntry))
  return checkedKeyStore<MemoryKeyStore>({
    name: 'memory',
    get size() {
      return table.size
    },
    get: async (ids) => table.get(ids),
    findActive: async (purpose, scopes) => table.findActive(purpose, scopes),
    list: async (query) => table.list(query),
    log: async (after, limit) => table.log(after, limit),
    async commit(commit) {
      const conflict = table.conflictOf(commit)
      if (conflict !== undefined) return { written: false, conflict }
      table.apply(commit)
      return { written: true }
    },
  })
}
