import {
  type Attributes,
  type FindOptions,
  type Model,
  type ModelStatic,
  Op,
  type Transaction,
  type WhereOptions,
} from 'sequelize'
import { assertArray, assertObject, describe } from '../../src/bytes.ts'
import { ConfigError, InvalidInputError } from '../../src/errors.ts'
import { type AnyCipher, type AnyRow, assertRow, type MappedRecord } from '../../src/mapping/mapped-record.ts'
import { limited } from '../../src/mapping/query-text.ts'
import type { NewFields } from '../../src/mapping/row-types.ts'
import { StoredValue } from '../../src/mapping/stored-value.ts'
import type { AnyRecord, Searchable, SearchedValue, SearchOptions } from '../../src/records/record-types.ts'
import { registryOf } from './hooks.ts'
import type { Encrypted } from './registry.ts'
import type { EncryptedFields, RowChanges, RowKey } from './row-types.ts'

/** The transaction of a call, if it is in one. */
export interface WithTransaction {
  readonly transaction?: Transaction
}

/**
 * Makes a model encrypted: from now on its Sequelize encrypts what it writes, and decrypts what it reads.
 *
 * @param model with `encryptedAttributes(record)` among its attributes, whose names are those in the record
 * @param cipher of the record, `room.records.customers`
 * @returns what Sequelize cannot do by itself
 * @throws ConfigError, InvalidInputError when model and record do not fit
 */
export function encryptedModel<Schema extends AnyRecord, Of extends Model & EncryptedFields<Schema>>(
  model: ModelStatic<Of>,
  cipher: AnyCipher & { readonly schema: Schema },
): EncryptedModel<Of, Schema> {
  if (typeof model !== 'function')
    throw new InvalidInputError(`model must be a model of Sequelize, received ${describe(model)}`)
  const { sequelize } = model
  if (sequelize === undefined) throw new ConfigError(`model ${model.name} is not initialized: call its init() before`)
  return new EncryptedModel(model, registryOf(sequelize).add(model, cipher))
}

/** Writes and searches of one encrypted model. Made by `encryptedModel`. */
export class EncryptedModel<Of extends Model, Schema extends AnyRecord> {
  readonly #model: ModelStatic<Model>
  readonly #record: MappedRecord
  readonly #columns: ReadonlyMap<string, string>

  constructor(model: ModelStatic<Of>, { record, named }: Encrypted) {
    this.#model = model
    this.#record = record
    this.#columns = named.columns
  }

  /** Changes some columns of one row. @returns how many rows were changed: 0 or 1 @throws InvalidInputError */
  async update(
    key: RowKey<Of, Schema>,
    changes: RowChanges<Of, Schema>,
    options: WithTransaction = {},
  ): Promise<number> {
    return this.#update(this.#identity(key as AnyRow), changes as AnyRow, options)
  }

