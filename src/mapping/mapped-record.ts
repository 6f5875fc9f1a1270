import { assertObject, assertText, describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import { compileRecord } from '../records/compiled-record.ts'
import type { AnyRecord } from '../records/record-types.ts'
import { idColumns, indexList } from '../records/schema.ts'

/** A row of which nothing is known. */
export type AnyRow = Readonly<Record<string, unknown>>

/** The cipher of any record, as `room.records` has it. */
export interface AnyCipher {
  readonly schema: AnyRecord
  encrypt(row: never): unknown
  decrypt(row: never): unknown
  encryptMany(rows: never): Promise<unknown[]>
  decryptMany(rows: never): Promise<unknown[]>
  index(name: never, value: never, options: never): unknown[]
  indexMany(name: never, values: never, options: never): Promise<unknown[]>
  filter(rows: never, name: never, value: never): unknown[]
}

/** A cipher for code that works on the rows of any record. */
export interface RowCipher {
  encrypt(row: AnyRow): AnyRow
  encryptMany(rows: readonly AnyRow[]): Promise<AnyRow[]>
  decryptMany(rows: readonly AnyRow[]): Promise<AnyRow[]>
  index(name: string, value: unknown, options: { tenant?: unknown }): unknown[]
  indexMany(name: string, values: readonly unknown[], options: { tenant?: unknown }): Promise<unknown[]>
  filter<Row>(rows: readonly Row[], name: string, value: unknown): Row[]
}

/** What the adapter of an object mapper needs to know of a record, and the words with which it refuses. Holds no key. */
export class MappedRecord {
  readonly name: string
  readonly cipher: RowCipher
  /** Every field, whatever its state. */
  readonly fields: ReadonlySet<string>
  readonly indexColumns: ReadonlySet<string>
  readonly ids: readonly string[]
  readonly tenant: string | undefined
  /** Columns without which a row can be neither encrypted nor decrypted. */
  readonly identity: readonly string[]
  /** Fields and index columns, in this order. */
  readonly written: readonly string[]
  readonly #schema: AnyRecord
  readonly #plain: ReadonlySet<string> | 'all'
  readonly #tagLengths: ReadonlyMap<string, number>
  /** Names of columns that matter here, by their lower case. */
  readonly #spelled: ReadonlyMap<string, string>

  constructor(cipher: AnyCipher) {
    assertObject(cipher, 'a record of an open Strongroom')
    const { schema } = cipher
    const { indexes } = compileRecord(schema)
    const { options, fields } = schema
    this.#schema = schema
    this.name = schema.name
    this.cipher = cipher as unknown as RowCipher
    this.fields = new Set(Object.keys(fields))
    this.ids = options.unbound === true ? [] : idColumns(options)
    this.tenant = options.tenant
    const scope = [options.tenant, options.subject].filter((column) => column !== undefined)
    this.identity = [...new Set([...this.ids, ...scope])]
    this.#tagLengths = new Map(indexes.map(({ column, bits }) => [column, 1 + Math.ceil(bits / 8)]))
    this.indexColumns = new Set(this.#tagLengths.keys())
    this.written = [...this.fields, ...this.indexColumns]
    const names = [...this.written, ...this.identity]
    this.#spelled = new Map(names.map((name) => [name.toLowerCase(), name]))
    this.#plain = options.plain === 'all' ? 'all' : new Set([...(options.plain ?? []), ...idColumns(options)])
  }

  /** Whether the database holds ciphertexts in a column, or may: a column in state `plaintext` is an ordinary one. */
  isEncrypted(column: string): boolean {
    if (!this.fields.has(column)) {
      this.#assertSpelling(column)
      return false
    }
    return this.#schema.fields[column]?.options.state !== 'plaintext'
  }

  /** Some databases take a name in other letters for the same column. */
  #assertSpelling(column: string): void {
    const name = this.#spelled.get(column.toLowerCase())
    if (name === undefined || name === column) return
    throw new InvalidInputError(`${this.name}.${column} may be ${name}: write its name as the record has it`)
  }

  /** Whether null is NULL in the database, so that `is null` means something. */
  showsNull(column: string): boolean {
    return this.#schema.fields[column]?.options.nullable === 'visible'
  }

  /** How many bytes the tags of an index column have; undefined for any other column. */
  tagLength(column: string): number | undefined {
    return this.#tagLengths.get(column)
  }

  /** Whether a column is declared: as a field, as identity, or as one that stays as it is. */
  isDeclared(column: string): boolean {
    return this.fields.has(column) || this.identity.includes(column) || this.#plain === 'all' || this.#plain.has(column)
  }

  /** The column, fields and uniqueness of what `index` is asked for by this name. @throws InvalidInputError */
  search(name: string): { column: string; fields: readonly string[]; unique: boolean } {
    assertText(name, 'the name of an index')
    for (const [field, { options }] of Object.entries(this.#schema.fields)) {
      const indexes = indexList(options)
      const index = indexes.find(({ column }) => column === name) ?? (name === field ? indexes[0] : undefined)
      if (index !== undefined) return { column: index.column, fields: [field], unique: index.unique === true }
    }
    const compound = this.#schema.options.indexes?.[name]
    if (compound !== undefined) return { column: name, fields: compound.fields, unique: compound.unique === true }
    throw new InvalidInputError(`${this.name} has no index called ${JSON.stringify(name)}`)
  }

  /**
   * A row to insert, with null in nullable fields that were left out: a column left NULL by the database would not decrypt.
   *
   * @throws InvalidInputError when the identity or a field is missing
   */
  complete(row: AnyRow): AnyRow {
    assertRow(row)
    for (const column of this.identity) {
      if (row[column] === undefined || row[column] === null) throw this.missingIdentity(column)
    }
    if (this.#plain === 'all') for (const column of Object.keys(row)) this.#assertSpelling(column)
    let isWhole = true
    for (const name of this.written) {
      const isGiven = row[name] !== undefined
      if (!this.indexColumns.has(name)) isWhole &&= isGiven
      else if (isGiven) throw this.writtenIndex(name)
    }
    return isWhole ? row : this.#filled(row)
  }

  #filled(row: AnyRow): AnyRow {
    const out: Record<string, unknown> = { ...row }
    for (const name of this.fields) {
      if (out[name] !== undefined) continue
      delete out[name]
      const nullable = this.#schema.fields[name]?.options.nullable
      if (nullable === 'visible') continue
      if (nullable !== true) throw this.missing(name)
      out[name] = null
    }
    return out
  }

  missing(field: string): InvalidInputError {
    return new InvalidInputError(`${this.name}.${field} is missing: a row is inserted with all of its fields`)
  }

  missingIdentity(column: string): InvalidInputError {
    const make = this.ids.includes(column)
      ? ': make it with uuidv7(), or take it from the sequence of the database, before the row is written'
      : ''
    return new InvalidInputError(`${this.name}.${column} is missing, and every value of the row is bound to it${make}`)
  }

  /** An error that says by which index a column is found. */
  compared(column: string): InvalidInputError {
    return new InvalidInputError(
      `${this.name}.${column} is encrypted, differently each time, so the database cannot compare it: ${this.#advice(column)}`,
    )
  }

  /** An error for a value where it is not known what it is for. */
  unencrypted(column: string): InvalidInputError {
    const row = this.identity.join(' and ')
    return new InvalidInputError(
      `${this.name}.${column} takes only what was encrypted for its row, whose ${row} must be known; to find rows, ${this.#advice(column)}`,
    )
  }

  #advice(column: string): string {
    const single = indexList(this.#schema.fields[column]?.options ?? {}).map((index) => index.column)
    const compound = Object.entries(this.#schema.options.indexes ?? {}).filter(([, index]) => {
      return index.fields.includes(column)
    })
    const names = [...single, ...compound.map(([name]) => name)]
    return names.length === 0
      ? 'it has no index: give it one, or decrypt and filter'
      : `search it by ${names.join(' or ')}`
  }

  calculated(column: string): InvalidInputError {
    return new InvalidInputError(
      `${this.name}.${column} is encrypted, so a function of the database would get random bytes: read the rows, and calculate with what they hold`,
    )
  }

  ordered(column: string): InvalidInputError {
    return new InvalidInputError(
      `${this.name}.${column} is encrypted, so an order by it is an order of random bytes: sort the rows after they are read, or keep a coarse plaintext column`,
    )
  }

  unidentified(columns: readonly string[]): InvalidInputError {
    return new InvalidInputError(
      `encrypted columns of ${this.name} were selected without ${columns.join(' and ')}, to which their values are bound: select ${this.identity.join(' and ')} as well`,
    )
  }

  unknownRow(columns: readonly string[]): InvalidInputError {
    return new InvalidInputError(
      `an update of encrypted columns of ${this.name} must know the row: give ${this.identity.join(' and ')}, each by \`=\` (missing: ${columns.join(', ')})`,
    )
  }

  changedIdentity(column: string): InvalidInputError {
    return new InvalidInputError(
      `${this.name}.${column} cannot be changed by an update: every value of the row is bound to it. Read the row, insert it anew, and delete the old one`,
    )
  }

  writtenIndex(column: string): InvalidInputError {
    return new InvalidInputError(`${this.name}.${column} is an index column, filled from its field: leave it out`)
  }

  undeclared(column: string): InvalidInputError {
    return new InvalidInputError(
      `${this.name}.${column} is not declared, so it would be written as plaintext: add a field for it, or list it in \`plain\``,
    )
  }

  notUnique(name: string, what: string): InvalidInputError {
    return new InvalidInputError(
      `index ${name} of ${this.name} also matches rows with other values, so ${what}: read the rows first, where they are filtered`,
    )
  }

  /** What an update changes, checked: no identity, no index column, nothing undeclared. @throws InvalidInputError */
  assertChanges(columns: Iterable<string>): void {
    for (const column of columns) {
      this.#assertSpelling(column)
      if (this.identity.includes(column)) throw this.changedIdentity(column)
      if (this.indexColumns.has(column)) throw this.writtenIndex(column)
      if (!this.isDeclared(column)) throw this.undeclared(column)
    }
  }
}

/** Refuses what has no columns; an instance of a class is a row too. @throws InvalidInputError */
export function assertRow(row: unknown, name = 'a row'): asserts row is AnyRow {
  if (typeof row === 'object' && row !== null && !Array.isArray(row)) return
  throw new InvalidInputError(`${name} must be an object, received ${describe(row)}`)
}
