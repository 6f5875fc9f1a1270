import { createHash } from 'node:crypto'
import { type Column, type CompiledIndex, compileRecord } from '../records/compiled-record.ts'
import { idColumns } from '../records/schema.ts'
import type { TableColumn, TableDescription, TableGuard } from '../table.ts'
import type { AnyColumnMigration, Migration } from './define-migration.ts'

/** One field on its way: the column that it comes from and the one that it goes to, by their names now. */
export interface MovingColumn {
  readonly field: Column
  readonly declared: AnyColumnMigration
  readonly old: string
  readonly fresh: string
  /** Whether the two swap names at the switch. */
  readonly keepsName: boolean
}

/** The columns of a migration by the names that they have now, before or after the switch. */
export interface Layout {
  readonly record: string
  readonly swapped: boolean
  readonly columns: readonly MovingColumn[]
  /** The indexes that are filled. */
  readonly indexes: readonly CompiledIndex[]
  /** Columns that tell rows apart, and whose they are. */
  readonly identity: readonly string[]
  readonly guard: TableGuard
}

/** The layout before or after the switch. */
export function layoutOf(migration: Migration, swapped: boolean): Layout {
  const { name, columns: fields, indexes: all } = compileRecord(migration.record)
  const columns = Object.entries(migration.columns).map(([field, declared]): MovingColumn => {
    const keepsName = declared.from === field
    const { temporary = `${field}_encrypted`, retired = `${field}_plaintext` } = declared
    const old = keepsName && swapped ? retired : declared.from
    return {
      field: fields.get(field) as Column,
      declared,
      old,
      fresh: keepsName && !swapped ? temporary : field,
      keepsName,
    }
  })
  const indexes = all.filter(({ parts }) => parts.every((part) => migration.columns[part.field] !== undefined))
  const { tenant, subject } = migration.record.options
  const identity = [...idColumns(migration.record.options), tenant, subject].filter((column) => column !== undefined)
  const watched = columns.map(({ field, old, fresh }) => {
    const tags = indexes.filter(({ parts }) => parts.some((part) => part.field === field.name))
    return { source: old, derived: [fresh, ...tags.map(({ column }) => column)] }
  })
  // Behind the triggers of the application, which run in the order of their names.
  const guard = { name: `zz_strongroom_${name}`.slice(0, MAX_NAME), watched }
  return { record: name, swapped, columns, indexes, identity: [...new Set(identity)], guard }
}

const MAX_NAME = 60

/** Whether a table has been switched, so far as its columns say: undefined where no column changes its name. */
export function isSwapped(migration: Migration, { columns }: TableDescription): boolean | undefined {
  const renamed = layoutOf(migration, true).columns.filter(({ keepsName }) => keepsName)
  if (renamed.length === 0) return undefined
  return renamed.some(({ old }) => columns.some(({ name }) => name === old))
}

/** Characters, or bytes, of a tag. */
export function tagWidth({ bits, binary }: CompiledIndex): number {
  return (1 + Math.ceil(bits / 8)) * (binary ? 1 : 2)
}

/**
 * The name of the index over an index column, short enough for every database. Names of indexes are shared by all tables of
 * a schema, and a leftover of this name is dropped: it must be nobody else's.
 */
export function indexName(record: string, column: string): string {
  const own = createHash('sha256').update(`${record}\0${column}`).digest('hex').slice(0, 8)
  return `${`${record}_${column}`.slice(0, MAX_NAME - own.length - 5)}_${own}_idx`
}

/** A column that the table has. */
export function findColumn({ columns }: TableDescription, name: string): TableColumn | undefined {
  return columns.find((column) => column.name === name)
}
