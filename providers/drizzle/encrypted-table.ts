import { and, eq, getTableColumns, type InferInsertModel, inArray, is, type SQL, Table } from 'drizzle-orm'
import { assertArray, assertFunction, assertMethods, describe } from '../../src/bytes.ts'
import { ConfigError, InvalidInputError } from '../../src/errors.ts'
import { assertLegibleNames } from '../../src/mapping/legible-names.ts'
import { type AnyCipher, type AnyRow, assertRow, MappedRecord } from '../../src/mapping/mapped-record.ts'
import { assertFilterable, assertNotCalculated, assertReadable } from '../../src/mapping/query-text.ts'
import { assertStatement } from '../../src/mapping/statement-text.ts'
import { looksEncrypted, StoredValue } from '../../src/mapping/stored-value.ts'
import type {
  AnyRecord,
  DecryptedRow,
  Identity,
  Searchable,
  SearchedValue,
  SearchOptions,
} from '../../src/records/record-types.ts'
import { changedRows, type Database, type LooseDatabase, type Query, type StreamedQuery } from './database.ts'
import { assertTables, decryptNested, type RelatedTables } from './nested.ts'
import type { NewRow, RowChanges, RowKey } from './row-types.ts'
import { TableNames } from './table-names.ts'
import { WrittenValue } from './written-value.ts'

/** With these Drizzle itself reads relations, and what is in them is decrypted. */
const RELATION_BUILDERS: ReadonlySet<string> = new Set(['json_build_array', 'json_array'])
/** Rows of a stream that are decrypted together. */
const BATCH = 200

/**
 * What stands between the application and a Drizzle table with encrypted columns.
 *
 * @param table made with `...pgColumns(record)`, or the same of another database; its keys are the names in the record
 * @param cipher of the record, `room.records.customers`
 * @throws InvalidInputError for what is no table or no cipher; ConfigError when the table lacks a column of the record
 */
export function encryptedTable<Of extends Table, Schema extends AnyRecord>(
  table: Of,
  cipher: AnyCipher & { readonly schema: Schema },
): EncryptedTable<Of, Schema> {
  return new EncryptedTable(table, cipher)
}

/** Encrypts what goes into a table and decrypts what comes out of it. Made by `encryptedTable`. Loads the keys it needs. */
export class EncryptedTable<Of extends Table, Schema extends AnyRecord> {
  readonly #table: Of
  readonly #record: MappedRecord
  readonly #columns: Readonly<Record<string, unknown>>
  readonly #named: TableNames
  readonly #encrypted: readonly string[]

