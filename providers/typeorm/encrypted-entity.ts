import type {
  DataSource,
  EntityManager,
  EntityTarget,
  FindManyOptions,
  FindOptionsWhere,
  ObjectLiteral,
  SelectQueryBuilder,
} from 'typeorm'
import { In } from 'typeorm'
import { assertArray, assertMethods, assertObject } from '../../src/bytes.ts'
import { ConfigError, InvalidInputError } from '../../src/errors.ts'
import { type AnyCipher, type AnyRow, assertRow, MappedRecord } from '../../src/mapping/mapped-record.ts'
import { limited } from '../../src/mapping/query-text.ts'
import { StoredValue } from '../../src/mapping/stored-value.ts'
import type {
  AnyRecord,
  FieldName,
  IdentityColumn,
  IndexColumn,
  Searchable,
  SearchedValue,
  SearchOptions,
} from '../../src/records/record-types.ts'
import { namedProperties, streamedRows } from './streamed-rows.ts'
import { EncryptingSubscriber } from './subscriber.ts'

/** Rows of a stream that are decrypted together. */
const BATCH = 200

/** The types of data sources whose drivers announce every statement before it runs. */
const ANNOUNCING: ReadonlySet<string> = new Set([
  'better-sqlite3',
  'cockroachdb',
  'cordova',
  'expo',
  'mariadb',
  'mssql',
  'mysql',
  'oracle',
  'postgres',
  'react-native',
  'sap',
  'spanner',
  'sqlite',
  'sqljs',
])

/**
 * Makes an entity encrypted: from now on its data source encrypts what it saves and inserts, and decrypts what it loads.
 *
 * @param dataSource initialized; one call for each entity
 * @param entity made with `entityColumns(record)`; its properties are the names in the record
 * @param cipher of the record, `room.records.customers`
 * @returns what TypeORM cannot do by itself
 * @throws ConfigError, InvalidInputError when entity and record do not fit; ConfigError for a driver that does not announce
 * its statements
 */
export function encryptedEntity<Of extends ObjectLiteral, Schema extends AnyRecord>(
  dataSource: DataSource,
  entity: EntityTarget<Of>,
  cipher: AnyCipher & { readonly schema: Schema },
): EncryptedEntity<Of, Schema> {
  assertMethods(dataSource, ['getMetadata'], 'dataSource')
  const { type } = dataSource.options
  if (!ANNOUNCING.has(type)) {
    throw new ConfigError(`TypeORM's driver ${type} does not announce statements, so they could pass the encryption`)
  }
  const record = new MappedRecord(cipher)
  const subscriber = new EncryptingSubscriber(dataSource, dataSource.getMetadata(entity), record)
  return new EncryptedEntity(entity, record, subscriber)
}

/** Which row: its id, tenant and subject. */
export type EntityKey<Of, Schema extends AnyRecord> = Pick<Of, IdentityColumn<Schema> & keyof Of>

/** What a row is changed to. */
export type EntityChanges<Of, Schema extends AnyRecord> = Partial<
  Omit<Of, IdentityColumn<Schema> | IndexColumn<Schema>>
>

/** Writes and searches of one encrypted entity. Made by `encryptedEntity`. Takes the manager of a transaction where it takes one. */
export class EncryptedEntity<Of extends ObjectLiteral, Schema extends AnyRecord> {
  readonly #entity: EntityTarget<Of>
  readonly #record: MappedRecord
  readonly #subscriber: EncryptingSubscriber

  constructor(entity: EntityTarget<Of>, record: MappedRecord, subscriber: EncryptingSubscriber) {
    this.#entity = entity
    this.#record = record
    this.#subscriber = subscriber
  }

  /** Changes some columns of one row. @returns how many rows were changed: 0 or 1 @throws InvalidInputError */
  async update(
    manager: EntityManager,
    key: EntityKey<Of, Schema>,
    changes: EntityChanges<Of, Schema>,
  ): Promise<number> {
    return this.#update(manager, key as AnyRow, changes as AnyRow, {})
  }

