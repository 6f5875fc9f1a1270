import type {
  BeforeQueryEvent,
  DataSource,
  EntityMetadata,
  EntitySubscriberInterface,
  InsertEvent,
  LoadEvent,
  QueryRunner,
  UpdateEvent,
} from 'typeorm'
import { ConfigError } from '../../src/errors.ts'
import type { AnyRow, MappedRecord } from '../../src/mapping/mapped-record.ts'
import type { NamedTable } from '../../src/mapping/query-text.ts'
import { assertStatement } from '../../src/mapping/statement-text.ts'
import { StoredValue } from '../../src/mapping/stored-value.ts'
import { Unencrypted } from './columns.ts'
import { inFlight } from './in-flight.ts'
import { RowBatch } from './row-batch.ts'

type Entity = Record<string, unknown>

/** Encrypts entities before TypeORM writes them, decrypts those it loads, and reads every statement before it runs. */
export class EncryptingSubscriber implements EntitySubscriberInterface {
  readonly #record: MappedRecord
  readonly #metadata: EntityMetadata
  readonly #named: NamedTable
  readonly #loads: RowBatch
  readonly #writes: RowBatch
  /** How entities get back what they held before their values were encrypted for writing. */
  readonly #undo = new WeakMap<object, { readonly queryRunner: QueryRunner; readonly undo: () => void }>()

