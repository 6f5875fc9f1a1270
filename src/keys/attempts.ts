import { KeyStoreError } from '../errors.ts'
import type { KeyStore } from '../key-store.ts'
import type { Clock } from './clock.ts'
import { ATTEMPT } from './key-ledger.ts'
import type { Keyring } from './keyring.ts'

const EVERY_MS = 60_000
const MAX_KEYS = 1000
const TRIES = 10

/**
 * Writes into the key log that a retired key was wanted for decryption, so that whoever destroys it knows that something
 * still needs it. At most one entry a key, minute and process: whoever can write ciphertexts must not be able to fill the log.
 */
export class AttemptLog {
  readonly #store: KeyStore
  readonly #keyring: Keyring
  readonly #clock: Clock
  /** When each key may be reported again. */
  readonly #next = new Map<string, number>()

  constructor(options: { store: KeyStore; keyring: Keyring; clock: Clock }) {
    this.#store = options.store
    this.#keyring = options.keyring
    this.#clock = options.clock
  }

  /** Notes an attempt; nobody waits for it, and an attempt that cannot be written is written with the next. */
  note(id: string): void {
    const now = this.#clock.now()
    if ((this.#next.get(id) ?? 0) > now) return
    if (this.#next.size >= MAX_KEYS) this.#prune(now)
    if (this.#next.size >= MAX_KEYS && !this.#next.has(id)) return
    this.#next.set(id, now + EVERY_MS)
    this.#write(id).catch(() => this.#next.delete(id))
  }

  #prune(now: number): void {
    for (const [id, next] of this.#next) if (next <= now) this.#next.delete(id)
  }

  async #write(id: string): Promise<void> {
    const { ledger } = this.#keyring
    for (let tries = 0; tries < TRIES; tries++) {
      const root = await this.#keyring.activeRoot()
      // Read together with the head that is signed below: nothing may be awaited between.
      const change = ledger.latest(id)
      if (change?.state !== 'destroy_scheduled') return
      const body = { at: this.#clock.date().toISOString(), action: ATTEMPT, changes: [change] }
      const result = await this.#store.commit({ puts: [], log: root.signEntry(ledger.head, body) })
      await ledger.sync()
      if (result.written) return
    }
    throw new KeyStoreError('conflict', 'could not note an attempt: other processes kept writing to the key log')
  }
}
