import { InvalidInputError, TableError } from '../../src/errors.ts'
import type { QualifiedName } from '../../src/sql/table-name.ts'
import type { TableChange } from '../../src/table.ts'
import { guardChange, unguard } from './guard.ts'
import { quote } from './table-name.ts'
import type { TableNow } from './table-now.ts'

/** Begins a statement whose failure only says that what it does was done before; MySQL has no `if not exists` for columns and indexes. */
export const IF_NEEDED = '/* if needed */ '
/** Duplicate column, duplicate index, nothing there to drop. */
export const DONE_BEFORE = new Set([1060, 1061, 1091])

/**
 * The statements of a change to a table. A guard is changed while others are kept out, as MySQL cannot replace a trigger.
 *
 * @throws InvalidInputError, TableError
 */
export function changeStatements(
  name: QualifiedName,
  change: TableChange,
  { definition, indexes, triggers }: TableNow,
): string[] {
  const table = name.quoted
  const needed = (sql: string) => `${IF_NEEDED}alter table ${table} ${sql}`
  switch (change.kind) {
    case 'add-column': {
      const { column, holds, width, type } = change
      return [needed(`add column ${quote(column)} ${type === undefined ? typeFor(holds, width) : typeName(type)} null`)]
    }
    case 'drop-column': {
      // By itself the server takes the column out of them: what was unique with it need not be unique without.
      const covering = indexes.filter(({ columns }) => columns.includes(change.column))
      return [
        ...covering.map(({ name: index }) => needed(`drop index ${quote(index)}`)),
        needed(`drop column ${quote(change.column)}`),
      ]
    }
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
    case 'guard': {
      const { drops, makes } = guardChange(name, change.guard, triggers)
      return alone(table, [...drops, ...makes])
    }
    case 'unguard':
      return unguard(name, change.name, triggers)
    case 'rename': {
      const renames = change.columns.map(({ from, to }) => `rename column ${quote(from)} to ${quote(to)}`)
      const { drops, makes } = guardChange(name, change.guard, triggers)
      return alone(table, [...drops, `alter table ${table} ${renames.join(', ')}`, ...makes])
    }
  }
}

/** Nobody writes between the statements. */
function alone(table: string, statements: readonly string[]): string[] {
  return statements.length === 0 ? [] : [`lock tables ${table} write`, ...statements, 'unlock tables']
}

function typeFor(holds: 'text' | 'bytes', width: number | undefined): string {
  const limited = width !== undefined && width <= 768
  if (holds === 'bytes') return limited ? `varbinary(${width})` : 'longblob'
  return `${limited ? `varchar(${width})` : 'longtext'} character set utf8mb4 collate utf8mb4_bin`
}

/** A type as `describe` writes it, such as `decimal(10,2) unsigned` or `varchar(30) collate utf8mb4_bin`; nothing that could be more. */
function typeName(type: string): string {
  if (TYPE.test(type)) return type
  throw new InvalidInputError('a type must be named as the catalogue does, such as decimal(10,2)')
}

const TYPE =
  /^([a-z0-9]+(\(\d+(, ?\d+)?\))?( unsigned)?( zerofill)?|(enum|set)\('([^'\\]|'')*'(,'([^'\\]|'')*')*\))( collate [a-z0-9_]+)?$/i

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
