import { assertText } from '../bytes.ts'
import { ConfigError, InvalidInputError } from '../errors.ts'
import { openTagMaker, type TagMaker, type TagPart } from '../index/blind-index.ts'
import { isMatch, queryPart, storedPart } from '../index/searched-value.ts'
import type { IndexKey } from '../keys/index-key.ts'
import type { CompiledIndex, CompiledRecord } from './compiled-record.ts'
import type { UnknownRow } from './row-identity.ts'

/** The blind indexes of one record: their tags for rows and for queries. Holds no key. */
export class RecordIndexes {
  readonly #record: CompiledRecord
  readonly #searchable = new Map<string, CompiledIndex>()

  constructor(record: CompiledRecord) {
    this.#record = record
    this.columns = new Set(record.indexes.map((index) => index.column))
    const fields = record.indexes
      .filter((index) => index.parts.length === 1)
      .map((index) => index.parts[0]?.field as string)
    for (const index of record.indexes) {
      this.#searchable.set(index.column, index)
      const field = index.parts.length === 1 ? (index.parts[0]?.field as string) : undefined
      if (field !== undefined && fields.filter((other) => other === field).length === 1)
        this.#searchable.set(field, index)
    }
  }

  /** The names of the index columns. */
  readonly columns: ReadonlySet<string>

  get all(): readonly CompiledIndex[] {
    return this.#record.indexes
  }

  /** The index that a field with one index, or an index column, names. @throws ConfigError, InvalidInputError */
  find(name: string): CompiledIndex {
    assertText(name, 'the name of an index')
    const index = this.#searchable.get(name)
    if (index !== undefined) return index
    const names = [...this.#searchable.keys()].join(', ')
    throw new ConfigError(
      `record ${this.#record.name} has no index called ${JSON.stringify(name)}: ${names === '' ? 'it has none' : `search by ${names}`}`,
    )
  }

  /**
   * What to store in an index column for a row.
   *
   * @returns undefined when the row has none of the index's fields, so that a partial update leaves the column alone
   * @throws InvalidInputError when it has some of them only
   */
  tagOf(index: CompiledIndex, row: UnknownRow, key: () => IndexKey): string | Uint8Array | null | undefined {
    const parts = this.partsOf(index, row)
    if (parts === undefined || (parts === null && !index.nullTag)) return parts
    const indexKey = key()
    const maker = this.#maker(index, indexKey)
    return stored(index, parts === null ? maker.randomTag(indexKey.version) : maker.tag(indexKey.version, parts))
  }

  /**
   * What the tag of a row is made of: undefined when the row has none of the index's fields, null when one of them is.
   *
   * @throws InvalidInputError as `tagOf`
   */
  partsOf(index: CompiledIndex, row: UnknownRow): TagPart[] | null | undefined {
    const given = index.parts.filter((part) => Object.hasOwn(row, part.field))
    if (given.length === 0) return undefined
    if (given.length < index.parts.length) {
      const fields = index.parts.map((part) => part.field).join(', ')
      throw new InvalidInputError(`index ${index.column} covers ${fields}: an update must give all of them or none`)
    }
    if (index.parts.some((part) => row[part.field] === null)) return null
    return index.parts.map((part) => storedPart(part.transform, part.type, row[part.field], part.field))
  }

  /** The tags under which rows with this value may stand: one for each key that is in use. @throws InvalidInputError */
  query(index: CompiledIndex, value: unknown, keys: readonly IndexKey[]): (string | Uint8Array)[] {
    const parts = this.#wanted(index, value).map(([part, wanted]): TagPart => {
      return queryPart(part.transform, part.type, wanted, part.field)
    })
    return keys.map((key) => stored(index, this.#maker(index, key).tag(key.version, parts)))
  }

  /** Whether a decrypted row really has the value. */
  matches(index: CompiledIndex, row: UnknownRow, value: unknown): boolean {
    return this.#wanted(index, value).every(([part, wanted]) => {
      return isMatch(part.transform, part.type, row[part.field], wanted, part.field)
    })
  }

  #wanted(index: CompiledIndex, value: unknown): [CompiledIndex['parts'][number], unknown][] {
    const [only, ...rest] = index.parts
    if (only !== undefined && rest.length === 0) return [[only, value]]
    if (typeof value !== 'object' || value === null) {
      throw new InvalidInputError(`index ${index.column} is searched by an object of its fields`)
    }
    return index.parts.map((part) => [
      part,
      Object.hasOwn(value, part.field) ? (value as UnknownRow)[part.field] : undefined,
    ])
  }

  #maker(index: CompiledIndex, key: IndexKey): TagMaker {
    return key.derive(`${this.#record.name} ${index.column}`, (secret) =>
      openTagMaker(secret, {
        table: this.#record.name,
        column: index.parts.map((part) => part.field).join(','),
        index: index.column,
        transformId: index.parts.map((part) => part.transform.id).join(','),
        bits: index.bits,
      }),
    )
  }
}

/** The version byte of a stored tag; undefined when it is not one. */
export function tagVersion(tag: unknown): number | undefined {
  if (tag instanceof Uint8Array) return tag[0]
  if (typeof tag !== 'string' || !/^[0-9a-f]{4,66}$/.test(tag)) return undefined
  return Number.parseInt(tag.slice(0, 2), 16)
}

function stored(index: CompiledIndex, tag: Buffer): string | Uint8Array {
  return index.binary ? new Uint8Array(tag) : tag.toString('hex')
}
