import type { DataTypes, Model, ModelAttributeColumnOptions } from 'sequelize'
import { asBuffer, assertFilled, assertObject } from '../../src/bytes.ts'
import { mappedColumns } from '../../src/mapping/mapped-columns.ts'
import { StoredValue } from '../../src/mapping/stored-value.ts'
import type { AnyRecord, FieldName, IndexColumn } from '../../src/records/record-types.ts'
import { assertRecord } from '../../src/records/schema.ts'
import { Sealed } from './sealed.ts'

/** How the database calls its columns. */
export interface AttributeOptions {
  /** The type of columns with `storage: 'binary'`: `bytea` by default, `longblob` or `blob` elsewhere. */
  readonly bytes?: 'bytea' | 'longblob' | 'blob'
}

/** The type of an encrypted column or index column for Sequelize: writes nothing but what was encrypted for its row. */
export class EncryptedType implements DataTypes.AbstractDataType {
  readonly key = 'STRONGROOM'
  readonly dialectTypes = ''
  readonly schema: AnyRecord
  readonly #sql: string
  readonly #refusal: () => Error

  constructor(schema: AnyRecord, sql: string, refusal: () => Error) {
    this.schema = schema
    this.#sql = sql
    this.#refusal = refusal
  }

  toSql(): string {
    return this.#sql
  }

  toString(): string {
    return this.#sql
  }

  /** @throws InvalidInputError for anything that was not encrypted */
  stringify(value: unknown): string {
    const stored =
      value instanceof Sealed ? value.stored : StoredValue.is(value) ? StoredValue.unwrap(value) : undefined
    if (stored === undefined) throw this.#refusal()
    // Sequelize knows bytes by their class.
    return (stored instanceof Uint8Array ? asBuffer(stored) : stored) as string
  }

  bindParam(value: unknown, { bindParam }: { bindParam(value: unknown): string }): string {
    return bindParam(this.stringify(value))
  }
}

/**
 * The attributes of a record's encrypted columns and index columns, for `sequelize.define(…, { …, ...encryptedAttributes(customers) })`.
 *
 * @throws ConfigError when a field is in state `plaintext`; InvalidInputError when it is no record
 */
export function encryptedAttributes<Schema extends AnyRecord>(
  schema: Schema,
  options: AttributeOptions = {},
): { readonly [Name in FieldName<Schema> | IndexColumn<Schema>]: ModelAttributeColumnOptions<Model> } {
  assertRecord(schema)
  assertObject(options, 'the options')
  const { bytes = 'bytea' } = options
  assertFilled(bytes, 'bytes')
  const columns = mappedColumns(schema, 'leave it an ordinary column')
  const attributes = columns.map(({ name, isIndex, isBinary, refusal }) => {
    const type = new EncryptedType(schema, isBinary ? bytes : isIndex ? 'varchar(255)' : 'text', refusal)
    return [name, isIndex ? { type } : { type, get: getting(name) }]
  })
  return Object.fromEntries(attributes)
}

/** While it is being written, also when that failed, an instance shows its values. */
function getting(name: string) {
  return function get(this: Model): unknown {
    const value: unknown = this.getDataValue(name)
    return value instanceof Sealed ? value.plain : value
  }
}
