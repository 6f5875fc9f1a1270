import { LRUCache } from 'lru-cache'
import type { KeyRecord, KeyStore } from '../key-store.ts'
import { holdingAtMost } from '../lru-bound.ts'
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
  readonly #take: (record: KeyRecord) => Promise<unknown>
  readonly #flights = new Map<string, Promise<void>>()
  readonly #absent = new LRUCache<string, true>({ ...holdingAtMost(10_000), ttl: ABSENT_MS })
  #queue: Flight[] = []

  /** @param take checks a record and brings its key into memory */
  constructor(store: KeyStore, take: (record: KeyRecord) => Promise<unknown>) {
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
    const wanted = new Set(flights.map((flight) => flight.id))
    const records = new Map<string, KeyRecord>()
    let stray: string | undefined
    try {
      for (const record of await this.#store.get([...wanted])) {
        if (wanted.has(record?.id)) records.set(record.id, record)
        else stray = String(record?.id).slice(0, 32)
      }
    } catch (error) {
      for (const flight of flights) flight.done(error)
      return
    }
    for (const { id, done } of flights) {
      const record = records.get(id)
      try {
        if (record !== undefined) {
          assertRecord(record)
          if (record.purpose === 'root') throw refused(id, 'misplaced', 'a root key does not encrypt values')
          await this.#take(record)
        } else if (stray !== undefined) {
          throw refused(id, 'misplaced', `the store gave the record of key ${stray} in its place`)
        } else this.#absent.set(id, true)
        done()
      } catch (error) {
        done(error)
      }
    }
  }
}
