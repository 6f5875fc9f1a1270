import { type MemoryKms, memoryKeyStore, memoryKms } from '../../providers/memory/index.ts'
import { openStrongroom } from '../../src/index.ts'
import type { KeyStore } from '../../src/key-store.ts'
import { records, type SuiteRoom } from './records.ts'

/** A key store and a KMS that live as long as one case, and the rooms that are opened on them. */
export class SuiteRooms {
  readonly #kms: MemoryKms = memoryKms()
  readonly #store: KeyStore
  readonly #open: SuiteRoom[] = []
  /** Reads of the key store since the case began. */
  reads = 0

  constructor() {
    const store = memoryKeyStore()
    this.#store = {
      name: store.name,
      get: (ids) => this.#counted(() => store.get(ids)),
      findActive: (purpose, scopes) => this.#counted(() => store.findActive(purpose, scopes)),
      list: (query) => this.#counted(() => store.list(query)),
      commit: (commit) => store.commit(commit),
      log: (after, limit) => store.log(after, limit),
    }
  }

  /** Calls of the KMS that unwrapped a key. */
  get unwraps(): number {
    return this.#kms.calls.unwrap
  }

  /** Opens a room as another process would, with the keys of these tenants in memory. */
  async open(tenants: readonly string[]): Promise<SuiteRoom> {
    const first = this.#open.length === 0
    const room = await openStrongroom({ name: 'suite', kms: this.#kms, store: this.#store, records }, { init: first })
    this.#open.push(room)
    await room.unlock(tenants.map((tenant) => ({ tenant })))
    return room
  }

  async close(): Promise<void> {
    for (const room of this.#open) await room.close()
  }

  #counted<Result>(read: () => Promise<Result>): Promise<Result> {
    this.reads++
    return read()
  }
}
