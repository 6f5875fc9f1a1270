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
import { ConfigError, InvalidInputError } from '../../src/errors.ts'
import type { AnyRow, MappedRecord } from '../../src/mapping/mapped-record.ts'
import { assertNotCalculated, type NamedTable } from '../../src/mapping/query-text.ts'
import { assertStatement } from '../../src/mapping/statement-text.ts'
import { StoredValue } from '../../src/mapping/stored-value.ts'
import { Unencrypted } from './columns.ts'
import { type InFlight, inFlight, KEPT } from './in-flight.ts'
import { Placeholder } from './placeholder.ts'
import { StatementGuard } from './statement-guard.ts'

type Entity = Record<string, unknown>

/** Entities of one query runner, and what is encrypted of them. */
interface Announced {
  readonly entities: Entity[]
  readonly rows: AnyRow[]
  /** Is there when all of them are encrypted: why some could not be. */
  readonly done: Promise<ReadonlyMap<AnyRow, unknown>>
}

/** Entities that one query loaded, and what is encrypted of them. */
interface Loaded {
  readonly entities: Entity[]
  readonly rows: AnyRow[]
  /** Is there when all of them are decrypted: one promise, because a promise for each would take longer than a field of it. */
  readonly done: Promise<void>
}

/** Encrypts entities before TypeORM writes them, decrypts those it loads, and has every statement read before it runs. */
export class EncryptingSubscriber implements EntitySubscriberInterface {
  readonly #dataSource: DataSource
  readonly #record: MappedRecord
  readonly #metadata: EntityMetadata
  readonly #named: NamedTable
  readonly #guard: StatementGuard
  /** The names in the record of its columns. */
  readonly #columns: readonly string[]
  /** What is to be encrypted of a new entity: one function, because there may be thousands of entities. */
  readonly #inserted = (entity: Entity): AnyRow => this.#record.complete(this.#rowOf(entity))
  /** Entities that queries load in this turn, to be decrypted together. */
  readonly #loaded = new Map<QueryRunner | undefined, Loaded>()
  /** Entities that are announced in this turn, to be encrypted together. */
  readonly #announced = new Map<InFlight, Announced>()

