import type { ShredEntry, ShredLedger } from '../../src/key-store.ts'
import { checkedShredLedger } from '../../src/key-store-checks.ts'

/** A list of shredded keys that is gone with the process, for tests. */
export function memoryShredLedger(): ShredLedger {
  const kept: ShredEntry[] = []
  return checkedShredLedger({
    name: 'memory',
    read: async (after, limit) => structuredClone(kept.slice(after, after + limit)),
    append: async (entries) => {
      if (entries[0]?.seq !== kept.length + 1) return false
      kept.push(...structuredClone(entries))
      return true
    },
  })
}
