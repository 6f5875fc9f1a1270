import { KeyRecordError } from '../errors.ts'
import { type KeyLogChange, type KeyPurpose, type KeyRecord, type KeyStore, LOCAL_PURPOSES } from '../key-store.ts'
import type { HeldKeys, Resident } from './held-keys.ts'
import type { KeyLedger } from './key-ledger.ts'
import { refused } from './record.ts'
import type { RootKey } from './root-key.ts'
import { mayLoad } from './states.ts'

/** What following needs of the keyring it belongs to. */
export interface FollowedKeyring {
  readonly store: KeyStore
  readonly ledger: KeyLedger
  readonly held: HeldKeys
  verified(record: KeyRecord): Promise<KeyRecord>
  root(id: string): Promise<RootKey>
  loadActive(purpose: KeyPurpose, scopes: readonly string[]): Promise<unknown>
  loadScope(purpose: KeyPurpose, scope: string): Promise<void>
  /** Hears of a record that was refused. */
  onRefused(error: unknown): void
}

const BATCH = 1000

/** Brings keys in memory up to what the key log says. What could not be read stays to be done at the next refresh. */
export class KeyFollower {
  readonly #ring: FollowedKeyring

  constructor(ring: FollowedKeyring) {
    this.#ring = ring
  }

  /** @throws KeyRecordError of the first record that was refused, after all others were followed */
  async follow(changed: readonly KeyLogChange[]): Promise<void> {
    const failures: unknown[] = []
    for (let at = 0; at < changed.length; at += BATCH) {
      const batch = changed.slice(at, at + BATCH)
      await this.#followBatch(batch.map(({ id }) => id)).catch((error) => {
        if (!(error instanceof KeyRecordError)) throw error
        failures.push(error)
      })
      this.#ring.ledger.followed(batch)
    }
    if (failures.length > 0) throw failures[0]
  }

  async #followBatch(ids: readonly string[]): Promise<void> {
    const { store, held, loadActive, loadScope } = this.#ring
    const keys = ids.flatMap((id) => held.peek(id) ?? [])
    if (keys.length === 0) return
    const records = new Map((await store.get(keys.map(({ id }) => id))).map((record) => [record.id, record]))
    const failures: unknown[] = []
    for (const key of keys) await this.#followKey(key, records.get(key.id)).catch((error) => failures.push(error))
    for (const purpose of LOCAL_PURPOSES) {
      const scopes = new Set(keys.filter((key) => key.purpose === purpose).map((key) => key.scope))
      await loadActive(purpose, [...scopes])
      if (purpose !== 'index') continue
      for (const scope of scopes) if (held.searches(scope)) await loadScope('index', scope)
    }
    if (failures.length > 0) throw failures[0]
  }

  /** @throws KeyRecordError when the record is refused; the key is out of memory then */
  async #followKey(key: Resident, candidate: KeyRecord | undefined): Promise<void> {
    const { held, verified, root, onRefused } = this.#ring
    try {
      if (candidate === undefined) throw refused(key.id, 'rollback', 'it is gone from the store')
      const record = await verified(candidate)
      if (!mayLoad(record.state)) held.delete(key.id)
      else key.follow(record, await root(record.parent as string))
      held.note(record)
    } catch (error) {
      // Whatever the reason, the key log says that it is not what it was.
      held.delete(key.id)
      onRefused(error)
      throw error
    }
  }
}
