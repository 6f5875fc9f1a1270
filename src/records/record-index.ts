import { assertText } from '../bytes.ts'
import { ConfigError, InvalidInputError, SlowIndexError } from '../errors.ts'
import { openTagMaker, type TagMaker, type TagPart } from '../index/blind-index.ts'
import { isMatch, queryPart, storedPart } from '../index/searched-value.ts'
import { SLOW_TRANSFORM, type SlowHash, slowTag } from '../index/slow-tag.ts'
import type { IndexKey } from '../keys/index-key.ts'
import type { CompiledIndex, CompiledRecord } from './compiled-record.ts'
import type { UnknownRow } from './row-identity.ts'

/** What a column of tags holds. */
type StoredTag = string | Uint8Array

/** The tags of a row's slow indexes, made before the row is encrypted, by column. */
export type SlowTags = ReadonlyMap<string, StoredTag>

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

  /** Whether any index takes an asynchronous hash. */
  get anySlow(): boolean {
    return this.#record.indexes.some((index) => index.slow)
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
   * @param slow the tags of slow indexes, where there are any
   * @throws InvalidInputError when it has some of them only; SlowIndexError when the index is slow and not in `slow`
   */
  tagOf(index: CompiledIndex, row: UnknownRow, key: () => IndexKey, slow?: SlowTags): StoredTag | null | undefined {
    const parts = this.partsOf(index, row)
    if (parts === undefined || (parts === null && !index.nullTag)) return parts
    if (index.slow && parts !== null) {
      const made = slow?.get(index.column)
      if (made === undefined) throw new SlowIndexError(this.#nameOf(index))
      return made
    }
    const indexKey = key()
    const maker = this.#maker(index, indexKey)
    return stored(index, parts === null ? maker.randomTag(indexKey.version) : maker.tag(indexKey.version, parts))
  }

  /** The tags of all slow indexes that the row has values for. @throws as `tagOf` */
  async slowTags(row: UnknownRow, keyOf: (index: CompiledIndex) => IndexKey, hash: SlowHash): Promise<SlowTags> {
    const tags = new Map<string, StoredTag>()
    for (const index of this.#record.indexes.filter(({ slow }) => slow)) {
      const parts = this.partsOf(index, row)
      if (parts === undefined || parts === null) continue
      const key = keyOf(index)
      tags.set(index.column, stored(index, await slowTag(this.#maker(index, key), key.version, parts, hash)))
    }
    return tags
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

  /** @throws SlowIndexError when tags of this index cannot be made synchronously */
  assertFast(index: CompiledIndex): void {
    if (index.slow) throw new SlowIndexError(this.#nameOf(index))
  }

  /** The tags under which rows with this value may stand: one for each key that is in use. @throws InvalidInputError */
  query(index: CompiledIndex, value: unknown, keys: readonly IndexKey[]): StoredTag[] {
    const parts = this.#queryParts(index, value)
    return keys.map((key) => stored(index, this.#maker(index, key).tag(key.version, parts)))
  }

  /** As `query`, of a slow index. */
  async slowQuery(index: CompiledIndex, value: unknown, keys: readonly IndexKey[], hash: SlowHash) {
    const parts = this.#queryParts(index, value)
    const tags = keys.map((key) => slowTag(this.#maker(index, key), key.version, parts, hash))
    return (await Promise.all(tags)).map((tag) => stored(index, tag))
  }

  /** Whether a decrypted row really has the value. @throws InvalidInputError when the row was read without it */
  matches(index: CompiledIndex, row: UnknownRow, value: unknown): boolean {
    return this.#wanted(index, value).every(([part, wanted]) => {
      if (row[part.field] === undefined) {
        throw new InvalidInputError(
          `what ${this.#nameOf(index)} finds is told apart by ${part.field}, which the rows do not have: select it as well`,
        )
      }
      return isMatch(part.transform, part.type, row[part.field], wanted, part.field)
    })
  }

  #queryParts(index: CompiledIndex, value: unknown): TagPart[] {
    return this.#wanted(index, value).map(([part, wanted]) => queryPart(part.transform, part.type, wanted, part.field))
  }

  #nameOf(index: CompiledIndex): string {
    return `${this.#record.name}.${index.column}`
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
        transformId: [...index.parts.map((part) => part.transform.id), ...(index.slow ? [SLOW_TRANSFORM] : [])].join(
          ',',
        ),
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

function stored(index: CompiledIndex, tag: Buffer): StoredTag {
  return index.binary ? new Uint8Array(tag) : tag.toString('hex')
}
