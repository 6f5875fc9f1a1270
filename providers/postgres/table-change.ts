import { InvalidInputError } from '../../src/errors.ts'
import type { QualifiedName } from '../../src/sql/table-name.ts'
import type { TableChange, TableGuard } from '../../src/table.ts'
import { besides, quote } from './table-name.ts'

/** A change that waits for the table holds up everybody who comes after it: it gives up early and is tried again. */
const LOCK_TIMEOUT_MS = 3_000

/**
 * The statements of a change to a table. Each is one query, which PostgreSQL runs as one transaction; indexes are made
 * concurrently, which it allows outside of a transaction alone.
 *
 * @throws InvalidInputError
 */
export function changeStatements(name: QualifiedName, change: TableChange): string[] {
  const { quoted } = name
  switch (change.kind) {
    case 'add-column': {
      const type = change.type === undefined ? { text: 'text', bytes: 'bytea' }[change.holds] : typeName(change.type)
      return [alter(`alter table ${quoted} add column if not exists ${quote(change.column)} ${type}`)]
    }
    case 'drop-column':
      return [alter(`alter table ${quoted} drop column if exists ${quote(change.column)}`)]
    case 'allow-null':
      return [alter(`alter table ${quoted} alter column ${quote(change.column)} drop not null`)]
    case 'refuse-null':
      return [alter(`alter table ${quoted} alter column ${quote(change.column)} set not null`)]
    case 'add-index': {
      // One whose making was cut short stays behind, and is of no use.
      const made = `create index concurrently ${quote(change.index)} on ${quoted} (${quote(change.column)})`
      return [dropIndex(name, change.index), made]
    }
    case 'drop-index':
      return [dropIndex(name, change.index)]
    case 'guard':
      return [alter(guardSql(name, change.guard))]
    case 'unguard': {
      const drops = [
        `drop trigger if exists ${quote(change.name)} on ${quoted}`,
        `drop function if exists ${besides(name, change.name)}()`,
      ]
      return [alter(drops.join(';\n'))]
    }
    case 'rename': {
      const renames = change.columns.map(
        ({ from, to }) => `alter table ${quoted} rename column ${quote(from)} to ${quote(to)}`,
      )
      return [alter([...renames, guardSql(name, change.guard)].join(';\n'))]
    }
  }
}

function alter(sql: string): string {
  return `select set_config('lock_timeout', '${LOCK_TIMEOUT_MS}', true);\n${sql}`
}

function dropIndex(name: QualifiedName, index: string): string {
  return `drop index concurrently if exists ${besides(name, index)}`
}

/**
 * Compared as text: not every type, json for one, has an equality. By bytes: under a collation that takes two texts for one,
 * a change from the one to the other would be none. The search path is fixed, so that nobody replaces an
 * operator.
 */
function guardSql(name: QualifiedName, { name: guard, watched }: TableGuard): string {
  const made = besides(name, guard)
  const rules = watched.map(({ source, derived }) => {
    const [first] = derived
    if (first === undefined) throw new InvalidInputError(`nothing is derived from ${source}`)
    const changed = `NEW.${quote(source)}::text collate "C" is distinct from OLD.${quote(source)}::text collate "C"`
    const emptied = derived.map((column) => `NEW.${quote(column)} := null;`).join(' ')
    return `  if ${changed} and NEW.${quote(first)} is not distinct from OLD.${quote(first)} then ${emptied} end if;\n`
  })
  const body = `begin\n${rules.join('')}  return NEW;\nend`
  if (body.includes(DELIMITER)) throw new InvalidInputError(`a column must not be called ${DELIMITER}`)
  return `create or replace function ${made}() returns trigger language plpgsql set search_path = pg_catalog as ${DELIMITER}
${body}
${DELIMITER};
drop trigger if exists ${quote(guard)} on ${name.quoted};
create trigger ${quote(guard)} before update on ${name.quoted} for each row execute function ${made}()`
}

const DELIMITER = '$strongroom$'

/** A type as the catalogue writes it, such as `numeric(10,2)` or `timestamp(3) with time zone[]`; nothing that could be more than a type. */
function typeName(type: string): string {
  if (/^[a-z_][a-z0-9_ .]*(\(\d+(, ?\d+)?\))?[a-z ]*(\[\])*$/i.test(type)) return type
  throw new InvalidInputError('a type must be named as the catalogue does, such as numeric(10,2)')
}