  /**
   * Changes columns in many rows, which no single statement can do: values are bound to their rows. Reads the ids and updates
   * row by row, each only while it still meets the condition.
   *
   * @returns how many rows were changed
   * @throws InvalidInputError for a change or a condition that is refused
   */
  async updateMany(
    manager: EntityManager,
    where: FindOptionsWhere<Omit<Of, FieldName<Schema>>>,
    changes: EntityChanges<Of, Schema>,
  ): Promise<number> {
    assertManager(manager)
    assertRow(changes, 'the changes')
    this.#record.assertChanges(Object.keys(changes))
    const select = [...this.#record.identity]
    const found = await manager.find(this.#entity, { select: pick(select), where } as FindManyOptions<Of>)
    let changed = 0
    for (const key of found) changed += await this.#update(manager, key, changes as AnyRow, where as AnyRow)
    return changed
  }

  /**
   * Updates the row of this id, tenant and subject, or inserts it. A row of another tenant that has the id makes it fail.
   *
   * @throws InvalidInputError when the row is not complete; what loading keys, and TypeORM, throw
   */
  async upsert(manager: EntityManager, row: Of): Promise<void> {
    assertManager(manager)
    const complete = this.#record.complete(row)
    const changes = Object.fromEntries(
      Object.entries(complete).filter(([name]) => !this.#record.identity.includes(name)),
    )
    if ((await this.#update(manager, row, changes, {})) === 0) await manager.insert(this.#entity, row)
  }

  /**
   * The rows whose encrypted column has a value, without those that the index matches by chance.
   *
   * @param name a field with one index, or an index column
   * @param find further conditions and options; not `take` or `skip` when the index is not unique
   * @throws InvalidInputError; DecryptionError when a row is not what was encrypted
   */
  async search<Name extends Searchable<Schema>>(
    manager: EntityManager,
    name: Name,
    value: SearchedValue<Schema, Name>,
    options: SearchOptions<Schema>,
    find: Omit<FindManyOptions<Of>, 'where'> & { readonly where?: FindOptionsWhere<Omit<Of, FieldName<Schema>>> } = {},
  ): Promise<Of[]> {
    assertManager(manager)
    assertObject(find, 'find')
    const { column, unique } = this.#record.search(name)
    if (!unique && (find.take !== undefined || find.skip !== undefined)) throw limited(this.#record, column)
    const tags = await this.#record.cipher.indexMany(name, [value], options as { tenant?: unknown })
    const where = { ...find.where, [column]: In(tags.map((tag) => StoredValue.wrap(tag as string))) }
    const rows = await manager.find(this.#entity, { ...find, where } as FindManyOptions<Of>)
    return this.#record.cipher.filter(rows, name, value)
  }

  /**
   * The rows of a query builder one by one, decrypted together by some hundreds, without holding all. It selects columns of the
   * entity alone, among them the id and the tenant. A loop that is left early closes the cursor and gives the connection back.
   *
   * @param query `manager.createQueryBuilder(entity, alias)`, of the manager of a transaction where there is one
   * @throws InvalidInputError for a query of another entity or one that is refused, and on SQLite; DecryptionError
   */
  async *stream(query: SelectQueryBuilder<Of>): AsyncGenerator<Of> {
    const { dataSource, metadata } = this.#subscriber
    assertMethods(query, ['stream', 'getQueryAndParameters'], 'query')
    if (query.expressionMap.mainAlias?.metadata !== metadata) {
      throw new InvalidInputError(`a query builder of the entity ${metadata.name} is needed`)
    }
    this.#subscriber.assertQuery(...query.clone().getQueryAndParameters())
    let batch: AnyRow[] = []
    for await (const row of streamedRows(dataSource, query)) {
      if (batch.push(namedProperties(row, query.alias, dataSource.driver, metadata, this.#record)) < BATCH) continue
      yield* (await this.#record.cipher.decryptMany(batch)) as Of[]
      batch = []
    }
    yield* (await this.#record.cipher.decryptMany(batch)) as Of[]
  }

  /** Decrypts rows of SQL of your own, `dataSource.query(…)`, whose columns have the names of the database. @throws DecryptionError */
  async decryptRaw(rows: readonly AnyRow[]): Promise<Of[]> {
    assertArray(rows, 'rows')
    for (const row of rows) assertRow(row)
    const names = [...this.#subscriber.named.columns]
    const stored = rows.map((row) =>
      Object.fromEntries(names.flatMap(([key, name]) => (name in row ? [[key, row[name]]] : []))),
    )
    return (await this.#record.cipher.decryptMany(stored)) as Of[]
  }

  async #update(manager: EntityManager, key: AnyRow, changes: AnyRow, where: AnyRow): Promise<number> {
    assertManager(manager)
    assertRow(key, 'the key')
    assertRow(changes, 'the changes')
    this.#record.assertChanges(Object.keys(changes))
    if (Object.keys(changes).length === 0) throw new InvalidInputError('an update must change something')
    const missing = this.#record.identity.filter((name) => key[name] === undefined || key[name] === null)
    if (missing.length > 0) throw this.#record.unknownRow(missing)
    const identity = Object.fromEntries(this.#record.identity.map((name) => [name, key[name]]))
    const [encrypted] = await this.#record.cipher.encryptMany([{ ...identity, ...changes }])
    const written = Object.entries(encrypted as AnyRow).filter(([name]) => !this.#record.identity.includes(name))
    const set = Object.fromEntries(written.map(([name, value]) => [name, this.#stored(name, value)]))
    const query = manager
      .createQueryBuilder()
      .update(this.#entity)
      .set(set as never)
    return (await query.where({ ...where, ...identity }).execute()).affected as number
  }

  #stored(name: string, value: unknown): unknown {
    const isOurs = this.#record.fields.has(name) || this.#record.indexColumns.has(name)
    return isOurs && value !== null ? StoredValue.wrap(value as string) : value
  }
}

function pick(names: readonly string[]): Record<string, true> {
  return Object.fromEntries(names.map((name) => [name, true]))
}

function assertManager(manager: unknown): void {
  assertMethods(manager, ['find', 'insert', 'createQueryBuilder'], 'the manager')
}
