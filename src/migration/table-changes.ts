import { ConfigError } from '../errors.ts'
import type { TableChange, TableDescription } from '../table.ts'
import type { Kept } from './held-job.ts'
import { findColumn, indexName, type Layout, tagWidth } from './layout.ts'

/** The columns that are not there yet. @throws ConfigError when the table cannot be migrated as declared */
export function columnsToAdd(layout: Layout, described: TableDescription): TableChange[] {
  for (const { old } of layout.columns) {
    if (described.primaryKey.includes(old))
      throw new ConfigError(`${layout.record}: column ${old} is part of the primary key`)
    const found = findColumn(described, old)
    if (found === undefined) throw new ConfigError(`${layout.record}: the table has no column ${old}`)
    if (found.noText !== undefined)
      throw new ConfigError(`${layout.record}: column ${old} (${found.type}) ${found.noText}`)
  }
  const changes: TableChange[] = []
  for (const { fresh, field } of layout.columns) {
    const change = { kind: 'add-column', column: fresh, holds: field.binary ? 'bytes' : 'text' } as const
    if (isMissing(layout, described, change)) changes.push(change)
  }
  for (const index of layout.indexes) {
    const holds = index.binary ? 'bytes' : 'text'
    const change = { kind: 'add-column', column: index.column, holds, width: tagWidth(index) } as const
    if (isMissing(layout, described, change)) changes.push(change)
  }
  return changes
}

function isMissing(
  { record }: Layout,
  described: TableDescription,
  { column, holds, width = 0 }: Extract<TableChange, { kind: 'add-column' }>,
): boolean {
  const found = findColumn(described, column)
  if (found === undefined) return true
  const where = `${record}: column ${column} (${found.type})`
  if (found.holds !== holds) throw new ConfigError(`${where} is there already, and does not hold ${holds}`)
  if (!found.nullable) throw new ConfigError(`${where} must be nullable until the migration is done`)
  if (found.width !== null && found.width < width)
    throw new ConfigError(`${where} is too narrow for a tag: it takes ${width}`)
  return false
}

/** The indexes that index columns do not have yet. */
export function indexesToAdd({ record, indexes }: Layout, described: TableDescription): TableChange[] {
  return indexes
    .filter(({ column }) => !described.indexes.some(({ columns }) => columns.includes(column)))
    .map(({ column }) => ({ kind: 'add-index', index: indexName(record, column), column }))
}

/** The old columns get out of the way, where they have the name of the field, and may be left out by whoever inserts. */
export function switchChanges(before: Layout, after: Layout, described: TableDescription): TableChange[] {
  const renames = before.columns.filter(({ keepsName }) => keepsName)
  const columns = renames.flatMap(({ field, old, fresh }) => {
    const { old: retired } = after.columns.find(
      (moved) => moved.field === field || moved.field.name === field.name,
    ) ?? { old }
    return [
      { from: old, to: retired },
      { from: fresh, to: field.name },
    ]
  })
  return [
    ...before.columns
      .filter(({ old }) => findColumn(described, old)?.nullable === false)
      .map(({ old }): TableChange => ({ kind: 'allow-null', column: old })),
    ...(columns.length === 0 ? [] : [{ kind: 'rename', columns, guard: after.guard } as const]),
  ]
}

/** The same back. */
export function returnChanges(before: Layout, after: Layout): TableChange[] {
  const columns = before.columns
    .filter(({ keepsName }) => keepsName)
    .flatMap(({ field, old, fresh }) => {
      const retired = after.columns.find((moved) => moved.field.name === field.name)?.old ?? old
      return [
        { from: field.name, to: fresh },
        { from: retired, to: old },
      ]
    })
  return columns.length === 0 ? [] : [{ kind: 'rename', columns, guard: before.guard }]
}

/** The old columns are dropped, and with them their indexes. */
export function cleanChanges({ columns, guard }: Layout, described: TableDescription): TableChange[] {
  const gone = columns.map(({ old }) => old)
  return [{ kind: 'unguard', name: guard.name }, ...dropColumns(gone, described)]
}

/** The encrypted columns that the migration made are dropped. */
export function undoChanges(
  { columns, indexes, guard }: Layout,
  described: TableDescription,
  kept: Kept,
): TableChange[] {
  const added = new Set(kept[ADDED]?.split('\n'))
  const gone = [...columns.map(({ fresh }) => fresh), ...indexes.map(({ column }) => column)].filter((column) =>
    added.has(column),
  )
  return [{ kind: 'unguard', name: guard.name }, ...dropColumns(gone, described)]
}

function dropColumns(gone: readonly string[], described: TableDescription): TableChange[] {
  const there = gone.filter((column) => findColumn(described, column) !== undefined)
  const indexes = described.indexes.filter(({ columns }) => columns.some((column) => there.includes(column)))
  return [
    ...indexes.filter(({ unique }) => !unique).map(({ name }): TableChange => ({ kind: 'drop-index', index: name })),
    ...there.map((column): TableChange => ({ kind: 'drop-column', column })),
  ]
}

/** The old columns that were dropped are made anew, of the types they had. @throws ConfigError when those are not known */
export function columnsToRecreate({ record, columns }: Layout, described: TableDescription, kept: Kept): TableChange[] {
  return columns
    .filter(({ old }) => findColumn(described, old) === undefined)
    .map(({ old, field }) => {
      const type = kept[typeOf(field.name)]
      if (type === undefined) throw new ConfigError(`${record}: the type that column ${old} had is not known any more`)
      return { kind: 'add-column', column: old, holds: 'text', type }
    })
}

/** Old columns that could not be null get that back. */
export function nullsToRefuse({ columns }: Layout, kept: Kept): TableChange[] {
  return columns
    .filter(({ field }) => kept[nullsOf(field.name)] === 'refused')
    .map(({ old }) => ({ kind: 'refuse-null', column: old }))
}

/** What must be remembered of a table before anything is changed. */
export function keptOf(layout: Layout, described: TableDescription, kept: Kept): Kept {
  const added = columnsToAdd(layout, described).map((change) => (change as { column: string }).column)
  const known = new Set([...(kept[ADDED]?.split('\n') ?? []), ...added])
  const out: Record<string, string> = { ...kept, [ADDED]: [...known].join('\n') }
  for (const { field, old } of layout.columns) {
    const column = findColumn(described, old)
    out[typeOf(field.name)] ??= column?.type ?? ''
    out[nullsOf(field.name)] ??= column?.nullable === false ? 'refused' : 'allowed'
  }
  return out
}

const ADDED = 'added'
const typeOf = (field: string) => `type of ${field}`
const nullsOf = (field: string) => `nulls of ${field}`
