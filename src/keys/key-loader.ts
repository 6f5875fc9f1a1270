import { LRUCache } from 'lru-cache'
import type { KeyRecord, KeyStore } from '../key-store.ts'
import { assertRecord, refused } from './record.ts'

const BATCH = 1000
const ABSENT_MS = 1000

interface Flight {
  readonly id: string
  readonly done: (error?: unknown) => void
}

/**
 * Reads key records by id: concurrent requests for one key share one read, and requests of the same moment share one
 * call to the store. A failure is given to everybody who waits and then forgotten; an id that does not exist is
 * remembered for a second, so that garbage cannot keep the store busy.
 */
export class KeyLoader {
  readonly #store: KeyStore
  readonly #take: (record: KeyRecord) => Promise<void>
  readonly #flights = new Map<string, Promise<void>>()
  readonly #absent = new LRUCache<string, true>({ max: 10_000, ttl: ABSENT_MS })
  #queue: Flight[] = []

  /** @param take checks a record and brings its key into memory */
  constructor(store: KeyStore, take: (record: KeyRecord) => Promise<void>) {
    this.#store = store
    this.#take = take
  }

  /** Resolves when the key is in memory, or known not to exist. */
  load(id: string): Promise<void> {
    if (this.#absent.has(id)) return Promise.resolve()
    const known = this.#flights.get(id)
    if (known !== undefined) return known
    const flight = new Promise<void>((resolve, reject) => {
      this.#queue.push({ id, done: (error) => (error === undefined ? resolve() : reject(error)) })
    }).finally(() => this.#flights.delete(id))
    this.#flights.set(id, flight)
    if (this.#queue.length === 1) queueMicrotask(() => void this.#flush())
    return flight
  }

  async #flush(): Promise<void> {
    const queue = this.#queue
    this.#queue = []
    for (let at = 0; at < queue.length; at += BATCH) await this.#read(queue.slice(at, at + BATCH))
  }

  async #read(flights: readonly Flight[]): Promise<void> {
    const records = new Map<string, KeyRecord>()
    try {
      for (const record of await this.#store.get(flights.map((flight) => flight.id))) {
        assertRecord(record)
        records.set(record.id, record)
      }
    } catch (error) {
      for (const flight of flights) flight.done(error)
      return
    }
    for (const { id, done } of flights) {
      const record = records.get(id)
      if (record === undefined) this.#absent.set(id, true)
      else if (record.purpose === 'root') done(refused(id, 'misplaced', 'a root key does not encrypt values'))
      else await this.#take(record).then(() => done(), done)
      done()
    }
  }
}
