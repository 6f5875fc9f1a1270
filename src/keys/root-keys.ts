import { equalBytes, wipe } from '../bytes.ts'
import { KeyNotFoundError, KeyStoreError, KmsError, StrongroomError } from '../errors.ts'
import type { EventHub } from '../events.ts'
import type { KeyRecord, KeyStore } from '../key-store.ts'
import type { Clock } from './clock.ts'
import type { KmsGroup } from './kms-group.ts'
import { assertRecord, commitmentOf, refused, rootContext, wrappedKeys } from './record.ts'
import { RootKey } from './root-key.ts'

/** How long root keys stay in memory. */
export interface LeaseOptions {
  /** ms that a root key may be used after the KMS unwrapped it. */
  readonly ttl: number
  /** ms beyond that while the KMS or the key store cannot be reached; 0 for none. */
  readonly grace: number
}

/** A lease is renewed when this part of it has passed, less up to a tenth so that processes do not all ask at once. */
const RENEW_AT = 0.8
const JITTER = 0.1
const RETRY_MS = 5_000

/** The root keys in memory: each unwrapped by the KMS once, then renewed ahead of the end of its lease. */
export class RootKeys {
  readonly #name: string
  readonly #store: KeyStore
  readonly #kms: KmsGroup
  readonly #events: EventHub
  readonly #clock: Clock
  readonly #lease: LeaseOptions
  readonly #keys = new Map<string, RootKey>()
  readonly #flights = new Map<string, Promise<RootKey>>()
  readonly #timers = new Map<string, () => void>()

  constructor(options: {
    name: string
    store: KeyStore
    kms: KmsGroup
    events: EventHub
    clock: Clock
    lease: LeaseOptions
  }) {
    this.#name = options.name
    this.#store = options.store
    this.#kms = options.kms
    this.#events = options.events
    this.#clock = options.clock
    this.#lease = options.lease
  }

  /** A root key that may be used now: from memory, or unwrapped by one KMS call that all concurrent callers share. */
  get(id: string): Promise<RootKey> {
    const resident = this.resident(id)
    return resident === undefined ? this.#renew(id) : Promise.resolve(resident)
  }

  /** A root key that is in memory and may be used now. */
  resident(id: string): RootKey | undefined {
    const key = this.#keys.get(id)
    return key?.usable(this.#clock.now()) ? key : undefined
  }

  /** Reads the record of a resident root key again, without a KMS call. */
  async reread(key: RootKey): Promise<void> {
    const record = await this.#read(key.id)
    if (!key.signed(record)) throw refused(key.id, 'mac', CHANGED)
    key.record = record
  }

  /** Takes in a root key whose secret was just made here. */
  adopt(secret: Uint8Array, record: KeyRecord): RootKey {
    const key = new RootKey(secret, record)
    this.#keys.set(key.id, key)
    this.#extend(key)
    return key
  }

  /** Forgets one root key. */
  forget(id: string): void {
    this.#timers.get(id)?.()
    this.#timers.delete(id)
    this.#keys.get(id)?.wipe()
    this.#keys.delete(id)
  }

  close(): void {
    for (const id of [...this.#keys.keys()]) this.forget(id)
  }

  #renew(id: string): Promise<RootKey> {
    const flight = this.#flights.get(id)
    if (flight !== undefined) return flight
    const started = this.#unwrap(id).finally(() => this.#flights.delete(id))
    this.#flights.set(id, started)
    return started
  }

  async #unwrap(id: string): Promise<RootKey> {
    const record = await this.#read(id)
    const secret = await this.#unwrapSecret(record)
    try {
      return this.#admit(secret, record)
    } finally {
      wipe(secret)
    }
  }

  async #read(id: string): Promise<KeyRecord> {
    const [record] = await this.#store.get([id])
    if (record === undefined) throw new KeyNotFoundError(id)
    assertRecord(record)
    if (record.id !== id || record.purpose !== 'root')
      throw refused(id, 'misplaced', 'it is not the root key it stands for')
    if (record.store !== this.#name) {
      throw refused(id, 'store', `it belongs to ${JSON.stringify(record.store)}: check the name of this Strongroom`)
    }
    if (record.state === 'destroyed') throw refused(id, 'parent', `its root key is ${record.state}`)
    return record
  }

  async #unwrapSecret(record: KeyRecord): Promise<Uint8Array> {
    const commitment = Buffer.from(record.commitment, 'hex')
    const verify = (key: Uint8Array) => key.byteLength === 32 && equalBytes(commitmentOf(key), commitment)
    try {
      return await this.#kms.unwrap(wrappedKeys(record), { context: rootContext(record) }, verify)
    } catch (error) {
      if (!(error instanceof KmsError)) throw error
      if (error.kind === 'context-mismatch' || error.kind === 'invalid-ciphertext') {
        throw refused(record.id, 'wrap', `its wrapped key, or an attribute bound to it, was changed (${error.message})`)
      }
      throw error
    }
  }

  #admit(secret: Uint8Array, record: KeyRecord): RootKey {
    const known = this.#keys.get(record.id)
    const key = known ?? new RootKey(secret, record)
    if (!key.signed(record)) {
      if (known === undefined) key.wipe()
      throw refused(record.id, 'mac', CHANGED)
    }
    if (known === undefined)
      this.#events.emit({ type: 'key.loaded', keyId: record.id, purpose: 'root', scope: record.scope })
    key.record = record
    this.#keys.set(record.id, key)
    this.#extend(key)
    return key
  }

  #extend(key: RootKey): void {
    const ttl = this.#lease.ttl
    key.validUntil = this.#clock.now() + ttl
    key.graceUntil = 0
    this.#schedule(key, ttl * (RENEW_AT - Math.random() * JITTER))
    this.#events.emit({ type: 'keyring.refreshed', root: key.id, validForMs: ttl })
  }

  #schedule(key: RootKey, delay: number): void {
    this.#timers.get(key.id)?.()
    this.#timers.set(
      key.id,
      this.#clock.after(delay, () => {
        this.#renew(key.id).catch((error: unknown) => this.#renewalFailed(key, error))
      }),
    )
  }

  #renewalFailed(key: RootKey, error: unknown): void {
    if (this.#keys.get(key.id) !== key) return
    const now = this.#clock.now()
    key.graceUntil = isOutage(error) && this.#lease.grace > 0 ? key.validUntil + this.#lease.grace : 0
    const code = error instanceof StrongroomError ? error.code : 'ERR_UNKNOWN'
    this.#events.emit({
      type: 'keyring.refresh-failed',
      root: key.id,
      code,
      validForMs: Math.max(0, Math.max(key.validUntil, key.graceUntil) - now),
    })
    if (key.graceUntil > now && key.validUntil <= now) {
      this.#events.emit({ type: 'keyring.grace', root: key.id, remainingMs: key.graceUntil - now })
    }
    this.#schedule(key, Math.min(RETRY_MS, this.#lease.ttl * JITTER))
  }
}

const CHANGED = 'its state, revision, reason or wraps were changed outside Strongroom'

/** Only an outage earns grace: a KMS that says no is obeyed. */
function isOutage(error: unknown): boolean {
  return (error instanceof KmsError || error instanceof KeyStoreError) && error.retryable
}