  constructor(table: Of, cipher: AnyCipher & { readonly schema: Schema }) {
    if (!isTable(table)) throw new InvalidInputError(`table must be a table of Drizzle, received ${describe(table)}`)
    this.#table = table
    this.#record = new MappedRecord(cipher)
    this.#encrypted = [...this.#record.fields, ...this.#record.indexColumns]
    this.#columns = getTableColumns(table)
    this.#named = new TableNames(this.#record, table)
    const needed = [...this.#record.identity, ...this.#record.fields, ...this.#record.indexColumns]
    const missing = needed.find((name) => !this.#named.columns.has(name))
    if (missing !== undefined) throw new ConfigError(`the table of record ${this.#record.name} has no key ${missing}`)
  }

  /** Rows for `db.insert(table).values(…)`. All or nothing. @throws InvalidInputError; what loading keys throws */
  async encrypt(rows: readonly NewRow<Of, Schema>[]): Promise<InferInsertModel<Of>[]> {
    assertArray(rows, 'rows')
    const complete = (rows as readonly AnyRow[]).map((row) => this.#record.complete(row))
    const encrypted = await this.#record.cipher.encryptMany(complete)
    return encrypted.map((row) => this.#stored(row)) as InferInsertModel<Of>[]
  }

  /**
   * Runs a select, or a write with `returning`, and decrypts its rows, or the one row of a `findFirst`. It must select the
   * identity columns of the record.
   *
   * @param query a query that was not awaited
   * @param relations tables of the relations in its rows: `{ orders: encryptedOrders }`
   * @throws InvalidInputError when it compares or orders by an encrypted column; DecryptionError
   */
  decrypt<Row extends Identity<Schema>, Relations extends RelatedTables = Record<never, never>>(
    query: Query<readonly Row[]>,
    relations?: Relations,
  ): Promise<NestedRow<Schema, Row, Relations>[]>
  decrypt<Row extends Identity<Schema>, Relations extends RelatedTables = Record<never, never>>(
    query: Query<Row | undefined>,
    relations?: Relations,
  ): Promise<NestedRow<Schema, Row, Relations> | undefined>
  async decrypt(query: Query<unknown>, relations: RelatedTables = {}): Promise<unknown> {
    assertTables(relations)
    this.#assertQuery(query, relations)
    const found = (await query) as readonly AnyRow[] | AnyRow | undefined
    if (Array.isArray(found)) return decryptNested(found, this, relations)
    return found === undefined ? undefined : (await decryptNested([found as AnyRow], this, relations))[0]
  }

  /**
   * Decrypts rows by the keys of the table that were read by a query of Drizzle elsewhere, such as a prepared one. Nothing
   * looks at that query, unless the database has the guarded logger.
   *
   * @throws InvalidInputError when a row has an encrypted column under another name; DecryptionError
   */
  async decryptRows<Row extends Identity<Schema>>(rows: readonly Row[]): Promise<DecryptedRow<Schema, Row>[]> {
    assertArray(rows, 'rows')
    for (const row of rows) assertRow(row)
    const stored = rows.map((row) => this.#plainRow(row))
    return (await this.#record.cipher.decryptMany(stored)) as DecryptedRow<Schema, Row>[]
  }

  /**
   * The rows of a query one by one, decrypted together by some hundreds, without holding all.
   *
   * @param query a select on a database whose Drizzle has `iterator()`: MySQL and MariaDB
   * @throws InvalidInputError as `decrypt`, and where there is no iterator; DecryptionError
   */
  async *stream<Row extends Identity<Schema>>(query: StreamedQuery<Row>): AsyncGenerator<DecryptedRow<Schema, Row>> {
    this.#assertQuery(query, {})
    if (typeof query.iterator !== 'function') {
      throw new InvalidInputError('Drizzle has an iterator for MySQL and MariaDB alone: read by pages')
    }
    const rows = query.iterator()[Symbol.asyncIterator]()
    let batch: Row[] = []
    try {
      for (let next = await rows.next(); next.done !== true; next = await rows.next()) {
        if (batch.push(next.value) < BATCH) continue
        yield* await this.decryptRows(batch)
        batch = []
      }
      yield* await this.decryptRows(batch)
    } finally {
      // Drizzle ends the connection behind the last row, and leaves it open for ever where the loop is left before.
      while ((await rows.next()).done !== true);
    }
  }

  /** Decrypts rows of SQL of your own, `db.execute(…)`, whose columns have the names of the database. @throws DecryptionError */
  async decryptRaw(rows: readonly AnyRow[]): Promise<DecryptedRow<Schema, never>[]> {
    assertArray(rows, 'rows')
    for (const row of rows) assertRow(row)
    const named = rows.map((row) => this.#named.keyed(row))
    return (await this.#record.cipher.decryptMany(named)) as DecryptedRow<Schema, never>[]
  }

  /**
   * Runs a query for the rows whose encrypted column has a value: decrypted, and without those that the index matches by
   * chance.
   *
   * @param name a field with one index, or an index column
   * @param select makes the query with the condition, as `(where) => db.select().from(table).where(where)`
   * @throws InvalidInputError when the index is not unique and the query has a limit or writes
   */
  async search<Name extends Searchable<Schema>, Row extends Identity<Schema>>(
    name: Name,
    value: SearchedValue<Schema, Name>,
    options: SearchOptions<Schema>,
    select: (where: SQL) => Query<readonly Row[]>,
  ): Promise<NestedRow<Schema, Row, Record<never, never>>[]> {
    const { column, unique } = this.#record.search(name)
    assertFunction(select, 'select')
    const tags = await this.#record.cipher.indexMany(name, [value], options as { tenant?: unknown })
    const stored = tags.map((tag) => StoredValue.wrap(tag as string))
    const query = select(inArray(this.#columns[column] as never, stored) as SQL)
    assertMethods(query, ['toSQL', 'then'], 'the query')
    if (!unique) assertFilterable(query.toSQL().sql, this.#record, column)
    return this.#record.cipher.filter(await this.decrypt(query), name, value)
  }

  /** The condition for one row. @throws InvalidInputError when a part of its identity is missing */
  row(key: RowKey<Of, Schema>): SQL {
    assertRow(key, 'the key')
    const values = key as AnyRow
    const missing = this.#record.identity.filter((name) => values[name] === undefined || values[name] === null)
    if (missing.length > 0) throw this.#record.unknownRow(missing)
    return and(...this.#record.identity.map((name) => eq(this.#columns[name] as never, values[name]))) as SQL
  }

  /** Changes some columns of one row. @returns how many rows were changed: 0 or 1 @throws InvalidInputError */
  async update(db: Database, key: RowKey<Of, Schema>, changes: RowChanges<Of, Schema>): Promise<number> {
    assertDatabase(db)
    assertRow(changes, 'the changes')
    return this.#update(db as unknown as LooseDatabase, key as AnyRow, changes as AnyRow, this.row(key))
  }

  /**
   * Changes columns in many rows, which no single statement can do: values are bound to their rows. Reads the ids and updates
   * row by row, each only while it still meets the condition. Give a transaction as `db` to change all or none.
   *
   * @returns how many rows were changed
   * @throws InvalidInputError for a change or a condition that is refused
   */
  async updateMany(db: Database, where: SQL | undefined, changes: RowChanges<Of, Schema>): Promise<number> {
    assertDatabase(db)
    assertRow(changes, 'the changes')
    this.#record.assertChanges(Object.keys(changes))
    const loose = db as unknown as LooseDatabase
    const identity = Object.fromEntries(this.#record.identity.map((name) => [name, this.#columns[name]]))
    const query = loose.select(identity).from(this.#table).where(where)
    this.assertReadable(query.toSQL().sql)
    let changed = 0
    for (const key of (await query) as AnyRow[]) {
      changed += await this.#update(loose, key, changes as AnyRow, and(this.row(key as never), where))
    }
    return changed
  }

  /**
   * Inserts rows, each of which replaces the values of a row of the same id, tenant and subject. A row of another tenant that
   * has the id is left alone.
   *
   * @throws InvalidInputError when a row is not complete; what loading keys throws
   */
  async upsert(db: Database, rows: readonly NewRow<Of, Schema>[]): Promise<void> {
    assertDatabase(db)
    const loose = db as unknown as LooseDatabase
    for (const [at, stored] of ((await this.encrypt(rows)) as AnyRow[]).entries()) {
      const key = rows[at] as unknown as RowKey<Of, Schema>
      const set = Object.fromEntries(Object.entries(stored).filter(([name]) => !this.#record.identity.includes(name)))
      const insert = loose.insert(this.#table).values(stored)
      if (insert.onConflictDoUpdate !== undefined) {
        const target = this.#record.ids.map((name) => this.#columns[name])
        const upsert = insert.onConflictDoUpdate({ target, set, setWhere: this.row(key) })
        upsertsOf(this.#table).add(upsert.toSQL().sql)
        await upsert
      } else if (changedRows(await loose.update(this.#table).set(set).where(this.row(key))) === 0) await insert
    }
  }

  /** @internal */
  assertReadable(sql: string): void {
    assertReadable(sql, this.#named)
    if (isSelect(sql)) assertNotCalculated(sql, this.#named, RELATION_BUILDERS)
  }

  /** @internal */
  assertQuery(sql: string, parameters: readonly unknown[]): void {
    assertLegibleNames(sql)
    if (upsertsOf(this.#table).has(sql) || !sql.toLowerCase().includes(this.#named.table.toLowerCase())) return
    assertStatement(sql, parameters, this.#named)
    if (isSelect(sql)) assertNotCalculated(sql, this.#named, RELATION_BUILDERS)
  }

  async #update(db: LooseDatabase, key: AnyRow, changes: AnyRow, where: SQL | undefined): Promise<number> {
    this.#record.assertChanges(Object.keys(changes))
    if (Object.keys(changes).length === 0) throw new InvalidInputError('an update must change something')
    const identity = Object.fromEntries(this.#record.identity.map((name) => [name, key[name]]))
    const [encrypted] = await this.#record.cipher.encryptMany([{ ...identity, ...changes }])
    const set = Object.entries(this.#stored(encrypted as AnyRow)).filter(
      ([name]) => !this.#record.identity.includes(name),
    )
    return changedRows(await db.update(this.#table).set(Object.fromEntries(set)).where(where))
  }

  #assertQuery(query: Query<unknown>, relations: RelatedTables): void {
    if (typeof (query as Partial<Query<unknown>> | undefined)?.toSQL !== 'function') {
      throw new InvalidInputError(
        'a query of Drizzle that was not awaited is needed; decryptRows() takes rows of one that was, decryptRaw() those of SQL of your own',
      )
    }
    const { sql } = query.toSQL()
    for (const table of [this, ...Object.values(relations)]) table.assertReadable(sql)
  }

  /** A row as the cipher takes it. */
  #plainRow(row: AnyRow): AnyRow {
    const out: Record<string, unknown> = {}
    for (const name of Object.keys(row)) {
      const value = row[name]
      const isOurs = this.#record.fields.has(name) || this.#record.indexColumns.has(name)
      if (isOurs) out[name] = StoredValue.is(value) ? StoredValue.unwrap(value) : value
      else if (!StoredValue.is(value) && (this.#named.columns.has(name) || !looksEncrypted(value))) out[name] = value
      else throw this.#renamed(name)
    }
    return out
  }

  #renamed(name: string): InvalidInputError {
    return new InvalidInputError(
      `${JSON.stringify(name)} in the rows of ${this.#record.name} is a ciphertext: select an encrypted column itself, under its own name; the columns of a join by tables, with decryptJoin()`,
    )
  }

  /** An encrypted row as the columns take it; changed in place, because it was made for this. */
  #stored(row: AnyRow): AnyRow {
    const stored = row as Record<string, unknown>
    for (const name of this.#encrypted) {
      const value = stored[name]
      if (value !== undefined && value !== null) stored[name] = WrittenValue.of(value as string)
    }
    return stored
  }
}

/** A row of which the relations are decrypted as well. */
export type NestedRow<Schema extends AnyRecord, Row, Of extends RelatedTables> = Omit<
  DecryptedRow<Schema, Row>,
  keyof Of
> & {
  [Name in keyof Of & keyof Row]: Related<Row[Name], Of[Name]>
}

/** What decrypting with `Of`, an encrypted table, makes of a relation. */
export type Related<Value, Of> =
  Of extends EncryptedTable<Table, infer Schema>
    ? Value extends readonly (infer Row)[]
      ? DecryptedRow<Schema, Row>[]
      : Value extends null
        ? null
        : DecryptedRow<Schema, Value>
    : never

/** Statements of `upsert`, which may do what others may not: they hold the row in the way to the same identity. */
const upserts = new WeakMap<Table, Set<string>>()

function upsertsOf(table: Table): Set<string> {
  const known = upserts.get(table) ?? new Set()
  upserts.set(table, known)
  return known
}

/** Drizzle looks for the class of a value, which an object without a prototype has not. */
function isTable(table: unknown): boolean {
  return typeof table === 'object' && table !== null && Object.getPrototypeOf(table) !== null && is(table, Table)
}

function assertDatabase(db: unknown): void {
  assertMethods(db, ['select', 'insert', 'update'], 'the database')
}

function isSelect(sql: string): boolean {
  return /^[\s(]*(?:select|with)\b/i.test(sql)
}
