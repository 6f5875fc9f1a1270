import { KeyStoreError } from '../errors.ts'
import type { EventHub } from '../events.ts'
import type { CommitResult, KeyLogChange, KeyPut, KeyRecord, KeyStore } from '../key-store.ts'
import type { Clock } from './clock.ts'
import type { Change } from './key-change.ts'
import type { Keyring } from './keyring.ts'
import type { RootKey } from './root-key.ts'

const ATTEMPTS = 40
const MAX_WAIT_MS = 50

/** What happens in one step: keys made, keys changed, all together. */
export interface Step {
  readonly create?: readonly KeyRecord[]
  readonly change?: readonly Change[]
}

type Conflict = Extract<CommitResult, { written: false }>['conflict']

/** The only writer of the key store: signs, logs and commits steps, and tries again when another process was first. */
export class KeyWriter {
  readonly #store: KeyStore
  readonly #keyring: Keyring
  readonly #events: EventHub
  readonly #clock: Clock

  constructor(options: { store: KeyStore; keyring: Keyring; events: EventHub; clock: Clock }) {
    this.#store = options.store
    this.#keyring = options.keyring
    this.#events = options.events
    this.#clock = options.clock
  }

  /**
   * Writes a step.
   *
   * @param action for the log and the events, for example `rotate`
   * @param plan reads what it needs afresh and says what to do; called again when another process changed something
   * @param signer signs the log entry; the active root key by default
   * @returns the records as written, or the conflict when two keys would be active or share a generation
   * @throws KeyStoreError `conflict` when other processes were first every time
   */
  async write(action: string, plan: () => Promise<Step>, signer?: RootKey): Promise<KeyRecord[] | Conflict> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const step = await plan()
      const puts = toPuts(step)
      if (puts.length === 0) return []
      const result = await this.#commit(action, puts, signer ?? (await this.#keyring.activeRoot()))
      if (result.written) return this.#written(action, puts)
      if (result.conflict === 'active' || result.conflict === 'generation') return result.conflict
      await this.#keyring.refresh()
      await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(MAX_WAIT_MS, 2 ** attempt)))
    }
    throw new KeyStoreError('conflict', `could not ${action}: other processes kept changing the same keys`)
  }

  #commit(action: string, puts: readonly KeyPut[], signer: RootKey): Promise<CommitResult> {
    const changes = puts.filter((put) => isLogged(put)).map(({ record }) => logChange(record))
    const body = { at: this.#clock.date().toISOString(), action, changes }
    const log = changes.length === 0 ? null : signer.signEntry(this.#keyring.ledger.head, body)
    return this.#store.commit({ puts, log })
  }

  async #written(action: string, puts: readonly KeyPut[]): Promise<KeyRecord[]> {
    const records = puts.map((put) => put.record)
    for (const { id, purpose, scope, state } of records) {
      this.#events.emit({ type: 'key.changed', keyId: id, purpose, scope, action, state })
    }
    if (puts.some(isLogged)) await this.#keyring.refresh()
    return records
  }
}

/** New keys need no log entry, which lets many processes make keys at once; root keys do, so that none can be slipped in. */
function isLogged({ record, replaces }: KeyPut): boolean {
  return replaces !== null || record.purpose === 'root'
}

function logChange({ id, rev, state }: KeyRecord): KeyLogChange {
  return { id, rev, state }
}

function toPuts({ create = [], change = [] }: Step): KeyPut[] {
  return [
    ...change.map(({ before, after, signer }) => {
      const { mac: _, ...unsigned } = before
      return { record: signer.sign({ ...unsigned, ...after, rev: before.rev + 1 }), replaces: before.rev }
    }),
    ...create.map((record) => ({ record, replaces: null })),
  ]
}
