import { LRUCache } from 'lru-cache'
import type { EventHub } from '../events.ts'
import { keyIdOf } from '../format/field.ts'
import type { KeyPurpose, KeyRecord } from '../key-store.ts'
import { holdingAtMost } from '../lru-bound.ts'
import type { Clock } from './clock.ts'
import { DataKey } from './data-key.ts'
import type { IndexKey } from './index-key.ts'

/** A key in memory that is not a root key. */
export type Resident = DataKey | IndexKey

/** What is known of a key besides its secret. */
type Known = Pick<KeyRecord, 'id' | 'purpose' | 'scope' | 'state'>

/**
 * The keys that are in memory, bounded in number, and which of them are active and searched in a scope. Gives out none
 * whose root key's lease has ended, and wipes each that leaves.
 */
export class HeldKeys {
  readonly #clock: Clock
  readonly #events: EventHub
  readonly #keys: LRUCache<string, Resident>
  /** Active key ids by purpose and scope. */
  readonly #active = new Map<string, string>()
  /** Ids of all index keys that queries must use, by scope. */
  readonly #searchable = new Map<string, readonly string[]>()
  /** The keys used last, which the next field or row mostly uses again; still checked for lease and state each time. */
  #lastActive: Resident | undefined
  #lastFound: DataKey | undefined
  #closed = false

  constructor({ clock, events, maxKeys }: { clock: Clock; events: EventHub; maxKeys: number }) {
    this.#clock = clock
    this.#events = events
    this.#keys = new LRUCache({
      ...holdingAtMost(maxKeys),
      dispose: (key, _id, why) => this.#disposed(key, why === 'evict' ? 'capacity' : this.#closed ? 'closed' : 'state'),
    })
  }

  /** A key whose lease holds. */
  usable(id: string): Resident | undefined {
    const key = this.#keys.get(id)
    return key !== undefined && this.#usableNow(key) ? key : undefined
  }

  /** A key, even one whose lease has ended: to follow what is said of it, and not to be used. */
  peek(id: string): Resident | undefined {
    return this.#keys.peek(id)
  }

  /** The key that writes for a purpose and scope now. */
  active(purpose: KeyPurpose, scope: string): Resident | undefined {
    const last = this.#lastActive
    const again = last !== undefined && last.scope === scope && last.purpose === purpose && this.#usableNow(last)
    const key = again ? last : this.#findActive(purpose, scope)
    if (key?.state !== 'active') return undefined
    this.#lastActive = key
    return key
  }

  /** Whether a scope has an active key that may be used now. */
  holdsActive(purpose: KeyPurpose, scope: string): boolean {
    return this.#findActive(purpose, scope)?.state === 'active'
  }

  /** The key that a parsed field ciphertext names. */
  named(field: Buffer): Resident | undefined {
    const last = this.#lastFound
    if (last?.names(field) && this.#usableNow(last)) return last
    const key = this.usable(keyIdOf(field))
    if (key instanceof DataKey) this.#lastFound = key
    return key
  }

  /** All index keys that a query in this scope must use, the writing one first; undefined when one is missing. */
  searchable(scope: string): IndexKey[] | undefined {
    const keys = this.#searchable.get(scope)?.map((id) => this.usable(id))
    return keys === undefined || keys.includes(undefined) ? undefined : (keys as IndexKey[])
  }

  /** Whether the index keys of a scope were noted, whatever became of them. */
  searches(scope: string): boolean {
    return this.#searchable.has(scope)
  }

  /** Whether a record says of a key in memory what is known of it already, so that nothing in it needs to be believed. */
  holdsAs({ id, purpose, scope, state }: Known): boolean {
    const key = this.usable(id)
    return key !== undefined && key.purpose === purpose && key.scope === scope && key.state === state
  }

  put(key: Resident): void {
    this.#keys.set(key.id, key)
  }

  delete(id: string): void {
    this.#keys.delete(id)
  }

  /** Notes whether a key is the active one of its scope. */
  note({ id, purpose, scope, state }: Known): void {
    const place = slot(purpose, scope)
    this.#lastActive = undefined
    if (state === 'active') this.#active.set(place, id)
    else if (this.#active.get(place) === id) this.#active.delete(place)
  }

  /** Notes which index keys queries of a scope must use. */
  noteSearchable(scope: string, records: readonly Known[]): void {
    const usable = records.filter(({ state }) => state === 'active' || state === 'decrypt_only')
    const activeFirst = usable.sort((a, b) => Number(b.state === 'active') - Number(a.state === 'active'))
    this.#searchable.set(
      scope,
      activeFirst.map(({ id }) => id),
    )
  }

  /** Wipes all. */
  close(): void {
    this.#closed = true
    this.#keys.clear()
    this.#active.clear()
    this.#searchable.clear()
  }

  #usableNow(key: Resident): boolean {
    return key.root.usable(this.#clock.now())
  }

  #findActive(purpose: KeyPurpose, scope: string): Resident | undefined {
    const id = this.#active.get(slot(purpose, scope))
    return id === undefined ? undefined : this.usable(id)
  }

  #disposed(key: Resident, why: 'capacity' | 'state' | 'closed'): void {
    key.wipe()
    if (this.#lastActive === key) this.#lastActive = undefined
    if (this.#lastFound === key) this.#lastFound = undefined
    const place = slot(key.purpose, key.scope)
    if (this.#active.get(place) === key.id) this.#active.delete(place)
    if (key.purpose === 'index') this.#searchable.delete(key.scope)
    this.#events.emit({ type: 'key.evicted', keyId: key.id, why })
  }
}

function slot(purpose: KeyPurpose, scope: string): string {
  return `${purpose} ${scope}`
}
