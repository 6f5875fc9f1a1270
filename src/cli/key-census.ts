import type { MaxAgeDays } from '../doctor/ages.ts'
import type { KeyPurpose, KeyState } from '../key-store.ts'
import type { KeyInfo } from '../keys/key-info.ts'
import type { KeyManager } from '../keys/key-manager.ts'

/** Keys of one purpose and state. */
export interface KeyCount {
  readonly purpose: KeyPurpose
  readonly state: KeyState
  readonly keys: number
}

/** The active keys of one purpose, against how old they may be. */
export interface KeyAge {
  readonly purpose: KeyPurpose
  readonly oldestDays: number
  readonly maxDays: number
  readonly overdue: number
  readonly oldestId: string
}

/** What one key, of a KMS or a root key, wraps. */
export interface WrapCount {
  readonly provider: string
  readonly keyId: string
  readonly keys: number
}

/** All keys of a store, counted. */
export interface KeyCensus {
  readonly counts: readonly KeyCount[]
  readonly ages: readonly KeyAge[]
  readonly wraps: readonly WrapCount[]
}

const DAY_MS = 86_400_000
const PAGE = 1000

/** Reads every key once, a page at a time, so that a million keys need no memory. Each record is checked. */
export async function countKeys(
  keys: Pick<KeyManager, 'list'>,
  { maxDays, now, onProgress }: { maxDays: MaxAgeDays; now: Date; onProgress?: (keys: number) => void },
): Promise<KeyCensus> {
  const counts = new Map<string, KeyCount>()
  const ages = new Map<KeyPurpose, KeyAge>()
  const wraps = new Map<string, WrapCount>()
  let done = 0
  for (let after: string | undefined; ; ) {
    const page = await keys.list({ limit: PAGE, ...(after === undefined ? {} : { after }) })
    for (const key of page) {
      const { purpose, state } = key
      const name = `${purpose} ${state}`
      counts.set(name, { purpose, state, keys: (counts.get(name)?.keys ?? 0) + 1 })
      if (state === 'active') ages.set(purpose, older(ages.get(purpose), key, maxDays[purpose], now))
      for (const { provider, keyId } of key.wraps) {
        const wrap = `${provider} ${keyId}`
        wraps.set(wrap, { provider, keyId, keys: (wraps.get(wrap)?.keys ?? 0) + 1 })
      }
    }
    done += page.length
    onProgress?.(done)
    after = page.at(-1)?.id
    if (page.length < PAGE) break
  }
  return { counts: sorted(counts), ages: sorted(ages), wraps: sorted(wraps) }
}

function older(known: KeyAge | undefined, key: KeyInfo, maxDays: number, now: Date): KeyAge {
  const days = Math.floor((now.getTime() - key.createdAt.getTime()) / DAY_MS)
  const overdue = (known?.overdue ?? 0) + Number(days > maxDays)
  const oldest =
    known !== undefined && known.oldestDays >= days
      ? { oldestDays: known.oldestDays, oldestId: known.oldestId }
      : { oldestDays: days, oldestId: key.id }
  return { purpose: key.purpose, ...oldest, maxDays, overdue }
}

function sorted<Entry>(entries: ReadonlyMap<string, Entry>): Entry[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry)
}
