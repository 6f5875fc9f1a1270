import { InvalidInputError } from '../../src/errors.ts'
import type { QualifiedName } from '../../src/sql/table-name.ts'
import type { TableChange, TableGuard } from '../../src/table.ts'
import { type Declared, isConstrained, REBUILD, rebuildSql } from './rebuild.ts'
import type { KnownTable } from './table-description.ts'
import { besides, quote } from './table-name.ts'

/** Begins a statement whose failure only says that what it does was done before: SQLite has no `if not exists` for columns. */
export const IF_NEEDED = '-- if needed\n'
/** At the beginning: SQLite also ends with such words where a view or an index still needs the column. */
const DONE_BEFORE = /^(duplicate column name|no such column)\b/

/** Whether a statement failed only because it was made before. */
export function wasDone(statement: string, error: unknown): boolean {
  return statement.startsWith(IF_NEEDED) && error instanceof Error && DONE_BEFORE.test(error.message)
}

/**
 * The statements of a change to a table; each is run as one transaction, also where it is several.
 *
 * @throws InvalidInputError; TableError where the declaration of the table is not understood
 */
export function changeStatements(known: KnownTable, declared: Declared, change: TableChange): string[] {
  const { name, description } = known
  const table = name.quoted
  switch (change.kind) {
    case 'add-column': {
      const type = change.type === undefined ? { text: 'text', bytes: 'blob' }[change.holds] : typeName(change.type)
      return [`${IF_NEEDED}alter table ${table} add column ${quote(change.column)} ${type}`]
    }
    case 'drop-column': {
      const isThere = description.columns.some(({ name: column }) => column === change.column)
      if (isThere && isConstrained(declared, change.column)) return [`${REBUILD}${rebuildSql(known, declared, change)}`]
      const covering = description.indexes.filter(({ columns }) => columns.includes(change.column))
      const drops = covering.map(({ name: index }) => `drop index if exists ${besides(name, index)};\n`)
      return [`${IF_NEEDED}${drops.join('')}alter table ${table} drop column ${quote(change.column)}`]
    }
    case 'allow-null':
    case 'refuse-null': {
      const found = description.columns.find(({ name: column }) => column === change.column)
      if (found === undefined) throw new InvalidInputError(`table ${name.text} has no column ${change.column}`)
      if (found.nullable === (change.kind === 'allow-null')) return []
      if (!altersNulls(known)) return [`${REBUILD}${rebuildSql(known, declared, change)}`]
      const verb = change.kind === 'allow-null' ? 'drop' : 'set'
      return [`alter table ${table} alter column ${quote(change.column)} ${verb} not null`]
    }
    case 'add-index':
      return [
        `create index if not exists ${besides(name, change.index)} on ${quote(name.table)} (${quote(change.column)})`,
      ]
    case 'drop-index':
      return [`drop index if exists ${besides(name, change.index)}`]
    case 'guard':
      return [[dropGuard(name, change.guard.name), guardSql(name, description.primaryKey, change.guard)].join(';\n')]
    case 'unguard':
      return [dropGuard(name, change.name)]
    case 'rename': {
      const renames = change.columns.map(
        ({ from, to }) => `alter table ${table} rename column ${quote(from)} to ${quote(to)}`,
      )
      const guard = guardSql(name, description.primaryKey, change.guard)
      return [[dropGuard(name, change.guard.name), ...renames, guard].join(';\n')]
    }
  }
}

/** Since 3.53; before it, such a table is made anew. */
function altersNulls({ version: [major = 0, minor = 0] }: KnownTable): boolean {
  return major > 3 || (major === 3 && minor >= 53)
}

function dropGuard(name: QualifiedName, guard: string): string {
  return `drop trigger if exists ${besides(name, guard)}`
}

/** A trigger of SQLite cannot change the row that is about to be written, so that it updates the row behind it, in the same statement. */
function guardSql(name: QualifiedName, primaryKey: readonly string[], { name: guard, watched }: TableGuard): string {
  const row = primaryKey.map((column) => `${quote(column)} = new.${quote(column)}`).join(' and ')
  const same = (column: string) => `new.${quote(column)} collate binary is old.${quote(column)}`
  const rules = watched.map(({ source, derived }) => {
    const [first] = derived
    if (first === undefined) throw new InvalidInputError(`nothing is derived from ${source}`)
    const emptied = derived.map((column) => `${quote(column)} = null`).join(', ')
    return `  update ${quote(name.table)} set ${emptied} where ${row} and not (${same(source)}) and ${same(first)};\n`
  })
  return `create trigger ${besides(name, guard)} after update on ${quote(name.table)} for each row
begin
${rules.join('')}end`
}

/** A type as it was declared; nothing that could be more than a type. */
function typeName(type: string): string {
  if (/^[a-z_][a-z0-9_ ]*(\(\d+(, ?\d+)?\))?$/i.test(type) || type === '') return type
  throw new InvalidInputError('a type must be named as it was declared, such as decimal(10,2)')
}
