import { assertFunction, assertOptions, assertText, describe } from './bytes.ts'
import { defineStrongroom, type StrongroomConfig } from './config.ts'
import { ConfigError, InvalidInputError } from './errors.ts'
import { EventHub, type EventOf, type EventType, type StrongroomEvent } from './events.ts'
import type { JsonValue } from './format/json.ts'
import { systemClock } from './keys/clock.ts'
import { KeyManager } from './keys/key-manager.ts'
import { Keyring } from './keys/keyring.ts'
import { type KmsGroup, kmsGroup } from './keys/kms-group.ts'
import { encodeScope, type KeyScope } from './keys/scope.ts'
import type { KmsProvider } from './kms.ts'
import { createMessages, type Messages } from './messages/messages.ts'
import { type PepperedHasher, withPepper } from './passwords/pepper.ts'
import { RoomPepper } from './passwords/room-pepper.ts'
import { slowHash } from './passwords/slow-hash.ts'
import { RecordCipher } from './records/record-cipher.ts'
import type { AnyRecord, CiphertextBytes, CiphertextText } from './records/record-types.ts'
import { indexList } from './records/schema.ts'
import { type DecryptValueOptions, type EncryptValueOptions, ValueCipher } from './records/value-cipher.ts'
import type { Table } from './table.ts'

type Records = Readonly<Record<string, AnyRecord>>

/** The ciphers of a configuration's records, by the names they have there. */
export type RecordCiphers<Schemas extends Records> = { readonly [Name in keyof Schemas]: RecordCipher<Schemas[Name]> }

/** How to open a Strongroom. */
export interface OpenOptions {
  /** Make the first root key when the key store is empty. Without it an empty store is refused, because it may be the wrong one. */
  readonly init?: boolean
}

/** Values that can be encrypted without a record. */
export type PlainValue = string | number | bigint | boolean | Date | null | JsonValue

/**
 * Opens a Strongroom: one read of the key log and one KMS call. Afterwards everything in the empty scope is synchronous.
 *
 * @throws ConfigError when the configuration cannot work or the key store holds no keys
 * @throws KmsError, KeyStoreError, KeyRecordError, InvalidInputError
 */
export async function openStrongroom<Schemas extends Records>(
  config: StrongroomConfig<Schemas>,
  options: OpenOptions = {},
): Promise<Strongroom<Schemas>> {
  defineStrongroom(config)
  assertOptions(options, 'the options')
  if (options.init !== undefined && typeof options.init !== 'boolean') {
    throw new InvalidInputError(`init must be true or false, received ${describe(options.init)}`)
  }
  const room = new Strongroom(config)
  try {
    await room[start](options)
    return room
  } catch (error) {
    await room.close()
    throw error
  }
}

const start = Symbol('start')

/** The one object that an application works with. Made by `openStrongroom`; `close()` it when done. */
export class Strongroom<Schemas extends Records = Records> {
  /** The records of the configuration. */
  readonly records: RecordCiphers<Schemas>
  /** The life of keys: list, rotate, rewrap, suspend, destroy, … */
  readonly keys: KeyManager
  readonly #config: StrongroomConfig<Schemas>
  readonly #events = new EventHub()
  readonly #kms: KmsGroup
  readonly #keyring: Keyring
  readonly #values: ValueCipher
  readonly #messages: Messages
  readonly #pepper: RoomPepper
  readonly #passwords: PepperedHasher | undefined

