import { LRUCache } from 'lru-cache'
import { ClosedError, ConfigError, KeyNotResidentError, KeyRecordError, KeyUnavailableError } from '../errors.ts'
import type { EventHub } from '../events.ts'
import { keyIdOf } from '../format/field.ts'
import type { KeyLogAnchor, KeyPurpose, KeyRecord, KeyStore, ShredLedger } from '../key-store.ts'
import type { Clock } from './clock.ts'
import { DataKey } from './data-key.ts'
import type { IndexKey } from './index-key.ts'
import { KeyLedger } from './key-ledger.ts'
import { KeyLoader } from './key-loader.ts'
import type { KmsGroup } from './kms-group.ts'
import { openKey } from './open-key.ts'
import { refused } from './record.ts'
import { assertPlace, RecordVerifier } from './record-verifier.ts'
import type { RootKey } from './root-key.ts'
import { type LeaseOptions, RootKeys } from './root-keys.ts'
import { describeScope } from './scope.ts'
import { assertNoneRestored } from './shred-ledger.ts'
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
  readonly anchor?: KeyLogAnchor | undefined
  /** Names the keys that must not come back with an old copy of the store. */
  readonly shredLedger?: ShredLedger | undefined
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
  readonly #verifier: RecordVerifier
  readonly #keys: LRUCache<string, Resident>
  /** Active key ids by purpose and scope. */
  readonly #active = new Map<string, string>()
  /** The keys used last, which the next field or row mostly uses again; still checked for lease and state each time. */
  #lastActive: Resident | undefined
  #lastFound: DataKey | undefined
  /** Ids of all index keys that queries must use, by scope. */
  readonly #searchable = new Map<string, readonly string[]>()
  readonly #refreshInterval: number
  readonly #shredLedger: ShredLedger | undefined
  readonly #flights = new Map<string, Promise<string[]>>()
  #rootId = ''
  #stopRefreshing: (() => void) | undefined
  #closed = false

  constructor(options: KeyringOptions) {
    this.name = options.name
    this.#events = options.events
    this.#clock = options.clock
    this.#store = options.store
    this.#refreshInterval = options.refreshInterval
    this.#shredLedger = options.shredLedger
    this.roots = new RootKeys(options)
    this.ledger = new KeyLedger({ ...options, roots: this.roots })
    this.#verifier = new RecordVerifier({ ...options, roots: this.roots, ledger: this.ledger })
    this.#loader = new KeyLoader(options.store, (record) => this.#hold(record))
    this.#keys = new LRUCache({
      max: options.maxKeys,
      dispose: (key, _id, why) => this.#disposed(key, why === 'evict' ? 'capacity' : this.#closed ? 'closed' : 'state'),
    })
  }

  /**
   * Reads the key log and unwraps the active root key: one KMS call.
   *
   * @throws ConfigError when the store holds no keys
   * @throws KeyRecordError `rollback` when it brings shredded keys back
   */
  async open(): Promise<void> {
    const [record, second] = await this.#store.findActive('root', [''])
    if (record === undefined) {
      throw new ConfigError(
        'the key store holds no keys yet: run `strongroom init`, or open it with { init: true } once',
      )
    }
    if (second !== undefined) throw refused(record.id, 'misplaced', 'the store holds two active root keys')
    await this.refresh()
    await assertNoneRestored(this.#shredLedger, this.#store, this.name)
    this.#rootId = (await this.#activeRoot(record.id)).id
    this.#scheduleRefresh()
  }

  /** The root key that wraps new keys. */
  activeRoot(): Promise<RootKey> {
    return this.root(this.#rootId)
  }

  /** A root key, checked against the key log. @throws KeyRecordError, KmsError */
  root(id: string): Promise<RootKey> {
    this.assertOpen()
    return this.#verifier.root(id)
  }

  /**
   * The key that encrypts for a purpose and scope now.
   *
   * @throws KeyNotResidentError when it is not in memory
   */
  active<Purpose extends 'data' | 'index' | 'pepper'>(purpose: Purpose, scope: string): Held<Purpose> {
    const last = this.#lastActive
    const again = last !== undefined && last.scope === scope && last.purpose === purpose && this.#usableNow(last)
    const key = again ? last : this.#findActiveKey(purpose, scope)
    if (key?.state !== 'active') throw this.#missing(purpose, scope)
    this.#lastActive = key
    if (key.expired(this.#clock)) {
      throw new KeyUnavailableError(`key ${key.id} has reached its end: rotate it`, 'expired', key.id)
    }
    return key as Held<Purpose>
  }

  /** A key by its id, if it is in memory and its lease holds. */
  find(id: string): Resident | undefined {
    return this.#usable(id)
  }

  /** The key that a parsed field ciphertext names, if it is in memory and its lease holds. */
  findNamed(field: Buffer): Resident | undefined {
    const last = this.#lastFound
    if (last?.names(field) && this.#usableNow(last)) return last
    const key = this.#usable(keyIdOf(field))
    if (key instanceof DataKey) this.#lastFound = key
    return key
  }

  /** All index keys that a query in this scope must use, the writing one first. @throws KeyNotResidentError */
  searchable(scope: string): IndexKey[] {
    const keys = this.#searchable.get(scope)?.map((id) => this.#usable(id))
    if (keys === undefined || keys.includes(undefined)) throw this.#missing('index', scope)
    return keys as IndexKey[]
  }

  /** Hears of every attempt to decrypt under a retired key. */
  onAttempt: ((id: string) => void) | undefined

  /** Refuses a key that was retired, and tells whoever counts. @throws KeyUnavailableError */
  assertNotRetired(id: string): void {
    const state = this.ledger.latest(id)?.state
    if (state !== 'destroy_scheduled') return
    this.#events.emit({ type: 'key.denied', keyId: id, state })
    this.onAttempt?.(id)
    throw new KeyUnavailableError(
      `key ${id} was taken out of use and is to be destroyed: cancel its retirement to read what it encrypted`,
      state,
      id,
    )
  }

  /** Whether a scope's active key is in memory and may be used now. */
  holds(purpose: KeyPurpose, scope: string): boolean {
    const id = this.#active.get(slot(purpose, scope))
    return id !== undefined && this.#usable(id)?.state === 'active'
  }

  /** Whether everything a query in this scope needs is in memory. */
  holdsSearch(scope: string): boolean {
    const ids = this.#searchable.get(scope)
    return ids?.every((id) => this.#usable(id) !== undefined) ?? false
  }

  /** Brings keys into memory: one store read for all that are missing. Ids that do not exist are passed over. */
  async load(ids: Iterable<string>): Promise<void> {
    this.assertOpen()
    await Promise.all([...ids].filter((id) => this.#usable(id) === undefined).map((id) => this.#loadOne(id)))
  }

  /** Brings the active keys of these scopes into memory, one read for all. @returns the scopes that have none */
  async loadActive(purpose: KeyPurpose, scopes: readonly string[]): Promise<string[]> {
    this.assertOpen()
    const wanted = scopes.filter((scope) => !this.holds(purpose, scope))
    const grounded = wanted.filter((scope) => !this.#flights.has(slot(purpose, scope)))
    for (let at = 0; at < grounded.length; at += BATCH) {
      const batch = grounded.slice(at, at + BATCH)
      const flight = this.#findActive(purpose, batch).finally(() => {
        for (const scope of batch) this.#flights.delete(slot(purpose, scope))
      })
      for (const scope of batch) this.#flights.set(slot(purpose, scope), flight)
    }
    const flights = new Set(wanted.map((scope) => this.#flights.get(slot(purpose, scope))))
    // What was found, not what is held: a key may have left memory again by the time the last of many has come.
    const found = new Set((await Promise.all(flights)).flatMap((scopes) => scopes ?? []))
    return wanted.filter((scope) => !found.has(scope))
  }

  /** Brings every key of a purpose and scope that may still be used into memory. */
  async loadScope(purpose: KeyPurpose, scope: string): Promise<void> {
    this.assertOpen()
    const records = await this.#store.list({ purpose, scope, limit: BATCH })
    for (const record of records) assertPlace(record, purpose, new Set([scope]))
    const usable = records.filter((record) => mayLoad(record.state) && record.state !== 'pending')
    const admitted = await this.admit(usable)
    if (purpose === 'index') this.#indexScope(scope, admitted)
  }

  /** Takes records that were read or written just now into memory, after checking them. @returns what they say now */
  async admit(records: readonly KeyRecord[]): Promise<KeyRecord[]> {
    const admitted: KeyRecord[] = []
    for (const record of records) {
      if (!this.#holdsAs(record)) admitted.push(await this.#hold(record))
      else {
        this.#noteActive(record)
        admitted.push(record)
      }
    }
    return admitted
  }

  /** Takes in active keys that were made and written here a moment ago. */
  adopt(keys: readonly Resident[]): void {
    this.assertOpen()
    for (const key of keys) {
      this.#keys.set(key.id, key)
      this.#noteActive(key)
      this.#events.emit({ type: 'key.loaded', keyId: key.id, purpose: key.purpose, scope: key.scope })
    }
  }

  /** Checks a record against its root key and the key log; reads it again if the two disagree. @throws KeyRecordError */
  verified(record: KeyRecord): Promise<KeyRecord> {
    this.assertOpen()
    return this.#verifier.verified(record)
  }

  /** Reads what other processes changed. Also done on a timer. */
  async refresh(): Promise<void> {
    this.assertOpen()
    await this.ledger.sync()
    await this.#followChanges()
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

  async #findActive(purpose: KeyPurpose, scopes: readonly string[]): Promise<string[]> {
    const wanted = new Set(scopes)
    const records = await this.#store.findActive(purpose, scopes)
    for (const record of records) {
      assertPlace(record, purpose, wanted)
      wanted.delete(record.scope) // a second active key of one scope is misplaced as well
    }
    const admitted = await this.admit(records)
    return admitted.filter((record) => record.state === 'active').map((record) => record.scope)
  }

  async #loadOne(id: string): Promise<void> {
    this.#events.emit({ type: 'key.missed', keyId: id })
    await this.#loader.load(id)
  }

  async #hold(candidate: KeyRecord): Promise<KeyRecord> {
    try {
      const record = await this.verified(candidate)
      if (!mayLoad(record.state)) return record
      const root = await this.root(record.parent as string)
      const held = this.#keys.get(record.id)
      if (held === undefined) this.#keys.set(record.id, openKey(root, record))
      else held.follow(record, root)
      this.#events.emit({ type: 'key.loaded', keyId: record.id, purpose: record.purpose, scope: record.scope })
      this.#noteActive(record)
      return record
    } catch (error) {
      this.#reportRefusal(error)
      throw error
    }
  }

  // --- following changes

  /** Brings keys in memory up to what the key log says. What could not be read stays to be done at the next refresh. */
  async #followChanges(): Promise<void> {
    const changed = this.ledger.unfollowed()
    for (const { id, state } of changed) if (state === 'destroyed') this.roots.forget(id)
    if (changed.some(({ id }) => id === this.#rootId)) await this.#followRoot()
    const failures: unknown[] = []
    for (let at = 0; at < changed.length; at += BATCH) {
      const batch = changed.slice(at, at + BATCH)
      await this.#followBatch(batch.filter(({ id }) => this.#keys.has(id)).map(({ id }) => id)).catch((error) => {
        if (!(error instanceof KeyRecordError)) throw error
        failures.push(error)
      })
      this.ledger.followed(batch)
    }
    if (failures.length > 0) throw failures[0]
  }

  async #followBatch(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const keys = ids.flatMap((id) => this.#keys.get(id) ?? [])
    const records = new Map((await this.#store.get(ids)).map((record) => [record.id, record]))
    const failures: unknown[] = []
    for (const key of keys) await this.#follow(key, records.get(key.id)).catch((error) => failures.push(error))
    for (const purpose of ['data', 'index', 'pepper'] as const) {
      const scopes = new Set(keys.filter((key) => key.purpose === purpose).map((key) => key.scope))
      await this.loadActive(purpose, [...scopes])
      if (purpose !== 'index') continue
      for (const scope of scopes) if (this.#searchable.has(scope)) await this.loadScope('index', scope)
    }
    if (failures.length > 0) throw failures[0]
  }

  /** @throws KeyRecordError when the record is refused; the key is out of memory then */
  async #follow(key: Resident, candidate: KeyRecord | undefined): Promise<void> {
    try {
      if (candidate === undefined) throw refused(key.id, 'rollback', 'it is gone from the store')
      const record = await this.verified(candidate)
      if (!mayLoad(record.state)) this.#keys.delete(key.id)
      else key.follow(record, await this.root(record.parent as string))
      this.#noteActive(record)
    } catch (error) {
      // Whatever the reason, the key log says that it is not what it was.
      this.#keys.delete(key.id)
      this.#reportRefusal(error)
      throw error
    }
  }

  async #followRoot(): Promise<void> {
    const [record] = await this.#store.findActive('root', [''])
    if (record !== undefined) this.#rootId = (await this.#activeRoot(record.id)).id
  }

  async #activeRoot(id: string): Promise<RootKey> {
    const root = await this.root(id)
    if (root.record.state === 'active') return root
    throw refused(id, 'misplaced', `the store gave it as the active root key, and it is ${root.record.state}`)
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
    return key !== undefined && this.#usableNow(key) ? key : undefined
  }

  #usableNow(key: Resident): boolean {
    return key.root.usable(this.#clock.now())
  }

  #findActiveKey(purpose: KeyPurpose, scope: string): Resident | undefined {
    const id = this.#active.get(slot(purpose, scope))
    return id === undefined ? undefined : this.#usable(id)
  }

  /** Whether a record says of a key in memory what is known of it already, so that nothing in it needs to be believed. */
  #holdsAs({ id, purpose, scope, state }: KeyRecord): boolean {
    const key = this.#usable(id)
    return key !== undefined && key.purpose === purpose && key.scope === scope && key.state === state
  }

  #reportRefusal(error: unknown): void {
    if (error instanceof KeyRecordError) {
      this.#events.emit({ type: 'key.refused', keyId: error.keyId, fault: error.fault })
    }
  }

  #noteActive({ id, purpose, scope, state }: Pick<KeyRecord, 'id' | 'purpose' | 'scope' | 'state'>): void {
    const place = slot(purpose, scope)
    this.#lastActive = undefined
    if (state === 'active') this.#active.set(place, id)
    else if (this.#active.get(place) === id) this.#active.delete(place)
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
    if (this.#lastActive === key) this.#lastActive = undefined
    if (this.#lastFound === key) this.#lastFound = undefined
    const place = slot(key.purpose, key.scope)
    if (this.#active.get(place) === key.id) this.#active.delete(place)
    if (key.purpose === 'index') this.#searchable.delete(key.scope)
    this.#events.emit({ type: 'key.evicted', keyId: key.id, why })
  }

  #missing(purpose: KeyPurpose, scope: string): Error {
    if (this.#closed) return new ClosedError('this Strongroom')
    this.#events.emit({ type: 'key.missed', scope })
    return new KeyNotResidentError(
      `the ${purpose} key for ${describeScope(scope)}`,
      `call \`await room.unlock([scope])\` first, or an asynchronous method such as \`${purpose === 'index' ? 'indexMany' : 'encryptMany'}\``,
    )
  }

  /** @throws ClosedError */
  assertOpen(): void {
    if (this.#closed) throw new ClosedError('this Strongroom')
  }
}

function slot(purpose: KeyPurpose, scope: string): string {
  return `${purpose} ${scope}`
}
