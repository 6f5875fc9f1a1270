import { assertCallback, assertFilled, assertMethods, assertObject } from '../bytes.ts'
import { ConfigError } from '../errors.ts'
import { compileRecord } from '../records/compiled-record.ts'
import type { AnyRecord, FieldName, FieldValue } from '../records/record-types.ts'
import { assertRecord, idColumns } from '../records/schema.ts'
import type { OldFormat } from './old-format.ts'
import type { OldCell } from './typed-text.ts'

/** Where the values of one field come from. */
export interface ColumnMigration<Value = unknown> {
  /** The column that holds the values today. The name of the field itself, when the encrypted column shall have it in the end. */
  readonly from: string
  /** How another library wrote them; plain values by default. */
  readonly format?: OldFormat
  /**
   * A conversion of your own, instead of that of the type; `format` is applied before it. Throw when there is no value:
   * the row is then set aside.
   *
   * @param cell the database's own text of the column, or its bytes; null is not given to it, unless `format` made it so
   */
  readonly read?: (cell: string | Uint8Array | null) => Value | null | Promise<Value | null>
  /** The inverse of `read`, for a rollback. Without it, rows are rolled back that hold what `read` gave. */
  readonly write?: (value: Value) => OldCell | Promise<OldCell>
  /** The name of the encrypted column until the switch, where `from` is the name of the field; `<field>_encrypted` by default. */
  readonly temporary?: string
  /** The name of the old column from the switch on, where `from` is the name of the field; `<field>_plaintext` by default. */
  readonly retired?: string
}

/** A `ColumnMigration` of any field. */
export interface AnyColumnMigration extends Omit<ColumnMigration, 'read' | 'write'> {
  readonly read?: (cell: string | Uint8Array | null) => unknown
  readonly write?: (value: never) => OldCell | Promise<OldCell>
}

/** How a table that holds other values becomes one that holds those of a record. A plain value. */
export interface Migration {
  readonly record: AnyRecord
  readonly columns: Readonly<Record<string, AnyColumnMigration>>
}

/** Refuses what `defineMigration` did not make. @throws InvalidInputError */
export function assertMigration(migration: unknown): asserts migration is Migration {
  assertObject(migration, 'a migration')
  const { record, columns } = migration as Migration
  assertRecord(record)
  defineMigration(record, { columns: columns as Readonly<Record<string, never>> })
}

/**
 * Declares the migration of a table: for each field, from which column it comes. Give it to `migrations` of the
 * configuration, and run it with `strongroom migrate`.
 *
 * @param columns by field; fields that are left out are not touched
 * @throws ConfigError when it cannot work, saying what to change
 */
export function defineMigration<Schema extends AnyRecord>(
  record: Schema,
  options: {
    readonly columns: { readonly [Name in FieldName<Schema>]?: ColumnMigration<NonNullable<FieldValue<Schema, Name>>> }
  },
): Migration {
  assertObject(options, 'the options of a migration')
  const { columns } = options
  assertObject(columns, 'the columns of a migration')
  const given = columns as Migration['columns']
  const { columns: fields, indexes, name } = compileRecord(record)
  if (Object.keys(given).length === 0) throw new ConfigError(`the migration of ${name} has no columns`)
  const { tenant, subject } = record.options
  const taken = new Set([...idColumns(record.options), tenant, subject, ...indexes.map(({ column }) => column)])
  for (const field of fields.keys()) taken.add(field)
  for (const [field, column] of Object.entries(given)) {
    const where = `the migration of ${name}.${field}`
    const declared = fields.get(field)
    if (declared === undefined) throw new ConfigError(`${where}: the record has no such field`)
    if (declared.state === 'plaintext')
      throw new ConfigError(`${where}: the field has state plaintext, so nothing is encrypted`)
    if (typeof column?.from !== 'string' || column.from === '')
      throw new ConfigError(`${where} needs \`from\`: the column that holds the values today`)
    if (column.format !== undefined) assertMethods(column.format, ['open', 'seal'], `${where}: format`)
    if (column.temporary !== undefined) assertFilled(column.temporary, `${where}: temporary`)
    if (column.retired !== undefined) assertFilled(column.retired, `${where}: retired`)
    assertCallback(column.read, `${where}: read`)
    assertCallback(column.write, `${where}: write`)
    const keepsName = column.from === field
    if (!keepsName && (column.temporary !== undefined || column.retired !== undefined)) {
      throw new ConfigError(`${where} renames nothing: leave \`temporary\` and \`retired\` out`)
    }
    const names = keepsName
      ? [column.temporary ?? `${field}_encrypted`, column.retired ?? `${field}_plaintext`]
      : [column.from]
    for (const made of names) {
      if (taken.has(made)) throw new ConfigError(`${where}: column ${made} is one of the record, or of another field`)
      taken.add(made)
    }
  }
  for (const { column, parts } of indexes) {
    const missing = parts.filter(({ field }) => given[field] === undefined).map(({ field }) => field)
    if (missing.length > 0 && missing.length < parts.length) {
      throw new ConfigError(
        `index ${name}.${column} also covers ${missing.join(', ')}: migrate them together, or declare the index afterwards and re-encrypt`,
      )
    }
  }
  return { record, columns: given }
}
