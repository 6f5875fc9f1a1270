import type { Table, TableChange, TableDescription } from '../table.ts'
import type { Migration } from './define-migration.ts'
import type { Kept } from './held-job.ts'
import { layoutOf } from './layout.ts'
import type { MigrationStep } from './phase.ts'
import {
  cleanChanges,
  columnsToAdd,
  indexesToAdd,
  keptOf,
  returnChanges,
  switchChanges,
  undoChanges,
} from './table-changes.ts'

/** The statements that a step will run, beside the rows that it reads and writes. */
export interface StepSql {
  readonly step: MigrationStep
  readonly statements: readonly string[]
}

/** What each step of a migration will run from where the table is now. Nothing is changed. */
export async function stepsSql(
  table: Table,
  migration: Migration,
  described: TableDescription,
  swapped: boolean,
): Promise<StepSql[]> {
  const [before, after] = [layoutOf(migration, false), layoutOf(migration, true)]
  const later = swapped ? described : withColumns(described, columnsToAdd(before, described))
  const kept: Kept = swapped ? {} : keptOf(before, described, {})
  const steps: [MigrationStep, readonly TableChange[]][] = swapped
    ? [
        ['clean', cleanChanges(after, described)],
        ['rollback', returnChanges(before, after)],
      ]
    : [
        [
          'run',
          [...columnsToAdd(before, described), { kind: 'guard', guard: before.guard }, ...indexesToAdd(before, later)],
        ],
        ['switch', switchChanges(before, after, later)],
        ['clean', cleanChanges(after, renamed(later, before, after))],
        ['rollback', undoChanges(before, later, kept)],
      ]
  return Promise.all(
    steps.map(async ([step, changes]) => {
      const statements = await Promise.all(changes.map((change) => table.changeSql(change)))
      return { step, statements: statements.flat() }
    }),
  )
}

function withColumns(described: TableDescription, changes: readonly TableChange[]): TableDescription {
  const added = changes.flatMap((change) =>
    change.kind === 'add-column'
      ? [{ name: change.column, type: change.holds, holds: change.holds, nullable: true, width: null }]
      : [],
  )
  return { ...described, columns: [...described.columns, ...added] }
}

function renamed(
  described: TableDescription,
  before: ReturnType<typeof layoutOf>,
  after: ReturnType<typeof layoutOf>,
): TableDescription {
  const names = new Map(
    before.columns.flatMap(({ old, fresh, field }) => {
      const moved = after.columns.find((column) => column.field.name === field.name)
      return [
        [old, moved?.old ?? old],
        [fresh, moved?.fresh ?? fresh],
      ] as const
    }),
  )
  const rename = (name: string) => names.get(name) ?? name
  return {
    ...described,
    columns: described.columns.map((column) => ({ ...column, name: rename(column.name) })),
    indexes: described.indexes.map((index) => ({ ...index, columns: index.columns.map(rename) })),
  }
}
