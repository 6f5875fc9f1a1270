import { assertText, describe, wipe } from '../bytes.ts'
import { DecryptionError, InvalidInputError, KeyNotResidentError } from '../errors.ts'
import type { EventHub, StrongroomEvent } from '../events.ts'
import { keyIdOf, looksEncrypted, parseField } from '../format/field.ts'
import { encodeTypedPlaintext } from '../format/typed-value.ts'
import type { Clock } from '../keys/clock.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import type { Keyring } from '../keys/keyring.ts'
import type { ResidentKey } from '../keys/resident-key.ts'
import type { AllowedState } from '../keys/states.ts'
import { type Column, type CompiledRecord, compileRecord } from './compiled-record.ts'
import { assertDecrypts, assertMigrating, assertPlain, decryptValue, encryptValue, readPlain } from './field-cipher.ts'
import { inspectRow, type RowInspection } from './inspect-row.ts'
import { RecordIndexes } from './record-index.ts'
import type {
  AnyRecord,
  BlindIndex,
  DecryptedRow,
  EncryptedRow,
  Identity,
  NoOthers,
  PlainRow,
  Searchable,
  SearchedValue,
  SearchOptions,
} from './record-types.ts'
import { decryptRows, encryptRows, rewriteRows, type Settled } from './row-batch.ts'
import { RowContext } from './row-context.ts'
import { RowIdentifier, type RowIdentity, type UnknownRow } from './row-identity.ts'

/** What a record cipher works with. */
export interface RecordParts {
  readonly app: string
  readonly keyring: Keyring
  readonly keys: KeyManager
  readonly events: EventHub
  readonly clock: Clock
}

/** Exceptions for one call. */
export interface DecryptOptions {
  /** Also decrypt under keys in these states, to rescue data. */
  readonly allow?: readonly AllowedState[]
}

const NOTHING_ALLOWED: readonly AllowedState[] = []

/**
 * Encrypts, decrypts and finds the rows of one record. Made by `openStrongroom`; see `room.records`.
 *
 * `encrypt`, `decrypt`, `index`, `reencrypt` and `needsReencrypt` are synchronous and use keys in memory: they throw
 * `KeyNotResidentError` for others. The methods with `Many` load every key the batch needs, each once.
 */
export class RecordCipher<Schema extends AnyRecord> {
  readonly #schema: Schema
  readonly #record: CompiledRecord
  readonly #indexes: RecordIndexes
  readonly #identifier: RowIdentifier
  readonly #context: RowContext
  readonly #parts: RecordParts
  readonly #identity: ReadonlySet<string>
  readonly #plain: ReadonlySet<string> | 'all'