  constructor(config: StrongroomConfig<Schemas>) {
    const { name, store, keyring = {}, onEvent } = config
    if (onEvent !== undefined) this.#events.on('*', onEvent)
    const providers: readonly KmsProvider[] = Array.isArray(config.kms) ? config.kms : [config.kms as KmsProvider]
    const events = this.#events
    const clock = systemClock
    this.#config = config
    this.#kms = kmsGroup({ ...config.resilience, providers, events })
    this.#keyring = new Keyring({
      name,
      store,
      kms: this.#kms,
      events,
      clock,
      lease: { ttl: keyring.ttl ?? 300_000, grace: keyring.grace ?? 0 },
      maxKeys: keyring.maxKeys ?? 10_000,
      refreshInterval: keyring.refreshInterval ?? 30_000,
      anchor: config.anchor,
      shredLedger: config.shredLedger,
    })
    const { shredLedger } = config
    this.keys = new KeyManager({ name, store, keyring: this.#keyring, kms: this.#kms, events, clock, shredLedger })
    this.#values = new ValueCipher({ app: name, keyring: this.#keyring, events, clock })
    this.#messages = createMessages({
      kms: this.#kms.guarded,
      name,
      ...(config.messages === undefined ? {} : { reuse: config.messages }),
    })
    this.#pepper = new RoomPepper({ keyring: this.#keyring, keys: this.keys, values: this.#values, store })
    this.#passwords = config.passwords && withPepper(config.passwords, this.#pepper, { mode: config.pepper ?? 'on' })
    const parts = { app: name, keyring: this.#keyring, keys: this.keys, events, clock, slowHash: slowHash() }
    const ciphers = Object.entries(config.records ?? {}).map(([key, schema]) => [key, new RecordCipher(schema, parts)])
    this.records = Object.fromEntries(ciphers)
  }

  /** The name in the configuration, which is part of every context. */
  get name(): string {
    return this.#config.name
  }

  /** @internal */
  async [start]({ init = false }: OpenOptions): Promise<void> {
    if (init) await this.keys.init()
    await this.#keyring.open()
    await this.unlock([{}])
    if (this.#passwords !== undefined) await this.#pepper.load()
  }

  /**
   * Brings the keys of these scopes into memory, making those that never existed, so that synchronous calls work there.
   *
   * @param scopes as they are encrypted under: `{ tenant }`, `{ subject }`, `{ bucket }`, or several of these
   * @throws KeyUnavailableError when a scope's key was suspended or destroyed
   * @throws InvalidInputError, KmsError, KeyStoreError, KeyRecordError
   */
  async unlock(scopes: readonly KeyScope[]): Promise<void> {
    if (!Array.isArray(scopes)) {
      throw new InvalidInputError(`scopes must be an array of scopes, received ${describe(scopes)}`)
    }
    const data = [...new Set(scopes.map((scope) => encodeScope(scope, this.name)))]
    await this.keys.ensureActive('data', data)
    for (const scope of data) await this.#keyring.loadScope('data', scope)
    for (const scope of new Set(scopes.flatMap((scope) => this.#indexScopes(scope)))) {
      await this.keys.ensureActive('index', [scope])
      await this.#keyring.loadScope('index', scope)
    }
  }

  /** Encrypts a value that belongs to no record: bytes to bytes, everything else to text. @throws InvalidInputError, KeyNotResidentError */
  encrypt(value: Uint8Array, options: EncryptValueOptions): CiphertextBytes
  encrypt(value: PlainValue, options: EncryptValueOptions): CiphertextText
  encrypt(value: unknown, options: EncryptValueOptions): unknown {
    return this.#values.encrypt(value, options)
  }

  /**
   * Decrypts what `encrypt` made, under the same context and scope.
   *
   * @throws DecryptionError, KeyNotResidentError, KeyUnavailableError
   */
  decrypt<Value = unknown>(ciphertext: string | Uint8Array, options: DecryptValueOptions): Value {
    return this.#values.decrypt(ciphertext, options) as Value
  }

  /** Seals a self-contained message that needs only the KMS to open. See the guide to messages. @throws InvalidInputError, KmsError */
  readonly seal: Messages['seal'] = (plaintext, options) => this.#messages.seal(plaintext, options)
  /** Opens a sealed message. @throws DecryptionError, KmsError */
  readonly open: Messages['open'] = (message, options) => this.#messages.open(message, options)
  /** A web stream that seals what is written to it. @throws InvalidInputError; it fails with KmsError */
  readonly sealStream: Messages['sealStream'] = (options) => this.#messages.sealStream(options)
  /** A web stream that opens what is written to it. @throws InvalidInputError; it fails with DecryptionError, KmsError */
  readonly openStream: Messages['openStream'] = (options) => this.#messages.openStream(options)
  /** A Node stream that seals. @throws as `sealStream` */
  readonly sealNodeStream: Messages['sealNodeStream'] = (options) => this.#messages.sealNodeStream(options)
  /** A Node stream that opens. @throws as `openStream` */
  readonly openNodeStream: Messages['openNodeStream'] = (options) => this.#messages.openNodeStream(options)
  /** Opens the bytes `from` up to `to` of a sealed message without reading the rest. @throws as `openRange` */
  readonly openRange: Messages['openRange'] = (source, from, to, options) =>
    this.#messages.openRange(source, from, to, options)

  /** Hashes and verifies passwords, with a pepper. @throws ConfigError when the configuration has no `passwords` */
  get passwords(): PepperedHasher {
    if (this.#passwords === undefined) throw new ConfigError('add `passwords: argon2id()` to the configuration')
    return this.#passwords
  }

  /** Listens to events of one type, or to all with `'*'`. @returns a function that ends the subscription @throws InvalidInputError */
  on<Type extends EventType>(type: Type, listener: (event: EventOf<Type>) => void): () => void
  on(type: '*', listener: (event: StrongroomEvent) => void): () => void
  on(type: EventType | '*', listener: (event: never) => void): () => void {
    assertText(type, 'type')
    assertFunction(listener, 'listener')
    return this.#events.on(type as '*', listener as (event: StrongroomEvent) => void)
  }

  /**
   * Reads what other processes changed in the key store now, instead of within `refreshInterval`.
   *
   * @throws KeyStoreError, KmsError; KeyRecordError when a record or the key log was changed outside Strongroom
   */
  refresh(): Promise<void> {
    return this.#keyring.refresh()
  }

  /** Wipes every key and closes the KMS, the key store and the tables. Every later call throws ClosedError. */
  async close(): Promise<void> {
    this.#keyring.close()
    this.#messages.close()
    await this.#kms.close()
    await this.#config.store.close?.()
    for (const table of Object.values(this.#config.tables ?? {})) await (table as Table | undefined)?.close?.()
    await this.#config.queue?.close?.()
  }

  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The scopes of the index keys that a unit of work in this scope may need. */
  #indexScopes(scope: KeyScope): string[] {
    const perTenant = this.#hasIndex((record, global) => record.options.tenant !== undefined && !global)
    const everywhere = this.#hasIndex((record, global) => record.options.tenant === undefined || global)
    const scopes: string[] = []
    if (perTenant && scope.tenant !== undefined) scopes.push(encodeScope({ tenant: scope.tenant }, this.name))
    if (everywhere) scopes.push('')
    return scopes
  }

  #hasIndex(matches: (record: AnyRecord, global: boolean) => boolean): boolean {
    return Object.values(this.#config.records ?? {}).some((record) => {
      const single = Object.values(record.fields).flatMap((field) => indexList(field.options))
      const indexes = [...single, ...Object.values(record.options.indexes ?? {})]
      return indexes.some((index) => matches(record, index.scope === 'global'))
    })
  }
}
