import { inspect } from 'node:util'
import type { EntitySchemaColumnOptions, ValueTransformer } from 'typeorm'
import { type MappedColumn, mappedColumns } from '../../src/mapping/mapped-columns.ts'
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
 * @throws ConfigError when a field is in state `plaintext`; InvalidInputError when it is no record
 */
export function entityColumns<Schema extends AnyRecord>(
  schema: Schema,
  { bytes = 'bytea' }: ColumnOptions = {},
): { readonly [Name in FieldName<Schema> | IndexColumn<Schema>]: EntitySchemaColumnOptions } {
  assertRecord(schema)
  const columns = mappedColumns(schema, 'leave it an ordinary column').map((column) => {
    const { name, isIndex, isBinary, isNullable } = column
    const type = isBinary ? bytes : isIndex ? 'varchar' : 'text'
    return [name, { type, ...(isIndex ? { select: false } : { nullable: isNullable }), transformer: guarding(column) }]
  })
  return Object.fromEntries(columns)
}

function guarding({ isNullable, refusal }: MappedColumn): ValueTransformer {
  return {
    to(value: unknown) {
      if (value instanceof Placeholder) return value.take()
      if (StoredValue.is(value)) return StoredValue.unwrap(value)
      if (value === undefined || (value === null && isNullable)) return value
      return new Unencrypted(refusal())
    },
    from: (value: unknown) => {
      return typeof value === 'string' || value instanceof Uint8Array ? StoredValue.wrap(value) : value
    },
  }
}
