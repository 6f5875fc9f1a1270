import {
  assertArray,
  assertDate,
  assertFlag,
  assertMethods,
  assertObject,
  assertText,
  assertWhole,
  describe,
} from '../bytes.ts'
import { ConfigError, InvalidInputError } from '../errors.ts'
import { assertPadding } from '../format/padding.ts'
import type { Field, FieldOptions, IndexOptions, Storage } from './field.ts'

/** A blind index over several fields at once: finds rows in which all of them match. */
export interface CompoundIndexOptions extends Omit<IndexOptions, 'column' | 'transform'> {
  /** 2 to 16 fields, in order. */
  readonly fields: readonly string[]
  /** One transform for each field; `exact` by default. */
  readonly transforms?: readonly NonNullable<IndexOptions['transform']>[]
}

/** How the rows of a record are told apart, and what else a record says. */
export interface RecordOptions {
  /** The column, or columns, of the primary key. Every value is bound to its row, so the id must be known before encryption. */
  readonly id?: string | readonly string[]
  /** The column that names the tenant: each tenant has keys of its own. */
  readonly tenant?: string
  /** The column that names the person: each has a data key of its own, which can be destroyed to erase that person's data. */
  readonly subject?: string
  /** Values are not bound to a row, so that whoever writes the table can move them between rows. Needed when there is no `id`. */
  readonly unbound?: boolean
  /** `text` by default. */
  readonly storage?: Storage
  /** Compound indexes by column. */
  readonly indexes?: Readonly<Record<string, CompoundIndexOptions>>
  /** Other columns that rows may have and that stay as they are. Any other column is refused, unless this is `'all'`. */
  readonly plain?: readonly string[] | 'all'
}

/** A record: which columns of a table are encrypted, and how. A plain value; it holds no key. */
export interface RecordSchema<
  Name extends string = string,
  Fields extends Readonly<Record<string, Field>> = Readonly<Record<string, Field>>,
  Options extends RecordOptions = RecordOptions,
> {
  readonly name: Name
  readonly fields: Fields
  readonly options: Options
}

const NAME = /^[A-Za-z0-9_.-]{1,64}$/

/**
 * Declares a record.
 *
 * @param name part of every context: renaming it makes existing data unreadable. 1 to 64 of `A-Z a-z 0-9 _ . -`
 * @param fields the encrypted columns, each a field such as `text()`
 * @param options which columns identify a row, and more
 * @throws ConfigError when the schema cannot work, saying what to change
 */
export function defineRecord<
  const Name extends string,
  const Fields extends Readonly<Record<string, Field>>,
  const Options extends RecordOptions &
    ({ readonly id: string | readonly [string, ...string[]] } | { readonly unbound: true }),
>(name: Name, fields: Fields, options: Options): RecordSchema<Name, Fields, Options> {
  assertName(name, 'a record')
  assertObject(fields, 'the fields of a record')
  if (typeof options !== 'object' || options === null) {
    throw new InvalidInputError(
      `the options of a record must be an object such as { id: 'id' }, received ${describe(options)}`,
    )
  }
  const names = Object.keys(fields)
  if (names.length === 0) throw new ConfigError(`record ${name} has no fields`)
  for (const column of names) assertField(name, column, fields[column] as Field)
  assertIdentity(name, names, options)
  return { name, fields, options }
}

/** Refuses what `defineRecord` would not have made. @throws InvalidInputError, ConfigError */
export function assertRecord(record: unknown): asserts record is RecordSchema {
  assertObject(record, 'a record')
  const { name, fields, options } = record as RecordSchema
  defineRecord(name, fields, options as { unbound: true })
}

/** The id columns of a record, as a list. */
export function idColumns(options: RecordOptions): readonly string[] {
  if (options.id === undefined) return []
  return Array.isArray(options.id) ? options.id : [options.id as string]
}

/** The indexes of a field, as a list. */
export function indexList(options: FieldOptions): readonly IndexOptions[] {
  if (options.index === undefined) return []
  return Array.isArray(options.index) ? options.index : [options.index as IndexOptions]
}

function assertName(name: unknown, what: string): void {
  if (typeof name !== 'string')
    throw new InvalidInputError(`the name of ${what} must be a string, received ${describe(name)}`)
  if (!NAME.test(name) || name === '__proto__') {
    throw new ConfigError(`the name of ${what} must be 1 to 64 of A-Z a-z 0-9 _ . -, received ${JSON.stringify(name)}`)
  }
}

