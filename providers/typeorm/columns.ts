import { inspect } from 'node:util'
import type { EntitySchemaColumnOptions, ValueTransformer } from 'typeorm'
import { ConfigError } from '../../src/errors.ts'
import { type AnyCipher, MappedRecord } from '../../src/mapping/mapped-record.ts'
import { StoredValue } from '../../src/mapping/stored-value.ts'
import type { AnyRecord, FieldName, IndexColumn } from '../../src/records/record-types.ts'
import { assertRecord } from '../../src/records/schema.ts'
import { Placeholder } from './placeholder.ts'

/** How the database calls its columns. */
export interface ColumnOptions {
  /** The type of columns with `storage: 'binary'`: `bytea` by default, `longblob` or `blob` elsewhere. */
  readonly bytes?: 'bytea' | 'longblob' | 'blob'
}

/** A value on its way to the database that was not encrypted. It never arrives: the subscriber refuses the query. */
export class Unencrypted {
  readonly #error: Error

  constructor(error: Error) {
    this.#error = error
  }

  get error(): Error {
    return this.#error
  }

  /** Drivers that would turn it into text must not. */
  toJSON(): never {
    throw this.#error
  }

  toString(): never {
    throw this.#error
  }

  [inspect.custom](): string {
    return '[not encrypted]'
  }
}

/**
 * The encrypted columns and index columns of a record, for `new EntitySchema({ columns: { …, ...entityColumns(customers) } })`.
 * With decorators: `@Column(columns.email)` for `const columns = entityColumns(customers)`.
 *
 * @throws ConfigError when a field is in state `plaintext`
 */
export function entityColumns<Schema extends AnyRecord>(
  schema: Schema,
  { bytes = 'bytea' }: ColumnOptions = {},
): { readonly [Name in FieldName<Schema> | IndexColumn<Schema>]: EntitySchemaColumnOptions } {
  assertRecord(schema)
  const record = new MappedRecord({ schema } as unknown as AnyCipher)
  const storage = schema.options.storage ?? 'text'
  const fields = Object.entries(schema.fields).map(([name, { options }]) => {
    if (options.state === 'plaintext')
      throw new ConfigError(`${schema.name}.${name} is in state plaintext: leave it an ordinary column`)
    const type = (options.storage ?? storage) === 'binary' ? bytes : 'text'
    return [name, { type, nullable: record.showsNull(name), transformer: guarding(record, name) }]
  })
  const indexes = [...record.indexColumns].map((name) => {
    const type = storage === 'binary' ? bytes : 'varchar'
    return [name, { type, select: false, transformer: guarding(record, name) }]
  })
  return Object.fromEntries([...fields, ...indexes])
}

function guarding(record: MappedRecord, name: string): ValueTransformer {
  const refusal = () => (record.indexColumns.has(name) ? record.writtenIndex(name) : record.unencrypted(name))
  return {
    to(value: unknown) {
      if (value instanceof Placeholder) return value.take()
      if (StoredValue.is(value)) return StoredValue.unwrap(value)
      if (value === undefined || (value === null && record.showsNull(name))) return value
      return new Unencrypted(refusal())
    },
    from: (value: unknown) => {
      return typeof value === 'string' || value instanceof Uint8Array ? StoredValue.wrap(value) : value
    },
  }
}