  constructor(dataSource: DataSource, metadata: EntityMetadata, record: MappedRecord) {
    this.#dataSource = dataSource
    this.#record = record
    this.#metadata = metadata
    // By path: an embedded entity may have a property of the same name.
    const columns = metadata.columns.map(({ propertyPath, databaseName }) => [propertyPath, databaseName] as const)
    this.#named = { record, table: metadata.tableName, columns: new Map(columns), unquoted: true }
    this.#columns = [...this.#named.columns.keys()]
    for (const name of [...record.identity, ...record.fields, ...record.indexColumns]) {
      if (!this.#named.columns.has(name)) throw new ConfigError(`entity ${metadata.name} has no column ${name}`)
    }
    const undeclared = columns.find(([name]) => !record.isDeclared(name) && !record.indexColumns.has(name))
    if (undeclared !== undefined) throw record.undeclared(undeclared[0])
    this.#guard = StatementGuard.of(dataSource)
    this.#guard.add((query, parameters) => this.#assertQuery(query, parameters))
    dataSource.subscribers.push(this)
  }

  get dataSource(): DataSource {
    return this.#dataSource
  }

  get metadata(): EntityMetadata {
    return this.#metadata
  }

  get named(): NamedTable {
    return this.#named
  }

  beforeInsert({ entity, metadata, queryRunner }: InsertEvent<unknown>): Promise<void> | undefined {
    if (metadata !== this.#metadata || entity === undefined) return undefined
    return this.#write(entity as Entity, inFlight(queryRunner), this.#inserted)
  }

  afterInsert({ entity, metadata, queryRunner }: InsertEvent<unknown>): void {
    if (metadata === this.#metadata && entity !== undefined) inFlight(queryRunner).release(entity as Entity)
  }

  beforeUpdate({ entity, databaseEntity, metadata, queryRunner }: UpdateEvent<unknown>): Promise<void> | undefined {
    // Without an entity of the database it is an update of rows that nobody knows: its values are refused one by one.
    if (metadata !== this.#metadata || entity === undefined || databaseEntity === undefined) return undefined
    const stored = databaseEntity as unknown as Entity
    return this.#write(entity as Entity, inFlight(queryRunner), () => this.#changed(entity as Entity, stored))
  }

  afterUpdate({ entity, metadata, queryRunner }: UpdateEvent<unknown>): void {
    if (metadata === this.#metadata && entity !== undefined) inFlight(queryRunner).release(entity as Entity)
  }

  afterLoad(of: unknown, event?: LoadEvent<unknown>): Promise<void> | undefined {
    if (event?.metadata !== this.#metadata) return undefined
    const entity = of as Entity
    const row: Record<string, unknown> = {}
    for (const name of this.#record.fields) {
      if (StoredValue.is(entity[name])) row[name] = StoredValue.unwrap(entity[name])
    }
    for (const name of this.#record.indexColumns) if (name in entity) delete entity[name]
    if (Object.keys(row).length === 0) return undefined
    for (const name of this.#record.identity) row[name] = entity[name]
    const loaded = this.#loaded.get(event.queryRunner) ?? this.#load(event.queryRunner)
    loaded.entities.push(entity)
    loaded.rows.push(row)
    return loaded.done
  }

  beforeQuery({ query, parameters, queryRunner }: BeforeQueryEvent): void {
    this.#guard.assert(query, parameters, queryRunner)
    inFlight(queryRunner).beginQuery()
  }

  /** A write that fails leaves entities as the application knows them. */
  afterQuery({ success, queryRunner }: { success: boolean; queryRunner: QueryRunner }): void {
    this.#guard.forget(queryRunner)
    inFlight(queryRunner).endQuery()
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

  /** Refuses a statement that would pass the encryption of this entity, or another one of its data source. */
  assertQuery(query: string, parameters: readonly unknown[]): void {
    this.#guard.assert(query, parameters)
  }

  #assertQuery(query: string, parameters: readonly unknown[]): void {
    for (const parameter of parameters) if (parameter instanceof Unencrypted) throw parameter.error
    if (!query.toLowerCase().includes(this.#named.table.toLowerCase())) return
    assertStatement(query, parameters, this.#named)
    if (/^\s*(?:select|with|\()/i.test(query)) assertNotCalculated(query, this.#named)
  }

  #load(queryRunner: QueryRunner | undefined): Loaded {
    const entities: Entity[] = []
    const rows: AnyRow[] = []
    const loaded = { entities, rows, done: this.#decrypt(queryRunner, entities, rows) }
    // TypeORM does not wait for it when another subscriber throws.
    loaded.done.catch(() => undefined)
    this.#loaded.set(queryRunner, loaded)
    return loaded
  }

  async #decrypt(
    queryRunner: QueryRunner | undefined,
    entities: readonly Entity[],
    rows: readonly AnyRow[],
  ): Promise<void> {
    await undefined // TypeORM announces the other entities in the same turn.
    this.#loaded.delete(queryRunner)
    const decrypted = await this.#record.cipher.decryptMany(rows)
    for (const [at, plain] of decrypted.entries()) {
      const entity = entities[at] as Entity
      for (const name of this.#record.fields) if (Object.hasOwn(plain, name)) entity[name] = plain[name]
    }
  }

  /** Encrypts an entity for writing, with all that are announced with it. */
  #write(entity: Entity, flight: InFlight, rowOf: (entity: Entity) => AnyRow): Promise<void> {
    let row: AnyRow
    try {
      this.#assertWritable(entity)
      row = rowOf(entity)
    } catch (error) {
      const write = flight.fail(error)
      handle(write)
      return write
    }
    let announced = this.#announced.get(flight)
    if (announced === undefined) {
      const entities: Entity[] = []
      const rows: AnyRow[] = []
      flight.begin()
      announced = { entities, rows, done: this.#encrypt(flight, entities, rows) }
      this.#announced.set(flight, announced)
    }
    announced.entities.push(entity)
    announced.rows.push(row)
    const write = announced.done.then((failed) => {
      if (!failed.has(row)) return undefined
      handle(write)
      return flight.fail(failed.get(row))
    })
    return write
  }

  /** @throws InvalidInputError for an entity that cannot hold what its columns get */
  #assertWritable(entity: Entity): void {
    if (Object.isExtensible(entity)) return
    throw new InvalidInputError(
      `an entity of ${this.#record.name} that is frozen or sealed cannot be written, because it holds what its columns get until they have it: give a copy, as \`{ ...entity }\``,
    )
  }

  async #encrypt(
    flight: InFlight,
    entities: readonly Entity[],
    rows: readonly AnyRow[],
  ): Promise<ReadonlyMap<AnyRow, unknown>> {
    const { cipher } = this.#record
    const failed = new Map<AnyRow, unknown>()
    const place = (at: number, encrypted: AnyRow) => {
      try {
        this.#replace(entities[at] as Entity, encrypted, flight)
      } catch (error) {
        failed.set(rows[at] as AnyRow, error)
      }
    }
    await undefined // TypeORM announces the other entities in the same turn.
    this.#announced.delete(flight)
    const encrypted = await cipher.encryptMany(rows).catch(() => undefined)
    if (encrypted !== undefined) {
      for (let at = 0; at < rows.length; at++) place(at, encrypted[at] as AnyRow)
    } else {
      // They may be of several statements, and a row that fails is the business of its own alone.
      const settled = await Promise.allSettled(rows.map((row) => cipher.encryptMany([row])))
      for (const [at, one] of settled.entries()) {
        if (one.status === 'rejected') failed.set(rows[at] as AnyRow, one.reason)
        else place(at, one.value[0] as AnyRow)
      }
    }
    flight.end()
    return failed
  }

  /** What is to be encrypted of a changed entity. */
  #changed(changed: Entity, stored: Entity): AnyRow {
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
    return Object.fromEntries([...identity, ...[...needed].map(known)])
  }

  /** The columns of an entity that are in the table, by their names in the record. */
  #rowOf(entity: Entity): AnyRow {
    const row: Record<string, unknown> = {}
    for (const name of this.#columns) {
      const value = entity[name]
      if (typeof value === 'function' && (this.#record.fields.has(name) || this.#record.identity.includes(name))) {
        throw this.#record.unencrypted(name)
      }
      if (value !== undefined) row[name] = value
    }
    return row
  }

  #replace(entity: Entity, encrypted: AnyRow, flight: InFlight): void {
    const names = this.#record.written
    const values = names.map((name) => (Object.hasOwn(encrypted, name) ? entity[name] : KEPT))
    // Before it is changed: a property may refuse to be.
    flight.hold(entity, names, values)
    for (let at = 0; at < names.length; at++) {
      const name = names[at] as string
      const value = encrypted[name]
      if (values[at] !== KEPT) entity[name] = value === null ? null : Placeholder.of(value as string)
    }
  }
}

/** Waits for a write that fails: TypeORM does not when another subscriber throws. */
function handle(write: Promise<unknown>): void {
  write.catch(() => undefined)
}
