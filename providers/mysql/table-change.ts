import { InvalidInputError, TableError } from '../../src/errors.ts'
import type { QualifiedName } from '../../src/sql/table-name.ts'
import type { TableChange, TableGuard } from '../../src/table.ts'
import { quote } from './table-name.ts'

/** Begins a statement whose failure only says that what it does was done before; MySQL has no `if not exists` for columns and indexes. */
export const IF_NEEDED = '/* if needed */ '
/** Duplicate column, duplicate index, nothing there to drop. */
export const DONE_BEFORE = new Set([1060, 1061, 1091])

/**
 * The statements of a change to a table. A guard is replaced while others are kept out, as MySQL cannot replace a trigger.
 *
 * @param definition of a column as `show create table` has it, or undefined where it is not there
 * @throws InvalidInputError, TableError
 */
export function changeStatements(
  name: QualifiedName,
  change: TableChange,
  definition: (column: string) => string | undefined,
): string[] {
  const table = name.quoted
  const needed = (sql: string) => `${IF_NEEDED}alter table ${table} ${sql}`
  switch (change.kind) {
    case 'add-column': {
      const { column, holds, width, type } = change
      return [needed(`add column ${quote(column)} ${type === undefined ? typeFor(holds, width) : typeName(type)} null`)]
    }
    case 'drop-column':
      return [needed(`drop column ${quote(change.column)}`)]
    case 'allow-null':
    case 'refuse-null': {
      const known = definition(change.column)
      if (known === undefined) throw new InvalidInputError(`table ${name.text} has no column ${change.column}`)
      const nullness = change.kind === 'allow-null' ? 'null' : 'not null'
      return [`alter table ${table} modify column ${quote(change.column)} ${withoutNullness(known)} ${nullness}`]
    }
    case 'add-index': {
      // Of a column without a small limit only the beginning fits an index.
      const long = /^(tiny|medium|long)?(text|blob)\b/.test(definition(change.column) ?? '')
      return [needed(`add index ${quote(change.index)} (${quote(change.column)}${long ? '(64)' : ''})`)]
    }
    case 'drop-index':
      return [needed(`drop index ${quote(change.index)}`)]
    case 'guard':
      return alone(table, [dropGuard(name, change.guard.name), guardSql(name, change.guard)])
    case 'unguard':
      return [dropGuard(name, change.name)]
    case 'rename': {
      const renames = change.columns.map(({ from, to }) => `rename column ${quote(from)} to ${quote(to)}`)
      const alter = `alter table ${table} ${renames.join(', ')}`
      return alone(table, [dropGuard(name, change.guard.name), alter, guardSql(name, change.guard)])
    }
  }
}

/** Nobody writes between the statements. */
function alone(table: string, statements: readonly string[]): string[] {
  return [`lock tables ${table} write`, ...statements, 'unlock tables']
}

function within({ schema }: QualifiedName, name: string): string {
  return schema === undefined ? quote(name) : `${quote(schema)}.${quote(name)}`
}

function dropGuard(name: QualifiedName, guard: string): string {
  return `drop trigger if exists ${within(name, guard)}`
}

/** Compared as values and as bytes: a collation takes different texts for one, and the text of a number different numbers. */
function guardSql(name: QualifiedName, { name: guard, watched }: TableGuard): string {
  const same = (column: string) =>
    `(new.${quote(column)} <=> old.${quote(column)} and cast(new.${quote(column)} as binary) <=> cast(old.${quote(column)} as binary))`
  const rules = watched.map(({ source, derived }) => {
    const [first] = derived
    if (first === undefined) throw new InvalidInputError(`nothing is derived from ${source}`)
    const emptied = derived.map((column) => `set new.${quote(column)} = null;`).join(' ')
    return `  if not ${same(source)} and ${same(first)} then ${emptied} end if;\n`
  })
  return `create trigger ${within(name, guard)} before update on ${name.quoted} for each row
begin
${rules.join('')}end`
}

function typeFor(holds: 'text' | 'bytes', width: number | undefined): string {
  const limited = width !== undefined && width <= 768
  if (holds === 'bytes') return limited ? `varbinary(${width})` : 'longblob'
  return `${limited ? `varchar(${width})` : 'longtext'} character set utf8mb4 collate utf8mb4_bin`
}

/** A type as `describe` writes it, such as `decimal(10,2) unsigned` or `varchar(30) collate utf8mb4_bin`; nothing that could be more. */
function typeName(type: string): string {
  if (/^[a-z]+(\(\d+(, ?\d+)?\))?( unsigned)?( zerofill)?( collate [a-z0-9_]+)?$/i.test(type)) return type
  throw new InvalidInputError('a type must be named as the catalogue does, such as decimal(10,2)')
}

/** A definition without what it says of null; what is in quotes is left alone. */
function withoutNullness(definition: string): string {
  if (/\bgenerated always\b/i.test(definition)) {
    throw new TableError('misconfigured', 'a generated column is null or not by what it is generated from')
  }
  return definition
    .split(/('(?:[^'\\]|''|\\.)*')/)
    .map((part, at) => (at % 2 === 1 ? part : part.replace(/ (?:not null|default null|null)\b/gi, '')))
    .join('')
}
