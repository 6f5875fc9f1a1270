import { Buffer } from 'node:buffer'
import { customType as mysqlType } from 'drizzle-orm/mysql-core'
import { customType as pgType } from 'drizzle-orm/pg-core'
import { customType as sqliteType } from 'drizzle-orm/sqlite-core'
import { DecryptionError } from '../../src/errors.ts'
import { mappedColumns } from '../../src/mapping/mapped-columns.ts'
import { StoredValue } from '../../src/mapping/stored-value.ts'
import type { AnyRecord, FieldName, IndexColumn } from '../../src/records/record-types.ts'

interface StoredColumn {
  data: StoredValue
  driverData: string | Uint8Array
}

const pg = (params: Params) => pgType<StoredColumn>(params)()
const mysql = (params: Params) => mysqlType<StoredColumn>(params)()
const sqlite = (params: Params) => sqliteType<StoredColumn>(params)()

/** The encrypted columns of a record, each by its name; `Builder` is the column of the database. */
export type EncryptedColumns<Schema extends AnyRecord, Builder, NotNull> = {
  [Name in FieldName<Schema>]: Schema['fields'][Name]['options'] extends { readonly nullable: 'visible' }
    ? Builder
    : NotNull
} & { [Column in IndexColumn<Schema>]: NotNull }

/**
 * The encrypted columns and index columns of a record, for `pgTable('customers', { …, ...pgColumns(customers) })`. What is
 * given to them is refused at run time unless it was encrypted for its row. Columns with `storage: 'binary'` are `bytea`, all
 * others `text`.
 *
 * @throws ConfigError when a field is in state `plaintext`; InvalidInputError when it is no record
 */
export function pgColumns<Schema extends AnyRecord>(record: Schema) {
  const columns = columnsOf(record, 'bytea', 'text', (params) => pg(params))
  return columns as EncryptedColumns<Schema, ReturnType<typeof pg>, ReturnType<ReturnType<typeof pg>['notNull']>>
}

/** As `pgColumns`, for `mysqlTable` on MySQL and MariaDB: `longblob`, `text`, and `varchar(80)` for indexes. @throws as `pgColumns` */
export function mysqlColumns<Schema extends AnyRecord>(record: Schema) {
  const columns = columnsOf(record, 'longblob', 'varchar(80)', (params) => mysql(params))
  return columns as EncryptedColumns<Schema, ReturnType<typeof mysql>, ReturnType<ReturnType<typeof mysql>['notNull']>>
}

/** As `pgColumns`, for `sqliteTable`: `blob` and `text`. @throws as `pgColumns` */
export function sqliteColumns<Schema extends AnyRecord>(record: Schema) {
  const columns = columnsOf(record, 'blob', 'text', (params) => sqlite(params))
  return columns as EncryptedColumns<
    Schema,
    ReturnType<typeof sqlite>,
    ReturnType<ReturnType<typeof sqlite>['notNull']>
  >
}

interface Params {
  readonly dataType: () => string
  readonly toDriver: (value: StoredValue) => string | Uint8Array
  readonly fromDriver: (value: string | Uint8Array) => StoredValue
}

function columnsOf<Builder extends { notNull(): unknown }>(
  schema: AnyRecord,
  bytes: string,
  tag: string,
  column: (params: Params) => Builder,
): Record<string, unknown> {
  const columns = mappedColumns(schema, 'Drizzle needs it as migrating or encrypted')
  const made = columns.map(({ name, isIndex, isBinary, isNullable, refusal }) => {
    const builder = column(params(isBinary ? bytes : isIndex ? tag : 'text', refusal))
    return [name, isNullable ? builder : builder.notNull()]
  })
  return Object.fromEntries(made)
}

function params(type: string, refuse: () => Error): Params {
  return {
    dataType: () => type,
    toDriver: (value) => {
      if (StoredValue.is(value)) return StoredValue.unwrap(value)
      throw refuse()
    },
    fromDriver: (value) => StoredValue.wrap(type === 'bytea' || type.endsWith('blob') ? toBytes(value) : value),
  }
}

/** PostgreSQL gives bytes inside JSON as `\x…`, as relational queries have them. */
function toBytes(value: string | Uint8Array): Uint8Array {
  if (typeof value !== 'string') return value
  if (!/^\\x([0-9a-f]{2})*$/.test(value)) throw new DecryptionError()
  return Buffer.from(value.slice(2), 'hex')
}