function assertField(record: string, column: string, field: Field): void {
  assertName(column, `a field of record ${record}`)
  const where = `field ${record}.${column}`
  if (typeof field !== 'object' || field === null || typeof field.type !== 'string') {
    throw new ConfigError(`${where} must be made by text(), integer(), date() and so on, received ${describe(field)}`)
  }
  assertObject(field.options, `the options of ${where}`)
  const { padding, state = 'encrypted', until, nullable = false } = field.options
  if (typeof nullable !== 'boolean' && nullable !== 'visible') {
    throw new InvalidInputError(`nullable of ${where} must be true, false or 'visible', received ${describe(nullable)}`)
  }
  assertStorage(where, field.options.storage)
  for (const index of indexList(field.options)) {
    if (typeof index !== 'object' || index === null) {
      throw new InvalidInputError(`an index of ${where} must be an object with a column, received ${describe(index)}`)
    }
    assertName(index.column, `an index column of ${where}`)
    assertIndexOptions(index, where)
    assertTransform(index.transform, `transform of an index of ${where}`)
  }
  if (padding !== undefined) assertPadding(padding)
  if (!['encrypted', 'migrating', 'plaintext'].includes(state)) {
    throw new ConfigError(
      `${where} has state ${typeof state === 'string' ? JSON.stringify(state) : describe(state)}: use encrypted, migrating or plaintext`,
    )
  }
  if (until !== undefined && typeof until !== 'string') assertDate(until, `until of ${where}`)
  if (state === 'migrating' && (until === undefined || Number.isNaN(new Date(until).getTime()))) {
    throw new ConfigError(`${where} is migrating: say until when, as \`until: '2027-01-31'\``)
  }
}

/** What is compared with one word, so that another word would pass for the default. */
function assertIndexOptions(
  { scope, nulls, unique, slow, rows, bits, distinct }: Omit<IndexOptions, 'column' | 'transform'>,
  where: string,
): void {
  assertFlag(slow, `slow of an index of ${where}`)
  for (const [option, value] of Object.entries({ rows, bits, distinct })) {
    if (value !== undefined) assertWhole(value, `${option} of an index of ${where}`, 1, Number.MAX_SAFE_INTEGER)
  }
  for (const [option, value, words] of [
    ['scope', scope, ['tenant', 'global']],
    ['nulls', nulls, ['random', 'null']],
    ['unique', unique, [true, false]],
  ] as const) {
    if (value !== undefined && !(words as readonly unknown[]).includes(value)) {
      const received = typeof value === 'string' ? JSON.stringify(value) : describe(value)
      throw new InvalidInputError(
        `${option} of an index of ${where} must be ${words.join(' or ')}, received ${received}`,
      )
    }
  }
}

/** What is no transform at all; whether it fits the field is found out with the record as a whole. */
function assertTransform(transform: unknown, name: string): void {
  if (transform === undefined || typeof transform === 'string') return
  assertMethods(transform, ['apply'], name)
}

function assertStorage(where: string, storage: unknown): void {
  if (storage !== undefined && storage !== 'text' && storage !== 'binary') {
    throw new ConfigError(`${where} has a storage other than text and binary`)
  }
}

function assertIdentity(record: string, fields: readonly string[], options: RecordOptions): void {
  assertStorage(`record ${record}`, options.storage)
  const { indexes = {}, unbound = false } = options
  assertObject(indexes, `the indexes of record ${record}`)
  for (const [column, index] of Object.entries(indexes)) {
    assertName(column, `an index column of record ${record}`)
    assertObject(index, `the index ${column} of record ${record}`)
    assertIndexOptions(index, `record ${record}`)
    assertArray(index.fields, `fields of the index ${column} of record ${record}`)
    for (const field of index.fields) assertText(field, `each field of the index ${column} of record ${record}`)
    if (index.transforms !== undefined)
      assertArray(index.transforms, `transforms of the index ${column} of record ${record}`)
    for (const one of index.transforms ?? [])
      assertTransform(one, `each transform of the index ${column} of record ${record}`)
  }
  if (typeof unbound !== 'boolean') {
    throw new InvalidInputError(`unbound of record ${record} must be true or false, received ${describe(unbound)}`)
  }
  const { plain } = options
  if (plain !== undefined && plain !== 'all' && !Array.isArray(plain)) {
    throw new InvalidInputError(
      `plain of record ${record} must be a list of columns or 'all', received ${describe(plain)}`,
    )
  }
  if (Array.isArray(plain)) for (const column of plain) assertText(column, `a plain column of record ${record}`)
  const ids = idColumns(options)
  if (ids.length === 0 && options.unbound !== true) {
    throw new ConfigError(`record ${record} needs \`id\`: the column of its primary key, to which every value is bound`)
  }
  if (ids.length > 0 && options.unbound === true) {
    throw new ConfigError(`record ${record} has an \`id\` and is \`unbound\`: leave one of them out`)
  }
  for (const column of [...ids, ...[options.tenant, options.subject].filter((name) => name !== undefined)]) {
    assertName(column, `an identity column of record ${record}`)
    if (fields.includes(column)) {
      throw new ConfigError(`${record}.${column} identifies the row, so it cannot be encrypted as well`)
    }
  }
}
