import { assertArray, describe } from '../bytes.ts'
import { DecryptionError, InvalidInputError } from '../errors.ts'
import { type AllowedState, assertAllowed } from '../keys/states.ts'
import { inspectRow, isOldRow, type RowInspection, type Writing } from './inspect-row.ts'
import { indexScope, keyUsed, type OpenRecord, openRecord, type RecordParts } from './record-parts.ts'
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
import { type Batch, decryptRows, encryptRows, type ReadyRow, rewriteRows, type Settled } from './row-batch.ts'
import type { RowIdentity, UnknownRow } from './row-identity.ts'
import { RowReader } from './row-reader.ts'
import { RowWriter } from './row-writer.ts'

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
  readonly #open: OpenRecord
  readonly #reader: RowReader
  readonly #writer: RowWriter
  readonly #writing: Writing

  constructor(schema: Schema, parts: RecordParts) {
    this.#schema = schema
    this.#open = openRecord(schema, parts)
    this.#reader = new RowReader(this.#open)
    this.#writer = new RowWriter(this.#open, schema.options)
    this.#writing = {
      dataKey: ({ scope }) => this.#open.keyring.active('data', scope),
      indexVersion: (index, identity) =>
        this.#open.keyring.active('index', indexScope(this.#open, index.global, identity)).version,
    }
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
    return this.#writer.encrypt(asRow(row)) as EncryptedRow<Schema, Row>
  }

  /**
   * Decrypts the fields of a row, drops its index columns and leaves other columns as they are.
   *
   * @throws DecryptionError when a value is not one that was encrypted for this row and column
   * @throws KeyNotResidentError when a key is not in memory
   * @throws KeyUnavailableError when a key is suspended or compromised and that is not allowed
   */
  decrypt<Row extends Identity<Schema>>(row: Row, options: DecryptOptions = {}): DecryptedRow<Schema, Row> {
    return this.#reader.decrypt(asRow(row), allowedBy(options)) as DecryptedRow<Schema, Row>
  }

  /** Encrypts many rows, making and loading every key they need. All or nothing. @throws as `encrypt`, KmsError, KeyStoreError */
  async encryptMany<Row extends PlainRow<Schema>>(
    rows: readonly (Row & NoOthers<Schema, Row>)[],
  ): Promise<EncryptedRow<Schema, Row>[]> {
    return encryptRows(asRows(rows), {
      ...this.#encryption(),
      check: (row) => this.#writer.check(row),
    }) as Promise<EncryptedRow<Schema, Row>[]>
  }

  /** As `encryptMany`, each row with its own result. @throws SystemicFailureError when more than half of at least 4 rows fail */
  async encryptSettled<Row extends PlainRow<Schema>>(
    rows: readonly (Row & NoOthers<Schema, Row>)[],
  ): Promise<Settled<EncryptedRow<Schema, Row>>[]> {
    return rewriteRows(asRows(rows), this.#encryption()) as Promise<Settled<EncryptedRow<Schema, Row>>[]>
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
    const allow = allowedBy(options)
    return decryptRows(
      asRows(rows),
      this.#batch((row) => this.#reader.decrypt(row, allow)),
    ) as Promise<Settled<DecryptedRow<Schema, Row>>[]>
  }

  /**
   * The tags under which rows with this value stand, for `where column in (…)`. Other rows may share a tag: give what
   * the database returns, decrypted, to `filter`.
   *
   * @param name a field with one index, or an index column
   * @param value of the field; for a compound index an object of all its fields
   * @throws InvalidInputError, KeyNotResidentError, SlowIndexError
   */
  index<Name extends Searchable<Schema>>(
    name: Name,
    value: SearchedValue<Schema, Name>,
    options: SearchOptions<Schema> = {} as SearchOptions<Schema>,
  ): BlindIndex[] {
    asOptions(options)
    const index = this.#open.indexes.find(name)
    this.#open.indexes.assertFast(index)
    const keys = this.#open.keyring.searchable(this.#searchScope(name, options.tenant))
    if (this.#open.events.wants('key.used')) {
      for (const key of keys) this.#reportSearch(key.id, index.column)
    }
    return this.#open.indexes.query(index, value, keys) as BlindIndex[]
  }

  /**
   * As `index`, loading the index keys when they are not in memory; the only way to search a slow index.
   *
   * @param values as `value` of `index`, one after the other
   * @returns the tags of all values, in order, for one `where column in (…)`
   * @throws InvalidInputError, KmsError, KeyStoreError, KeyRecordError; ConfigError for a slow index without an Argon2 engine
   */
  async indexMany<Name extends Searchable<Schema>>(
    name: Name,
    values: readonly SearchedValue<Schema, Name>[],
    options: SearchOptions<Schema> = {} as SearchOptions<Schema>,
  ): Promise<BlindIndex[]> {
    assertArray(values, 'values')
    asOptions(options)
    const scope = this.#searchScope(name, options.tenant)
    if (!this.#open.keyring.holdsSearch(scope)) await this.#open.keyring.loadScope('index', scope)
    const index = this.#open.indexes.find(name)
    if (!index.slow) return values.flatMap((value) => this.index(name, value, options))
    const tags: BlindIndex[] = []
    for (const value of values) {
      const keys = this.#open.keyring.searchable(scope)
      tags.push(...((await this.#open.indexes.slowQuery(index, value, keys, this.#open.slowHash)) as BlindIndex[]))
      for (const key of keys) this.#reportSearch(key.id, index.column)
    }
    return tags
  }

  /**
   * Those decrypted rows that really have the value: removes what an index returned by chance. Call it on every search.
   *
   * @throws InvalidInputError
   */
  filter<Row, Name extends Searchable<Schema>>(
    rows: readonly Row[],
    name: Name,
    value: SearchedValue<Schema, Name>,
  ): Row[] {
    const index = this.#open.indexes.find(name)
    assertArray(rows, 'rows')
    return rows.filter((row) => this.#open.indexes.matches(index, asRow(row), value))
  }

  /**
   * Whether a stored row has a value that is not under its scope's active key, a tag that is not under the active index
   * key, or plaintext in a migrating column. Nothing is decrypted.
   *
   * @throws DecryptionError when a value is not ours, KeyNotResidentError
   */
  needsReencrypt<Row extends Identity<Schema>>(row: Row): boolean {
    const stale = this.inspect(row).filter((column) => column.stale)
    const identity = this.#open.identifier.identify(asRow(row))
    for (const { keyId } of stale) {
      // A key that nobody knows does not make a row an old one: it makes it a damaged one.
      if (keyId !== undefined && !this.#reader.isKeyOf(this.#reader.resident(keyId), identity))
        throw new DecryptionError()
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
    const input = asRow(row)
    return this.#rewritten(input, this.#open.identifier.identify(input), allowedBy(options)) as Row
  }

  /** As `reencrypt` for many rows, loading every key they need. All or nothing. @throws as `decryptMany` and `encryptMany` */
  async reencryptMany<Row extends Identity<Schema>>(
    rows: readonly Row[],
    options: DecryptOptions = {},
  ): Promise<Row[]> {
    const allow = allowedBy(options)
    return encryptRows(asRows(rows), { ...this.#reencryption(allow, false), readsCiphertexts: true }) as Promise<Row[]>
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
    const allow = allowedBy(options)
    return rewriteRows(asRows(rows), this.#reencryption(allow, true)) as Promise<Settled<Row>[]>
  }

  /** What a stored row shows without decrypting it: for each column its key, size and whether it is stale. @throws DecryptionError */
  inspect<Row extends Identity<Schema>>(row: Row): RowInspection[] {
    const input = asRow(row)
    const identity = this.#open.identifier.identify(input)
    return inspectRow(this.#open.record, input, {
      dataKeyId: () => this.#writing.dataKey(identity).id,
      indexVersion: (index) => this.#writing.indexVersion(index, identity),
    })
  }

  #encryption(): Batch {
    const prepare = async (row: UnknownRow) => ({ tags: await this.#writer.slowTags(row) })
    return this.#batch((row, ready) => this.#writer.encrypt(row, ready?.tags), prepare)
  }

  /** @param onlyOld whether a row that is current stays the same object */
  #reencryption(allow: readonly AllowedState[], onlyOld: boolean): Batch {
    const { record, identifier } = this.#open
    const stays = (row: UnknownRow, identity: RowIdentity) => onlyOld && !isOldRow(record, row, identity, this.#writing)
    const work = (row: UnknownRow, ready?: ReadyRow) => {
      const identity = identifier.identify(row)
      return stays(row, identity) ? row : this.#rewritten(row, identity, allow, ready)
    }
    return this.#batch(work, async (row) => {
      const identity = identifier.identify(row)
      if (stays(row, identity)) return undefined
      const plain = this.#declared(row, identity, allow)
      return { plain, tags: await this.#writer.slowTags(plain) }
    })
  }

  /** The fields of a stored row, decrypted, and the columns that identify it. */
  #declared(row: UnknownRow, rowIdentity: RowIdentity, allow: readonly AllowedState[]): UnknownRow {
    const plain = this.#reader.decrypt(row, allow, rowIdentity)
    const { record, identity } = this.#open
    const declared: Record<string, unknown> = {}
    for (const name of Object.keys(plain)) {
      if (record.columns.has(name) || identity.has(name)) declared[name] = plain[name]
    }
    return declared
  }

  #rewritten(row: UnknownRow, identity: RowIdentity, allow: readonly AllowedState[], ready?: ReadyRow): UnknownRow {
    const plain = ready?.plain ?? this.#declared(row, identity, allow)
    return { ...row, ...this.#writer.encrypt(plain, ready?.tags, identity) }
  }

  #reportSearch(keyId: string, column: string): void {
    this.#open.events.emit(keyUsed(this.#open.record.name, 'index', keyId, column, undefined))
  }

  #searchScope(name: string, tenant: unknown): string {
    if (this.#open.indexes.find(name).global) return ''
    if (tenant === undefined) {
      throw new InvalidInputError(`searching ${this.#open.record.name} by ${name} needs the tenant, as { tenant }`)
    }
    return this.#open.identifier.tenantScope(tenant)
  }

  /** The scopes of rows, which mostly are those of the row before. */
  #scopes(): Batch['scopesOf'] {
    let last: ReturnType<Batch['scopesOf']> | undefined
    return (row) => {
      const identity = this.#open.identifier.identify(row)
      if (last?.data === identity.scope) return last
      const index = new Set(this.#open.indexes.all.map(({ global }) => indexScope(this.#open, global, identity)))
      last = { data: identity.scope, index }
      return last
    }
  }

  #batch(work: Batch['work'], prepare?: Batch['prepare']): Batch {
    return {
      work,
      prepare: this.#open.indexes.anySlow ? prepare : undefined,
      keyring: this.#open.keyring,
      keys: this.#open.keys,
      columns: [...this.#open.record.columns.keys()],
      scopesOf: this.#scopes(),
    }
  }
}

function allowedBy(options: DecryptOptions): readonly AllowedState[] {
  const { allow } = asOptions(options)
  if (allow === undefined) return NOTHING_ALLOWED
  assertAllowed(allow)
  return allow
}

/** Costs nothing: it stands in front of every row. */
function asOptions<Options>(options: Options): Options & object {
  if (typeof options === 'object' && options !== null) return options
  throw new InvalidInputError(`the options must be an object, received ${describe(options)}`)
}

function asRow(row: unknown): UnknownRow {
  if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row as UnknownRow
  throw new InvalidInputError(`a row must be an object, received ${describe(row)}`)
}

function asRows(rows: unknown): readonly UnknownRow[] {
  assertArray(rows, 'rows')
  return rows.map(asRow)
}