  /**
   * Changes columns in many rows, which no single statement can do: values are bound to their rows. Reads the ids and updates
   * row by row, each only while it still meets the condition. Give a transaction to change all or none.
   *
   * @returns how many rows were changed
   * @throws InvalidInputError for a change or a condition that is refused
   */
  async updateMany(
    where: WhereOptions<Attributes<Of>>,
    changes: RowChanges<Of, Schema>,
    options: WithTransaction = {},
  ): Promise<number> {
    assertRow(changes, 'the changes')
    this.#record.assertChanges(Object.keys(changes))
    const attributes = [...this.#record.identity]
    const found = await this.#model.findAll({ attributes, where, ...options, raw: true })
    let changed = 0
    for (const key of found as unknown as AnyRow[]) {
      changed += await this.#update({ [Op.and]: [where, this.#identity(key)] }, changes as AnyRow, options)
    }
    return changed
  }

  /**
   * Updates the row of this id, tenant and subject, or inserts it. A row of another tenant that has the id makes it fail.
   *
   * @throws InvalidInputError when the row is not complete; what loading keys, and Sequelize, throw
   */
  async upsert(
    row: Of['_creationAttributes'] & RowKey<Of, Schema> & NewFields<Schema>,
    options: WithTransaction = {},
  ): Promise<void> {
    const complete = this.#record.complete(row as AnyRow)
    const changes = Object.entries(complete).filter(([name]) => !this.#record.identity.includes(name))
    const changed = await this.#update(this.#identity(complete), Object.fromEntries(changes), options)
    if (changed === 0) await this.#model.create(row as never, options)
  }

  /**
   * The rows whose encrypted column has a value, without those that the index matches by chance.
   *
   * @param name a field with one index, or an index column
   * @param find further conditions and options; not `limit` or `offset` when the index is not unique
   * @throws InvalidInputError; DecryptionError when a row is not what was encrypted
   */
  async search<Name extends Searchable<Schema>>(
    name: Name,
    value: SearchedValue<Schema, Name>,
    options: SearchOptions<Schema>,
    find: FindOptions<Attributes<Of>> = {},
  ): Promise<Of[]> {
    assertObject(find, 'find')
    const { column, fields, unique } = this.#record.search(name)
    assertSelected(this.#record, name, [...this.#record.identity, ...fields], find.attributes)
    if (!unique && (find.limit !== undefined || find.offset !== undefined)) throw limited(this.#record, column)
    const tags = await this.#record.cipher.indexMany(name, [value], options as { tenant?: unknown })
    const found = { [column]: tags.map((tag) => StoredValue.wrap(tag as string)) }
    const where = find.where === undefined ? found : { [Op.and]: [find.where, found] }
    const rows = await this.#model.findAll({ ...find, where } as FindOptions)
    // Getters of the application may show something else.
    return rows.filter((row) => this.#record.cipher.filter([valuesOf(row)], name, value).length > 0) as Of[]
  }

  /** Decrypts rows of SQL of your own, `sequelize.query(…)`, whose columns have the names of the database. @throws DecryptionError */
  async decryptRaw(rows: readonly object[]): Promise<(Attributes<Of> & EncryptedFields<Schema>)[]> {
    assertArray(rows, 'rows')
    for (const row of rows) assertRow(row)
    const stored = (rows as readonly AnyRow[]).map((row) =>
      Object.fromEntries([...this.#columns].flatMap(([key, name]) => (name in row ? [[key, shown(row[name])]] : []))),
    )
    return (await this.#record.cipher.decryptMany(stored)) as (Attributes<Of> & EncryptedFields<Schema>)[]
  }

  async #update(where: WhereOptions, changes: AnyRow, options: WithTransaction): Promise<number> {
    assertRow(changes, 'the changes')
    this.#record.assertChanges(Object.keys(changes))
    if (Object.keys(changes).length === 0) throw new InvalidInputError('an update must change something')
    const [changed] = await this.#model.update(changes, { where, ...options })
    return changed
  }

  #identity(key: AnyRow): Record<string, unknown> {
    assertRow(key, 'the key')
    const missing = this.#record.identity.filter((name) => key[name] === undefined || key[name] === null)
    if (missing.length > 0) throw this.#record.unknownRow(missing)
    return Object.fromEntries(this.#record.identity.map((name) => [name, key[name]]))
  }
}

/** Refuses a selection without the columns by which rows are decrypted, and those are dropped that an index matches by chance. */
function assertSelected(
  record: MappedRecord,
  name: string,
  needed: readonly string[],
  attributes: FindOptions['attributes'],
): void {
  const missing = needed.filter((column) => {
    if (Array.isArray(attributes)) return !attributes.includes(column)
    return attributes?.exclude?.includes(column) === true
  })
  if (missing.length === 0) return
  throw new InvalidInputError(
    `a search of ${record.name} by ${name} reads ${needed.join(', ')}: select ${missing.join(', ')} as well`,
  )
}

function valuesOf(row: Model): AnyRow {
  // With `raw: true` there are no instances.
  return (row.dataValues as AnyRow | undefined) ?? (row as unknown as AnyRow)
}

function shown(value: unknown): unknown {
  return StoredValue.is(value) ? StoredValue.unwrap(value) : value
}
