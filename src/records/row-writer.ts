import { assertText, wipe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import { looksEncrypted } from '../format/field.ts'
import { encodeTypedPlaintext } from '../format/typed-value.ts'
import type { Column } from './compiled-record.ts'
import { assertPlain, encryptValue } from './field-cipher.ts'
import type { SlowTags } from './record-index.ts'
import { indexScope, keyUsed, type OpenRecord } from './record-parts.ts'
import type { RowIdentity, UnknownRow } from './row-identity.ts'
import type { RecordOptions } from './schema.ts'

/** Encrypts the rows of one record with keys in memory. */
export class RowWriter {
  readonly #open: OpenRecord
  readonly #keyring: OpenRecord['keyring']
  readonly #events: OpenRecord['events']
  readonly #context: OpenRecord['context']
  readonly #identifier: OpenRecord['identifier']
  readonly #indexes: OpenRecord['indexes']
  readonly #columns: OpenRecord['record']['columns']
  readonly #table: string
  readonly #plain: ReadonlySet<string> | 'all'

  constructor(open: OpenRecord, { plain }: RecordOptions) {
    this.#open = open
    this.#keyring = open.keyring
    this.#events = open.events
    this.#context = open.context
    this.#identifier = open.identifier
    this.#indexes = open.indexes
    this.#columns = open.record.columns
    this.#table = open.record.name
    this.#plain = plain === 'all' ? 'all' : new Set(plain)
  }

  /** Encrypts the fields of a row and makes its tags, but for those of slow indexes, which are given. @throws as `RecordCipher.encrypt` */
  encrypt(row: UnknownRow, slow?: SlowTags, identity: RowIdentity = this.#identifier.identify(row)): UnknownRow {
    const keyring = this.#keyring
    const key = keyring.active('data', identity.scope)
    const used: string[] = []
    const out: Record<string, unknown> = {}
    this.#context.begin(identity.row, identity.tenant)
    for (const name of Object.keys(row)) {
      const column = this.#columns.get(name)
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
      const indexKey = () => keyring.active('index', indexScope(this.#open, index.global, identity))
      const tag = this.#indexes.tagOf(index, row, indexKey, slow)
      if (tag !== undefined) out[index.column] = tag
    }
    // Not before the row is done: a listener may encrypt as well, and there is one context for all rows.
    if (this.#events.wants('key.used')) {
      for (const name of used) {
        this.#events.emit(keyUsed(this.#table, 'encrypt', key.id, name, identity.row))
      }
    }
    return out
  }

  /** The tags of a row's slow indexes, for `encrypt`. @throws as `encrypt` */
  slowTags(row: UnknownRow): Promise<SlowTags> {
    const { keyring, identifier, indexes, slowHash } = this.#open
    const identity = identifier.identify(row)
    const keyOf = ({ global }: { readonly global: boolean }) => {
      return keyring.active('index', indexScope(this.#open, global, identity))
    }
    return indexes.slowTags(row, keyOf, slowHash)
  }

  /** Refuses what `encrypt` would refuse, without a key. @throws InvalidInputError */
  check(row: UnknownRow): void {
    for (const name of Object.keys(row)) {
      const column = this.#columns.get(name)
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
    return `${this.#table}.${column.name}`
  }

  #storePlain(column: Column, value: unknown): unknown {
    if (value === undefined) throw new InvalidInputError(`${this.#table}.${column.name} is undefined`)
    assertPlain(this.#table, column, value)
    return value
  }

  /** Columns that are no fields: those of the identity, and those declared to stay as they are. */
  #passed(name: string, value: unknown): unknown {
    if (name === '__proto__') throw new InvalidInputError('a row must not have a column "__proto__"')
    if (this.#open.identity.has(name) || this.#plain === 'all' || this.#plain.has(name)) return value
    throw new InvalidInputError(
      `${this.#table}.${name} is not declared, so it would be written as plaintext: add a field for it, or list it in \`plain\``,
    )
  }
}
