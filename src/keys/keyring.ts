import { LRUCache } from 'lru-cache'
import { ClosedError, ConfigError, KeyNotResidentError, KeyRecordError, KeyUnavailableError } from '../errors.ts'
import type { EventHub } from '../events.ts'
import type { KeyLogChange, KeyPurpose, KeyRecord, KeyStore } from '../key-store.ts'
import type { Clock } from './clock.ts'
import type { DataKey } from './data-key.ts'
import type { IndexKey } from './index-key.ts'
import { KeyLedger } from './key-ledger.ts'
import { KeyLoader } from './key-loader.ts'
import type { KmsGroup } from './kms-group.ts'
import { openKey } from './open-key.ts'
import { assertRecord, refused } from './record.ts'
import type { RootKey } from './root-key.ts'
import { type LeaseOptions, RootKeys } from './root-keys.ts'
import { describeScope } from './scope.ts'
import { mayLoad } from './states.ts'

/** What a keyring is made of. */
export interface KeyringOptions {
  readonly name: string
  readonly store: KeyStore
  readonly kms: KmsGroup
  readonly events: EventHub
  readonly clock: Clock
  readonly lease: LeaseOptions
  /** Keys kept in memory at most, besides root keys. */
  readonly maxKeys: number
  /** ms between looks at the key log. */
  readonly refreshInterval: number
}

const BATCH = 1000

type Resident = DataKey | IndexKey
type Held<Purpose extends KeyPurpose> = Purpose extends 'index' ? IndexKey : DataKey

/**
 * The keys in memory. Loading is asynchronous and shared: however many callers want a key, the store is read once and
 * the KMS called once. Using is synchronous. Everything that is not in memory, expired or in the wrong state is refused.
 */
export class Keyring {
  readonly name: string
  readonly roots: RootKeys
  readonly ledger: KeyLedger
  readonly #events: EventHub
  readonly #clock: Clock
  readonly #store: KeyStore
  readonly #loader: KeyLoader
  readonly #keys: LRUCache<string, Resident>
  /** Active key ids by purpose and scope. */
  readonly #active = new Map<string, string>()
  /** Ids of all index keys that queries must use, by scope. */
  readonly #searchable = new Map<string, readonly string[]>()
  readonly #refreshInterval: number
  readonly #flights = new Map<string, Promise<void>>()
  #rootId = ''
  #stopRefreshing: (() => void) | undefined
  #closed = false

