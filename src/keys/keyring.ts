import { ClosedError, ConfigError, KeyNotResidentError, KeyRecordError, KeyUnavailableError } from '../errors.ts'
import type { EventHub } from '../events.ts'
import type { KeyLogAnchor, KeyPurpose, KeyRecord, KeyStore, ShredLedger } from '../key-store.ts'
import type { Clock } from './clock.ts'
import type { DataKey } from './data-key.ts'
import { HeldKeys, type Resident } from './held-keys.ts'
import type { IndexKey } from './index-key.ts'
import { KeyFollower } from './key-follower.ts'
import { KeyLedger } from './key-ledger.ts'
import { KeyLoader } from './key-loader.ts'
import { keyPages } from './key-pages.ts'
import type { KmsGroup } from './kms-group.ts'
import { openKey } from './open-key.ts'
import { refused } from './record.ts'
import { assertPlace, RecordVerifier } from './record-verifier.ts'
import { RefreshTimer } from './refresh-timer.ts'
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
  readonly #held: HeldKeys
  readonly #follower: KeyFollower
  readonly #timer: RefreshTimer
  readonly #shredLedger: ShredLedger | undefined
  readonly #flights = new Map<string, Promise<string[]>>()
  #rootId = ''
  #closed = false

  constructor(options: KeyringOptions) {
    this.name = options.name
    this.#events = options.events
    this.#clock = options.clock
    this.#store = options.store
    this.#shredLedger = options.shredLedger
    this.roots = new RootKeys(options)
    this.ledger = new KeyLedger({ ...options, roots: this.roots })
    this.#verifier = new RecordVerifier({ ...options, roots: this.roots, ledger: this.ledger })
    this.#loader = new KeyLoader(options.store, (record) => this.#hold(record))
    this.#held = new HeldKeys(options)
    this.#follower = new KeyFollower({
      store: options.store,
      ledger: this.ledger,
      held: this.#held,
      verified: (record) => this.verified(record),
      root: (id) => this.root(id),
      loadActive: (purpose, scopes) => this.loadActive(purpose, scopes),
      loadScope: (purpose, scope) => this.loadScope(purpose, scope),
      onRefused: (error) => this.#reportRefusal(error),
    })
    this.#timer = new RefreshTimer(options)
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
    this.#timer.start(
      () => this.refresh(),
      () => this.#rootId,
    )
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
    const key = this.#held.active(purpose, scope)
    if (key === undefined) throw this.#missing(purpose, scope)
    if (key.expired(this.#clock)) {
      throw new KeyUnavailableError(`key ${key.id} has reached its end: rotate it`, 'expired', key.id)
    }
    return key as Held<Purpose>
  }

  /** A key by its id, if it is in memory and its lease holds. */
  find(id: string): Resident | undefined {
    return this.#held.usable(id)
  }

  /** The key that a parsed field ciphertext names, if it is in memory and its lease holds. */
  findNamed(field: Buffer): Resident | undefined {
    return this.#held.named(field)
  }

  /** All index keys that a query in this scope must use, the writing one first. @throws KeyNotResidentError */
  searchable(scope: string): IndexKey[] {
    const keys = this.#held.searchable(scope)
    if (keys === undefined) throw this.#missing('index', scope)
    return keys
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
    return this.#held.holdsActive(purpose, scope)
  }

  /** Whether everything a query in this scope needs is in memory. */
  holdsSearch(scope: string): boolean {
    return this.#held.searchable(scope) !== undefined
  }

  /** Brings keys into memory: one store read for all that are missing. Ids that do not exist are passed over. */
  async load(ids: Iterable<string>): Promise<void> {
    this.assertOpen()
    await Promise.all([...ids].filter((id) => this.#held.usable(id) === undefined).map((id) => this.#loadOne(id)))
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
    const usable: KeyRecord[] = []
    for await (const records of keyPages(this.#store, { purpose, scope })) {
      for (const record of records) assertPlace(record, purpose, new Set([scope]))
      usable.push(...records.filter((record) => mayLoad(record.state) && record.state !== 'pending'))
    }
    const admitted = await this.admit(usable)
    if (purpose === 'index') this.#held.noteSearchable(scope, admitted)
  }

  /** Takes records that were read or written just now into memory, after checking them. @returns what they say now */
  async admit(records: readonly KeyRecord[]): Promise<KeyRecord[]> {
    const admitted: KeyRecord[] = []
    for (const record of records) {
      if (!this.#held.holdsAs(record)) admitted.push(await this.#hold(record))
      else {
        this.#held.note(record)
        admitted.push(record)
      }
    }
    return admitted
  }

  /** Takes in active keys that were made and written here a moment ago. */
  adopt(keys: readonly Resident[]): void {
    this.assertOpen()
    for (const key of keys) {
      this.#held.put(key)
      this.#held.note(key)
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
    this.#timer.stop()
    this.#held.close()
    this.roots.close()
  }

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
      const held = this.#held.peek(record.id)
      if (held === undefined) this.#held.put(openKey(root, record))
      else held.follow(record, root)
      this.#events.emit({ type: 'key.loaded', keyId: record.id, purpose: record.purpose, scope: record.scope })
      this.#held.note(record)
      return record
    } catch (error) {
      this.#reportRefusal(error)
      throw error
    }
  }

  async #followChanges(): Promise<void> {
    const changed = this.ledger.unfollowed()
    for (const { id, state } of changed) if (state === 'destroyed') this.roots.forget(id)
    if (changed.some(({ id }) => id === this.#rootId)) await this.#followRoot()
    await this.#follower.follow(changed)
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

  #reportRefusal(error: unknown): void {
    if (error instanceof KeyRecordError) {
      this.#events.emit({ type: 'key.refused', keyId: error.keyId, fault: error.fault })
    }
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
