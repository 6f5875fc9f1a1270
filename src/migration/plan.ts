import type { Table, TableIndex } from '../table.ts'
import { assertTable } from '../table-shape.ts'
import { assertMigration, type Migration } from './define-migration.ts'
import { findColumn, indexName, layoutOf, tagWidth } from './layout.ts'
import { assertSampleOptions, type SampleOptions, type SampleReport, sampleRows } from './sample.ts'
import { looksSwitched, type MigrationState, migrationState } from './state.ts'
import { type StepSql, stepsSql } from './steps-sql.ts'
import { columnsToAdd } from './table-changes.ts'

/** One column of a plan. */
export interface PlannedColumn {
  readonly field: string
  readonly from: string
  readonly fromType: string
  /** How the old values are read: the name of a format, `own` for a function of yours, or `plain`. */
  readonly reads: string
  readonly to: string
  readonly toType: string
  /** Whether the column is there already. */
  readonly exists: boolean
  /** The name that the old column gets at the switch, where it is another. */
  readonly retiredAs: string | undefined
}

/** One index column of a plan. */
export interface PlannedIndexColumn {
  readonly column: string
  /** Bits of a tag. */
  readonly bits: number
  /** Characters, or bytes. */
  readonly width: number
  readonly index: string
  readonly exists: boolean
}

/** What a migration will do to a table. */
export interface MigrationPlan {
  readonly record: string
  readonly table: string
  readonly state: MigrationState
  /** Rows of the table, from the statistics of the database. */
  readonly rows: number
  /** Bytes of the table with its indexes, from the statistics as well. */
  readonly bytes: number
  readonly columns: readonly PlannedColumn[]
  readonly indexes: readonly PlannedIndexColumn[]
  /** Indexes over old columns, which `clean` drops with them. */
  readonly lostIndexes: readonly TableIndex[]
  readonly sql: readonly StepSql[]
  readonly sample: SampleReport
  readonly estimate: {
    /** Bytes that the encrypted columns take, without what the database needs for itself. */
    readonly bytes: number
    /** To fill and to compare all rows, at full speed. */
    readonly seconds: number
  }
}

/** Writing a batch takes about as long as reading and encrypting it twice; comparing reads and decrypts it once more. */
const TIMES = 4

/**
 * What a migration will do, with the SQL, sizes, and a time from a sample. Needs no key, and changes nothing.
 *
 * @param options how many rows to look at: 1,000 by default
 * @throws ConfigError when the table cannot be migrated as declared; TableError, InvalidInputError, the signal's reason
 */
export async function planMigration(
  table: Table,
  migration: Migration,
  options: SampleOptions = { rows: SAMPLE },
): Promise<MigrationPlan> {
  assertTable(table)
  assertMigration(migration)
  assertSampleOptions(options)
  const described = await table.describe()
  const state = await migrationState(table, migration.record.name)
  const swapped = looksSwitched(migration, described, state)
  const layout = layoutOf(migration, swapped)
  const after = layoutOf(migration, true)
  if (!swapped) columnsToAdd(layout, described) // refuses what cannot be
  const sample = await sampleRows(table, layout, described, options)
  const rows = sample.all ? sample.rows : Math.max(sample.rows, described.estimatedRows)
  const olds = layout.columns.map(({ old }) => old)
  return {
    record: layout.record,
    table: table.name,
    state,
    rows,
    bytes: described.bytes,
    columns: layout.columns.map(({ field, declared, old, fresh, keepsName }) => ({
      field: field.name,
      from: old,
      fromType: findColumn(described, old)?.type ?? 'gone',
      reads:
        [declared.format?.name, declared.read && 'own'].filter((name) => name !== undefined).join(' + ') || 'plain',
      to: fresh,
      toType: findColumn(described, fresh)?.type ?? (field.binary ? 'bytes' : 'text'),
      exists: findColumn(described, fresh) !== undefined,
      retiredAs:
        keepsName && !swapped ? after.columns.find((moved) => moved.field.name === field.name)?.old : undefined,
    })),
    indexes: layout.indexes.map((index) => ({
      column: index.column,
      bits: index.bits,
      width: tagWidth(index),
      index: indexName(layout.record, index.column),
      exists: described.indexes.some(({ columns }) => columns.includes(index.column)),
    })),
    lostIndexes: described.indexes.filter(({ columns }) => columns.some((column) => olds.includes(column))),
    sql: await stepsSql(table, migration, described, swapped),
    sample,
    estimate: { bytes: rows * sample.bytesPerRow, seconds: Math.ceil((rows * sample.msPerRow * TIMES) / 1000) },
  }
}

const SAMPLE = 1_000