  constructor(options: KeyringOptions) {
    this.name = options.name
    this.#events = options.events
    this.#clock = options.clock
    this.#store = options.store
    this.#refreshInterval = options.refreshInterval
    this.roots = new RootKeys(options)
    this.ledger = new KeyLedger(options.store, this.roots)
    this.#loader = new KeyLoader(options.store, (record) => this.#materialise(record))
    this.#keys = new LRUCache({
      max: options.maxKeys,
      dispose: (key, _id, why) => this.#disposed(key, why === 'evict' ? 'capacity' : this.#closed ? 'closed' : 'state'),
    })
  }

  /** Reads the key log and unwraps the active root key: one KMS call. @throws ConfigError when the store holds no keys */
  async open(): Promise<void> {
    const [record, second] = await this.#store.findActive('root', [''])
    if (record === undefined) {
      throw new ConfigError(
        'the key store holds no keys yet: run `strongroom init`, or open it with { init: true } once',
      )
    }
    if (second !== undefined) throw refused(record.id, 'misplaced', 'the store holds two active root keys')
    await this.ledger.sync()
    const root = await this.root(record.id)
    if (root.record.state !== 'active' || !this.ledger.knows(root.id)) {
      throw refused(root.id, 'log', 'the key log does not know it as the active root key')
    }
    this.#rootId = root.id
    this.#scheduleRefresh()
  }

  /** The root key that wraps new keys. */
  activeRoot(): Promise<RootKey> {
    return this.root(this.#rootId)
  }

  /** A root key, checked against the key log. */
  async root(id: string): Promise<RootKey> {
    this.#assertOpen()
    const root = await this.roots.get(id)
    if (this.ledger.current(root.record) === 'current') return root
    // The record was read before the log, or the log before the record: with both read again they must agree.
    await this.ledger.sync()
    await this.roots.reread(root)
    const age = this.ledger.current(root.record)
    if (age !== 'current') throw rolledBack(root.record, age)
    return root
  }

  /**
   * The key that encrypts for a purpose and scope now.
   *
   * @throws KeyNotResidentError when it is not in memory
   */
  active<Purpose extends 'data' | 'index' | 'pepper'>(purpose: Purpose, scope: string): Held<Purpose> {
    const id = this.#active.get(slot(purpose, scope))
    const key = id === undefined ? undefined : this.#usable(id)
    if (key === undefined) throw this.#missing(purpose, scope)
    if (key.expired(this.#clock)) {
      throw new KeyUnavailableError(`key ${key.id} has reached its end: rotate it`, 'expired', key.id)
    }
    return key as Held<Purpose>
  }

  /** A key by its id, if it is in memory and its lease holds. */
  find(id: string): Resident | undefined {
    return this.#usable(id)
  }

  /** All index keys that a query in this scope must use, the writing one first. @throws KeyNotResidentError */
  searchable(scope: string): IndexKey[] {
    const keys = this.#searchable.get(scope)?.map((id) => this.#usable(id))
    if (keys === undefined || keys.includes(undefined)) throw this.#missing('index', scope)
    return keys as IndexKey[]
  }

  /** Whether a scope's active key is in memory and may be used now. */
  holds(purpose: KeyPurpose, scope: string): boolean {
    const id = this.#active.get(slot(purpose, scope))
    return id !== undefined && this.#usable(id) !== undefined
  }

  /** Whether everything a query in this scope needs is in memory. */
  holdsSearch(scope: string): boolean {
    const ids = this.#searchable.get(scope)
    return ids?.every((id) => this.#usable(id) !== undefined) ?? false
  }

  /** Brings keys into memory: one store read for all that are missing. Ids that do not exist are passed over. */
  async load(ids: Iterable<string>): Promise<void> {
    this.#assertOpen()
    await Promise.all([...ids].filter((id) => this.#usable(id) === undefined).map((id) => this.#loadOne(id)))
  }

  /** Brings the active keys of these scopes into memory, one read for all. @returns the scopes that have none */
  async loadActive(purpose: KeyPurpose, scopes: readonly string[]): Promise<string[]> {
    this.#assertOpen()
    const wanted = scopes.filter((scope) => !this.holds(purpose, scope))
    const flying = wanted.map((scope) => this.#flights.get(slot(purpose, scope)))
    const grounded = wanted.filter((_scope, at) => flying[at] === undefined)
    for (let at = 0; at < grounded.length; at += BATCH) {
      const batch = grounded.slice(at, at + BATCH)
      const flight = this.#findActive(purpose, batch).finally(() => {
        for (const scope of batch) this.#flights.delete(slot(purpose, scope))
      })
      for (const scope of batch) this.#flights.set(slot(purpose, scope), flight)
      flying.push(flight)
    }
    await Promise.all(flying)
    return wanted.filter((scope) => !this.holds(purpose, scope))
  }

  /** Brings every key of a purpose and scope that may still be used into memory. */
  async loadScope(purpose: KeyPurpose, scope: string): Promise<void> {
    this.#assertOpen()
    const records = await this.#store.list({ purpose, scope, limit: BATCH })
    const usable = records.filter((record) => mayLoad(record.state) && record.state !== 'pending')
    await this.admit(usable)
    if (purpose === 'index') this.#indexScope(scope, usable)
  }

  /** Takes records that were read or written just now into memory, after checking them. */
  async admit(records: readonly KeyRecord[]): Promise<void> {
    for (const record of records) {
      if (this.#usable(record.id)?.state === record.state) this.#noteActive(record)
      else await this.#hold(record)
    }
  }

  /** Checks a record against its root key and the key log; reads it again if the two disagree. @throws KeyRecordError */
  async verified(record: KeyRecord): Promise<KeyRecord> {
    const root = await this.#verifyOnce(record)
    if (root !== undefined) return record
    await this.ledger.sync()
    const [again] = await this.#store.get([record.id])
    if (again === undefined) throw refused(record.id, 'rollback', 'it is gone from the store')
    if ((await this.#verifyOnce(again)) === undefined) throw rolledBack(again, this.ledger.current(again))
    return again
  }

  /** Reads what other processes changed. Also done on a timer. */
  async refresh(): Promise<void> {
    this.#assertOpen()
    await this.#apply(await this.ledger.sync())
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#stopRefreshing?.()
    this.#keys.clear()
    this.#active.clear()
    this.#searchable.clear()
    this.roots.close()
  }

  // --- loading

  async #findActive(purpose: KeyPurpose, scopes: readonly string[]): Promise<void> {
    const wanted = new Set(scopes)
    const records = await this.#store.findActive(purpose, scopes)
    for (const record of records) {
      assertRecord(record)
      if (record.purpose !== purpose || !wanted.delete(record.scope)) {
        throw refused(record.id, 'misplaced', `the store gave it as the active ${purpose} key of another scope`)
      }
    }
    await this.admit(records)
  }

  async #loadOne(id: string): Promise<void> {
    this.#events.emit({ type: 'key.missed', keyId: id })
    await this.#loader.load(id)
  }

  /** The loader's last step: a record becomes a key in memory. */
  async #materialise(record: KeyRecord): Promise<void> {
    if (record.purpose === 'root' || !mayLoad(record.state)) return
    await this.#hold(record)
  }

  async #hold(candidate: KeyRecord): Promise<void> {
    try {
      const record = await this.verified(candidate)
      if (!mayLoad(record.state)) return
      const root = await this.root(record.parent as string)
      const held = this.#keys.get(record.id)
      if (held === undefined) this.#keys.set(record.id, openKey(root, record))
      else held.follow(record, root)
      this.#events.emit({ type: 'key.loaded', keyId: record.id, purpose: record.purpose, scope: record.scope })
      this.#noteActive(record)
    } catch (error) {
      if (error instanceof KeyRecordError)
        this.#events.emit({ type: 'key.refused', keyId: error.keyId, fault: error.fault })
      throw error
    }
  }

  async #verifyOnce(record: KeyRecord): Promise<RootKey | undefined> {
    assertRecord(record)
    if (record.store !== this.name) {
      throw refused(
        record.id,
        'store',
        `it belongs to ${JSON.stringify(record.store)}: check the name of this Strongroom`,
      )
    }
    const root = await this.root(record.parent ?? record.id)
    if (root.record.purpose !== 'root') throw refused(record.id, 'parent', 'its parent is not a root key')
    if (!root.signed(record)) throw await this.#explain(root, record)
    return this.ledger.current(record) === 'current' ? root : undefined
  }

  /** Which kind of change broke the MAC: the wrap tells whether an attribute bound to it was changed as well. */
  async #explain(root: RootKey, record: KeyRecord): Promise<KeyRecordError> {
    try {
      if (record.purpose !== 'root' && record.wraps.length > 0) openKey(root, record).wipe()
    } catch (error) {
      if (error instanceof KeyRecordError) return error
    }
    return refused(record.id, 'mac', 'its state, revision, reason or wraps were changed outside Strongroom')
  }

  // --- following changes

  async #apply(changes: readonly KeyLogChange[]): Promise<void> {
    const touched = new Set(changes.map((change) => change.id))
    if (touched.size === 0) return
    const [root] = [...touched].filter((id) => id === this.#rootId)
    if (root !== undefined) await this.#followRoot()
    const held = [...touched].filter((id) => this.#keys.has(id))
    for (let at = 0; at < held.length; at += BATCH) {
      const records = await this.#store.get(held.slice(at, at + BATCH))
      for (const record of records) await this.#follow(record)
    }
  }

  async #follow(candidate: KeyRecord): Promise<void> {
    const record = await this.verified(candidate)
    const key = this.#keys.get(record.id)
    const place = slot(record.purpose, record.scope)
    const wasActive = this.#active.get(place) === record.id
    if (!mayLoad(record.state)) this.#keys.delete(record.id)
    else key?.follow(record, await this.root(record.parent as string))
    if (wasActive && record.state !== 'active') {
      this.#active.delete(place)
      await this.loadActive(record.purpose, [record.scope])
    } else if (record.state === 'active') {
      this.#active.set(place, record.id)
    }
    if (this.#searchable.has(record.scope) && record.purpose === 'index') await this.loadScope('index', record.scope)
  }

  async #followRoot(): Promise<void> {
    const [record] = await this.#store.findActive('root', [''])
    if (record === undefined) return
    this.#rootId = (await this.root(record.id)).id
  }

  #scheduleRefresh(): void {
    this.#stopRefreshing = this.#clock.after(this.#refreshInterval * (0.9 + Math.random() * 0.2), () => {
      const again = () => {
        if (!this.#closed) this.#scheduleRefresh()
      }
      this.refresh().then(again, (error: unknown) => {
        const code = (error as { code?: string }).code ?? 'ERR_UNKNOWN'
        if (!this.#closed) {
          this.#events.emit({ type: 'keyring.refresh-failed', root: this.#rootId, code, validForMs: 0 })
        }
        again()
      })
    })
  }

  // --- memory

  #usable(id: string): Resident | undefined {
    const key = this.#keys.get(id)
    return key?.root.usable(this.#clock.now()) ? key : undefined
  }

  #noteActive(record: KeyRecord): void {
    if (record.state === 'active') this.#active.set(slot(record.purpose, record.scope), record.id)
  }

  #indexScope(scope: string, records: readonly KeyRecord[]): void {
    const usable = records.filter((record) => record.state === 'active' || record.state === 'decrypt_only')
    const activeFirst = usable.sort((a, b) => Number(b.state === 'active') - Number(a.state === 'active'))
    this.#searchable.set(
      scope,
      activeFirst.map((record) => record.id),
    )
  }

  #disposed(key: Resident, why: 'capacity' | 'state' | 'closed'): void {
    key.wipe()
    const place = slot(key.purpose, key.scope)
    if (this.#active.get(place) === key.id) this.#active.delete(place)
    this.#events.emit({ type: 'key.evicted', keyId: key.id, why })
  }

  #missing(purpose: KeyPurpose, scope: string): Error {
    if (this.#closed) return new ClosedError('this Strongroom')
    this.#events.emit({ type: 'key.missed', scope })
    return new KeyNotResidentError(
      `the ${purpose} key for ${describeScope(scope)}`,
      'call `await room.unlock([scope])` first, or an asynchronous method such as `encryptMany`',
    )
  }

  #assertOpen(): void {
    if (this.#closed) throw new ClosedError('this Strongroom')
  }
}

function slot(purpose: KeyPurpose, scope: string): string {
  return `${purpose} ${scope}`
}

function rolledBack(record: KeyRecord, age: string): KeyRecordError {
  return age === 'older'
    ? refused(
        record.id,
        'rollback',
        `it is at revision ${record.rev}, older than the key log says: an old copy was put back`,
      )
    : refused(record.id, 'log', `it is at revision ${record.rev}, which the key log does not know`)
}