  constructor(dataSource: DataSource, metadata: EntityMetadata, record: MappedRecord) {
    this.#record = record
    this.#metadata = metadata
    // By path: an embedded entity may have a property of the same name.
    const columns = metadata.columns.map(({ propertyPath, databaseName }) => [propertyPath, databaseName] as const)
    this.#named = { record, table: metadata.tableName, columns: new Map(columns) }
    this.#loads = new RowBatch((rows) => record.cipher.decryptMany(rows))
    this.#writes = new RowBatch((rows) => record.cipher.encryptMany(rows))
    for (const name of [...record.identity, ...record.fields, ...record.indexColumns]) {
      if (!this.#named.columns.has(name)) throw new ConfigError(`entity ${metadata.name} has no column ${name}`)
    }
    const undeclared = columns.find(([name]) => !record.isDeclared(name) && !record.indexColumns.has(name))
    if (undeclared !== undefined) throw record.undeclared(undeclared[0])
    dataSource.subscribers.push(this)
  }

  get named(): NamedTable {
    return this.#named
  }

  async beforeInsert({ entity, metadata, queryRunner }: InsertEvent<unknown>): Promise<void> {
    if (metadata !== this.#metadata || entity === undefined) return
    await inFlight(queryRunner).run(async () => {
      const complete = this.#record.complete(this.#rowOf(entity as Entity))
      this.#replace(entity as Entity, await this.#writes.add(complete), queryRunner)
    })
  }

  afterInsert({ entity, metadata }: InsertEvent<unknown>): void {
    if (metadata === this.#metadata && entity !== undefined) this.#restore(entity as Entity)
  }

  async beforeUpdate({ entity, databaseEntity, metadata, queryRunner }: UpdateEvent<unknown>): Promise<void> {
    // Without an entity of the database it is an update of rows that nobody knows: its values are refused one by one.
    if (metadata !== this.#metadata || entity === undefined || databaseEntity === undefined) return
    const stored = databaseEntity as unknown as Entity
    await inFlight(queryRunner).run(() => this.#update(entity as Entity, stored, queryRunner))
  }

  afterUpdate({ entity, metadata }: UpdateEvent<unknown>): void {
    if (metadata === this.#metadata && entity !== undefined) this.#restore(entity as Entity)
  }

  async afterLoad(loaded: unknown, event?: LoadEvent<unknown>): Promise<void> {
    if (event?.metadata !== this.#metadata) return
    const entity = loaded as Entity
    const row: Record<string, unknown> = {}
    for (const name of this.#record.fields) {
      if (StoredValue.is(entity[name])) row[name] = StoredValue.unwrap(entity[name])
    }
    for (const name of this.#record.indexColumns) delete entity[name]
    if (Object.keys(row).length === 0) return
    for (const name of this.#record.identity) row[name] = entity[name]
    const plain = await this.#loads.add(row)
    for (const name of Object.keys(row)) entity[name] = plain[name]
  }

  beforeQuery({ query, parameters, queryRunner }: BeforeQueryEvent): void {
    try {
      this.#assertQuery(query, Array.isArray(parameters) ? parameters : [])
    } catch (error) {
      inFlight(queryRunner).undo()
      throw error
    }
  }

  /** A write that fails leaves entities as the application knows them. */
  afterQuery({ success, queryRunner }: { success: boolean; queryRunner: QueryRunner }): void {
    if (!success) inFlight(queryRunner).undo()
  }

  /** So does a write that fails without a query that fails: by another subscriber, or by a value that the driver refuses. */
  afterTransactionRollback({ queryRunner }: { queryRunner: QueryRunner }): Promise<void> {
    return inFlight(queryRunner).settle()
  }

  /** The application may have caught the error of such a write, and gone on. */
  afterTransactionCommit({ queryRunner }: { queryRunner: QueryRunner }): Promise<void> {
    return inFlight(queryRunner).settle()
  }

  #assertQuery(query: string, parameters: readonly unknown[]): void {
    for (const parameter of parameters) if (parameter instanceof Unencrypted) throw parameter.error
    if (!query.toLowerCase().includes(this.#named.table.toLowerCase())) return
    assertStatement(query, parameters, this.#named)
  }

  async #update(changed: Entity, stored: Entity, queryRunner: QueryRunner): Promise<void> {
    for (const column of this.#record.identity) {
      const same = changed[column] === undefined || String(changed[column]) === String(stored[column])
      if (!same) throw this.#record.changedIdentity(column)
    }
    const fields = [...this.#record.fields].filter((name) => changed[name] !== undefined)
    for (const name of this.#record.indexColumns) if (changed[name] !== undefined) throw this.#record.writtenIndex(name)
    const known = (name: string) =>
      [name, name in changed && changed[name] !== undefined ? changed[name] : stored[name]] as const
    const companions = [...this.#record.indexColumns].map((name) => this.#record.search(name).fields)
    const needed = new Set([
      ...fields,
      ...companions.filter((list) => list.some((name) => fields.includes(name))).flat(),
    ])
    const identity = this.#record.identity.map((name) => [name, stored[name]] as const)
    const row = Object.fromEntries([...identity, ...[...needed].map(known)])
    this.#replace(changed, await this.#writes.add(row), queryRunner)
  }

  /** The columns of an entity that are in the table, by their names in the record. */
  #rowOf(entity: Entity): AnyRow {
    const row: Record<string, unknown> = {}
    for (const name of this.#named.columns.keys()) {
      const value = entity[name]
      if (typeof value === 'function' && (this.#record.fields.has(name) || this.#record.identity.includes(name))) {
        throw this.#record.unencrypted(name)
      }
      if (value !== undefined) row[name] = value
    }
    return row
  }

  #replace(entity: Entity, encrypted: AnyRow, queryRunner: QueryRunner): void {
    const before: Entity = {}
    for (const name of [...this.#record.fields, ...this.#record.indexColumns]) {
      if (!Object.hasOwn(encrypted, name)) continue
      before[name] = entity[name]
      const value = encrypted[name]
      entity[name] = value === null ? null : StoredValue.wrap(value as string)
    }
    const undo = () => {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete entity[name]
        else entity[name] = value
      }
    }
    this.#undo.set(entity, { queryRunner, undo })
    inFlight(queryRunner).onUndo(undo)
  }

  #restore(entity: Entity): void {
    const known = this.#undo.get(entity)
    if (known === undefined) return
    this.#undo.delete(entity)
    inFlight(known.queryRunner).forget(known.undo)
    known.undo()
  }
}
