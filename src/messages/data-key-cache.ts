import { LRUCache } from 'lru-cache'
import { wipe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import { holdingAtMost } from '../lru-bound.ts'

/** How long and how much one data key is used before the next is asked for. */
export interface ReuseLimits {
  /** Messages sealed under one data key. 1 to 2^32, default 2^20. */
  readonly messages: number
  /** Bytes sealed under one data key. Default 64 GiB. */
  readonly bytes: number
  /** Milliseconds that a data key stays in memory. Default 300,000 (five minutes). */
  readonly ageMs: number
  /** Data keys in memory at once, for sealing and for opening each. Default 1,000. */
  readonly entries: number
}

export const DEFAULT_REUSE: ReuseLimits = { messages: 2 ** 20, bytes: 2 ** 36, ageMs: 300_000, entries: 1000 }

/** A data key that may be used again. */
export interface Reusable {
  readonly dataKey: Uint8Array
}

/** Fills in the defaults. @throws InvalidInputError for a limit out of range */
export function reuseLimits(limits: Partial<ReuseLimits>): ReuseLimits {
  const merged = { ...DEFAULT_REUSE, ...limits }
  for (const [name, max] of [
    ['messages', 2 ** 32],
    ['bytes', 2 ** 50],
    ['ageMs', 86_400_000],
    ['entries', 1_000_000],
  ] as const) {
    const value = merged[name]
    if (!Number.isSafeInteger(value) || value < 1 || value > max) {
      throw new InvalidInputError(`reuse.${name} must be a whole number from 1 to ${max}`)
    }
  }
  return merged
}

/**
 * Data keys by everything that decides whether they may be used again: suite, context and recipients, which the caller
 * puts into `id`. Bounded in number, age and use; concurrent loads of one id are one load; a failure is not kept; what
 * leaves is wiped.
 */
export class DataKeyCache<Entry extends Reusable> {
  readonly #limits: ReuseLimits
  readonly #entries: LRUCache<string, Counted<Entry>>
  readonly #loading = new Map<string, Promise<void>>()

  constructor(limits: ReuseLimits) {
    this.#limits = limits
    this.#entries = new LRUCache({
      ...holdingAtMost(limits.entries),
      ttl: limits.ageMs,
      dispose: (counted) => wipe(counted.entry.dataKey),
    })
  }

  /**
   * The entry for one more use of `bytes` bytes, when there is one. Use it before the next `await`: later it may have
   * been wiped.
   */
  take(id: string, bytes: number): Entry | undefined {
    const counted = this.#entries.get(id)
    if (counted === undefined) return undefined
    if (counted.messages >= this.#limits.messages || counted.bytes + bytes > this.#limits.bytes) {
      this.#entries.delete(id)
      return undefined
    }
    counted.messages++
    counted.bytes += bytes
    return counted.entry
  }

  /** Runs `load` for this id, or waits for the one that is under way; `take` then finds what it made. */
  async fill(id: string, load: () => Promise<Entry>): Promise<void> {
    const underWay = this.#loading.get(id)
    if (underWay !== undefined) return underWay
    const loading = load().then((entry) => this.put(id, entry))
    this.#loading.set(id, loading)
    try {
      await loading
    } finally {
      this.#loading.delete(id)
    }
  }

  put(id: string, entry: Entry): void {
    this.#entries.set(id, { entry, messages: 0, bytes: 0 })
  }

  /** Forgets and wipes everything. */
  clear(): void {
    this.#entries.clear()
  }
}

interface Counted<Entry> {
  readonly entry: Entry
  messages: number
  bytes: number
}