  constructor(schema: Schema, parts: RecordParts) {
    this.#schema = schema
    this.#parts = parts
    this.#record = compileRecord(schema)
    this.#indexes = new RecordIndexes(this.#record)
    this.#identifier = new RowIdentifier(parts.app, schema.name, schema.options)
    this.#identity = new Set(this.#identifier.columns)
    this.#plain = schema.options.plain === 'all' ? 'all' : new Set(schema.options.plain)
    this.#context = new RowContext({
      app: parts.app,
      table: schema.name,
      columns: [...this.#record.columns.keys()],
      bound: schema.options.unbound !== true,
      tenant: schema.options.tenant !== undefined,
    })
  }

  /** The schema this was made from. */
  get schema(): Schema {
    return this.#schema
  }

  /**
   * Encrypts the fields of a row and fills its index columns. Fields that are left out stay out, so that a partial row
   * for an update works.
   *
   * @throws InvalidInputError when a value is not of its type, a column is not declared, or an id is missing
   * @throws KeyNotResidentError when the key of the row's tenant or subject is not in memory
   */
  encrypt<Row extends PlainRow<Schema>>(row: Row & NoOthers<Schema, Row>): EncryptedRow<Schema, Row> {
    return this.#encrypt(asRow(row)) as EncryptedRow<Schema, Row>
  }

  /**
   * Decrypts the fields of a row, drops its index columns and leaves other columns as they are.
   *
   * @throws DecryptionError when a value is not one that was encrypted for this row and column
   * @throws KeyNotResidentError when a key is not in memory
   * @throws KeyUnavailableError when a key is suspended or compromised and that is not allowed
   */
  decrypt<Row extends Identity<Schema>>(row: Row, options: DecryptOptions = {}): DecryptedRow<Schema, Row> {
    return this.#decrypt(asRow(row), options.allow ?? NOTHING_ALLOWED) as DecryptedRow<Schema, Row>
  }

  /** Encrypts many rows, making and loading every key they need. All or nothing. @throws as `encrypt`, KmsError, KeyStoreError */
  async encryptMany<Row extends PlainRow<Schema>>(
    rows: readonly (Row & NoOthers<Schema, Row>)[],
  ): Promise<EncryptedRow<Schema, Row>[]> {
    return encryptRows(asRows(rows), {
      ...this.#batch((row) => this.#encrypt(row)),
      check: (row) => this.#check(row),
    }) as Promise<EncryptedRow<Schema, Row>[]>
  }

  /** As `encryptMany`, each row with its own result. @throws SystemicFailureError when more than half of at least 4 rows fail */
  async encryptSettled<Row extends PlainRow<Schema>>(
    rows: readonly (Row & NoOthers<Schema, Row>)[],
  ): Promise<Settled<EncryptedRow<Schema, Row>>[]> {
    const batch = this.#batch((row) => this.#encrypt(row))
    return rewriteRows(asRows(rows), batch) as Promise<Settled<EncryptedRow<Schema, Row>>[]>
  }

  /** Decrypts many rows, loading every key they need. @throws the first row's error, or SystemicFailureError when most rows fail */
  async decryptMany<Row extends Identity<Schema>>(
    rows: readonly Row[],
    options: DecryptOptions = {},
  ): Promise<DecryptedRow<Schema, Row>[]> {
    const settled = await this.decryptSettled(rows, options)
    return settled.map((result) => {
      if (result.status === 'rejected') throw result.reason
      return result.value
    })
  }

  /**
   * Decrypts many rows and gives each its own result, so that one damaged row does not hide the others.
   *
   * @returns one entry a row, in order, as `Promise.allSettled` gives them
   * @throws SystemicFailureError when more than half of at least 4 rows fail: then the cause is not the rows
   */
  async decryptSettled<Row extends Identity<Schema>>(
    rows: readonly Row[],
    options: DecryptOptions = {},
  ): Promise<Settled<DecryptedRow<Schema, Row>>[]> {
    const allow = options.allow ?? NOTHING_ALLOWED
    return decryptRows(
      asRows(rows),
      this.#batch((row) => this.#decrypt(row, allow)),
    ) as Promise<Settled<DecryptedRow<Schema, Row>>[]>
  }

  /**
   * The tags under which rows with this value stand, for `where column in (…)`. Other rows may share a tag: give what
   * the database returns, decrypted, to `filter`.
   *
   * @param name a field with one index, or an index column
   * @param value of the field; for a compound index an object of all its fields
   * @throws InvalidInputError, KeyNotResidentError
   */
  index<Name extends Searchable<Schema>>(
    name: Name,
    value: SearchedValue<Schema, Name>,
    options: SearchOptions<Schema> = {} as SearchOptions<Schema>,
  ): BlindIndex[] {
    const index = this.#indexes.find(name)
    const keys = this.#parts.keyring.searchable(this.#searchScope(name, options.tenant))
    if (this.#parts.events.wants('key.used')) {
      for (const key of keys) this.#used('index', key.id, index.column, undefined)
    }
    return this.#indexes.query(index, value, keys) as BlindIndex[]
  }

  /** As `index`, loading the index keys when they are not in memory. */
  async indexMany<Name extends Searchable<Schema>>(
    name: Name,
    values: readonly SearchedValue<Schema, Name>[],
    options: SearchOptions<Schema> = {} as SearchOptions<Schema>,
  ): Promise<BlindIndex[]> {
    const scope = this.#searchScope(name, options.tenant)
    if (!this.#parts.keyring.holdsSearch(scope)) await this.#parts.keyring.loadScope('index', scope)
    return values.flatMap((value) => this.index(name, value, options))
  }

  /** Those decrypted rows that really have the value: removes what an index returned by chance. Call it on every search. */
  filter<Row, Name extends Searchable<Schema>>(
    rows: readonly Row[],
    name: Name,
    value: SearchedValue<Schema, Name>,
  ): Row[] {
    const index = this.#indexes.find(name)
    return rows.filter((row) => this.#indexes.matches(index, asRow(row), value))
  }

  /**
   * Whether a stored row has a value that is not under its scope's active key, a tag that is not under the active index
   * key, or plaintext in a migrating column. Nothing is decrypted.
   *
   * @throws DecryptionError when a value is not ours, KeyNotResidentError
   */
  needsReencrypt<Row extends Identity<Schema>>(row: Row): boolean {
    const stale = this.inspect(row).filter((column) => column.stale)
    const identity = this.#identifier.identify(asRow(row))
    for (const { keyId } of stale) {
      // A key that nobody knows does not make a row an old one: it makes it a damaged one.
      if (keyId !== undefined && !this.#isKeyOf(this.#resident(keyId), identity)) throw new DecryptionError()
    }
    return stale.length > 0
  }

  /**
   * Encrypts a stored row again: fields under the active data key, tags under the active index key.
   *
   * @returns the row as it should be stored; write it with `where` the old values, so that no other write is lost
   * @throws as `decrypt` and `encrypt`
   */
  reencrypt<Row extends Identity<Schema>>(row: Row, options: DecryptOptions = {}): Row {
    return this.#reencrypt(asRow(row), options.allow ?? NOTHING_ALLOWED) as Row
  }

  /** As `reencrypt` for many rows, loading every key they need. */
  async reencryptMany<Row extends Identity<Schema>>(
    rows: readonly Row[],
    options: DecryptOptions = {},
  ): Promise<Row[]> {
    const allow = options.allow ?? NOTHING_ALLOWED
    return encryptRows(asRows(rows), {
      ...this.#batch((row) => this.#reencrypt(row, allow)),
      readsCiphertexts: true,
    }) as Promise<Row[]>
  }

  /**
   * As `reencryptMany`, each row with its own result; a row that is current comes back as the same object. For rows by the
   * million, whose table is not all of one mind.
   *
   * @throws SystemicFailureError when more than half of at least 4 rows fail
   */
  async reencryptSettled<Row extends Identity<Schema>>(
    rows: readonly Row[],
    options: DecryptOptions = {},
  ): Promise<Settled<Row>[]> {
    const allow = options.allow ?? NOTHING_ALLOWED
    const work = (row: UnknownRow) => (this.needsReencrypt(row as Row) ? this.#reencrypt(row, allow) : row)
    return rewriteRows(asRows(rows), this.#batch(work)) as Promise<Settled<Row>[]>
  }

  /** What a stored row shows without decrypting it: for each column its key, size and whether it is stale. @throws DecryptionError */
  inspect<Row extends Identity<Schema>>(row: Row): RowInspection[] {
    const input = asRow(row)
    const identity = this.#identifier.identify(input)
    return inspectRow(this.#record, input, {
      dataKeyId: () => this.#parts.keyring.active('data', identity.scope).id,
      indexVersion: (index) => this.#parts.keyring.active('index', this.#indexScope(index.global, identity)).version,
    })
  }

  #encrypt(row: UnknownRow): UnknownRow {
    const { keyring } = this.#parts
    const identity = this.#identifier.identify(row)
    const key = keyring.active('data', identity.scope)
    const used: string[] = []
    const out: Record<string, unknown> = {}
    this.#context.begin(identity.row, identity.tenant)
    for (const name of Object.keys(row)) {
      const column = this.#record.columns.get(name)
      const value = row[name]
      if (column === undefined) out[name] = this.#passed(name, value)
      else if (column.state === 'plaintext') out[name] = this.#storePlain(column, value)
      else if (value === null && column.visibleNull) out[name] = null
      else {
        this.#assertValue(column, value)
        out[name] = encryptValue(column, value, key, this.#context.of(column.at), used.length > 0)
        used.push(name)
      }
    }
    for (const index of this.#indexes.all) {
      const indexKey = () => keyring.active('index', this.#indexScope(index.global, identity))
      const tag = this.#indexes.tagOf(index, row, indexKey)
      if (tag !== undefined) out[index.column] = tag
    }
    // Not before the row is done: a listener may encrypt as well, and there is one context for all rows.
    if (this.#parts.events.wants('key.used')) {
      for (const name of used) this.#used('encrypt', key.id, name, identity.row)
    }
    return out
  }

  /** Refuses what `#encrypt` would refuse, without a key. @throws InvalidInputError */
  #check(row: UnknownRow): void {
    for (const name of Object.keys(row)) {
      const column = this.#record.columns.get(name)
      const value = row[name]
      if (column === undefined) this.#passed(name, value)
      else if (column.state === 'plaintext') this.#storePlain(column, value)
      else if (value !== null || !column.visibleNull) {
        this.#assertValue(column, value)
        wipe(encodeTypedPlaintext(value, column.type, column.padding))
      }
    }
    for (const index of this.#indexes.all) this.#indexes.partsOf(index, row)
  }

  #decrypt(row: UnknownRow, allow: readonly AllowedState[]): UnknownRow {
    const identity = this.#identifier.identify(row)
    const out: Record<string, unknown> = {}
    const events: StrongroomEvent[] = []
    this.#context.begin(identity.row, identity.tenant)
    try {
      for (const name of Object.keys(row)) {
        const column = this.#record.columns.get(name)
        if (column !== undefined) out[name] = this.#read(column, row[name], identity, allow, events)
        else if (!this.#indexes.columns.has(name)) setOwn(out, name, row[name])
      }
    } finally {
      for (const event of events) this.#parts.events.emit(event)
    }
    return out
  }

  #reencrypt(row: UnknownRow, allow: readonly AllowedState[]): UnknownRow {
    const plain = this.#decrypt(row, allow)
    const declared: Record<string, unknown> = {}
    for (const name of Object.keys(plain)) {
      if (this.#record.columns.has(name) || this.#identity.has(name)) declared[name] = plain[name]
    }
    return { ...row, ...this.#encrypt(declared) }
  }

  #read(
    column: Column,
    value: unknown,
    identity: RowIdentity,
    allow: readonly AllowedState[],
    events: StrongroomEvent[],
  ): unknown {
    if (column.state === 'plaintext') {
      if (looksEncrypted(value)) throw this.#failed(column, identity)
      return readPlain(column, value)
    }
    if (value === null && column.visibleNull) return null
    if (column.state === 'migrating' && !looksEncrypted(value))
      return this.#readMigrating(column, value, identity, events)
    const field = parseField(value)
    if (field === undefined) throw this.#failed(column, identity)
    const key = this.#parts.keyring.findNamed(field) ?? this.#resident(keyIdOf(field))
    try {
      if (!this.#isKeyOf(key, identity)) throw new DecryptionError()
      assertDecrypts(key, this.#parts.clock, allow)
      const plain = decryptValue(column, field, key, this.#context.of(column.at))
      if (this.#parts.events.wants('key.used')) events.push(this.#use('decrypt', key.id, column.name, identity.row))
      return plain
    } catch (error) {
      if (error instanceof DecryptionError) this.#failed(column, identity, key.id)
      throw error
    }
  }

  #readMigrating(column: Column, value: unknown, { row = '' }: RowIdentity, events: StrongroomEvent[]): unknown {
    assertMigrating(this.#record.name, column, this.#parts.clock.date())
    const plain = readPlain(column, value)
    events.push({ type: 'plaintext.read', table: this.#record.name, column: column.name, row })
    return plain
  }

  #resident(id: string): ResidentKey {
    const key = this.#parts.keyring.find(id)
    if (key !== undefined) return key
    this.#parts.keyring.assertOpen()
    this.#parts.keyring.assertNotRetired(id)
    throw new KeyNotResidentError(
      `key ${id}`,
      'call `decryptMany`, or `await room.unlock([scope])` for its tenant or subject first',
    )
  }

  /** A row's values are under the key of its scope, or of its whole tenant, from before its subject had one. */
  #isKeyOf({ purpose, scope }: ResidentKey, { scope: own, tenant }: RowIdentity): boolean {
    if (purpose !== 'data') return false
    return scope === own || scope === (tenant === undefined ? '' : this.#identifier.tenantScope(tenant))
  }

  #failed(column: Column, identity: RowIdentity, keyId?: string): DecryptionError {
    this.#parts.events.emit({
      type: 'decrypt.failed',
      table: this.#record.name,
      column: column.name,
      ...(identity.row === undefined ? {} : { row: identity.row }),
      ...(keyId === undefined ? {} : { keyId }),
    })
    return new DecryptionError()
  }

  #used(operation: 'encrypt' | 'index', keyId: string, column: string, row: string | undefined): void {
    this.#parts.events.emit(this.#use(operation, keyId, column, row))
  }

  #use(
    operation: 'encrypt' | 'decrypt' | 'index',
    keyId: string,
    column: string,
    row: string | undefined,
  ): StrongroomEvent {
    return {
      type: 'key.used',
      operation,
      keyId,
      purpose: operation === 'index' ? 'index' : 'data',
      table: this.#record.name,
      column,
      ...(row === undefined ? {} : { row }),
    }
  }

  #assertValue(column: Column, value: unknown): void {
    if (typeof value === 'string' && column.type === 'text') {
      if (!value.isWellFormed()) assertText(value, this.#where(column))
      if (looksEncrypted(value))
        throw new InvalidInputError(`${this.#where(column)} looks encrypted already: was it encrypted twice?`)
    }
    if (value === null && !column.nullable) {
      throw new InvalidInputError(`${this.#where(column)} is null: declare it \`nullable: true\` if it may be`)
    }
    if (value === undefined)
      throw new InvalidInputError(`${this.#where(column)} is undefined: leave the property out, or give null`)
  }

  #where(column: Column): string {
    return `${this.#record.name}.${column.name}`
  }

  #storePlain(column: Column, value: unknown): unknown {
    if (value === undefined) throw new InvalidInputError(`${this.#record.name}.${column.name} is undefined`)
    assertPlain(this.#record.name, column, value)
    return value
  }

  /** Columns that are no fields: those of the identity, and those declared to stay as they are. */
  #passed(name: string, value: unknown): unknown {
    if (name === '__proto__') throw new InvalidInputError('a row must not have a column "__proto__"')
    if (this.#identity.has(name) || this.#plain === 'all' || this.#plain.has(name)) return value
    throw new InvalidInputError(
      `${this.#record.name}.${name} is not declared, so it would be written as plaintext: add a field for it, or list it in \`plain\``,
    )
  }

  #indexScope(global: boolean, identity: RowIdentity): string {
    return global ? '' : this.#identifier.tenantScope(identity.tenant)
  }

  #searchScope(name: string, tenant: unknown): string {
    if (this.#indexes.find(name).global) return ''
    if (tenant === undefined) {
      throw new InvalidInputError(`searching ${this.#record.name} by ${name} needs the tenant, as { tenant }`)
    }
    return this.#identifier.tenantScope(tenant)
  }

  #batch(work: (row: UnknownRow) => UnknownRow) {
    return {
      work,
      keyring: this.#parts.keyring,
      keys: this.#parts.keys,
      columns: [...this.#record.columns.keys()],
      scopesOf: (row: UnknownRow) => {
        const identity = this.#identifier.identify(row)
        const index = new Set(this.#indexes.all.map(({ global }) => this.#indexScope(global, identity)))
        return { data: identity.scope, index }
      },
    }
  }
}

function asRow(row: unknown): UnknownRow {
  if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row as UnknownRow
  throw new InvalidInputError(`a row must be an object, received ${describe(row)}`)
}

function asRows(rows: unknown): readonly UnknownRow[] {
  if (!Array.isArray(rows)) throw new InvalidInputError(`rows must be an array, received ${describe(rows)}`)
  return rows.map(asRow)
}

/** Sets a property that may be called `__proto__` without touching the prototype. */
function setOwn(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') throw new DecryptionError()
  target[name] = value
}
