import { InvalidInputError } from '../../src/errors.ts'
import type { QualifiedName } from '../../src/sql/table-name.ts'
import type { TableGuard } from '../../src/table.ts'
import { besides, quote } from './table-name.ts'

/** The bodies of the triggers of a table, by name. */
export type Triggers = ReadonlyMap<string, string>

/** Triggers to drop, and statements that make others. */
export interface GuardChange {
  readonly drops: readonly string[]
  readonly makes: readonly string[]
}

/**
 * What makes a guard of the triggers that are there. Each watched column has a trigger of its own, and one that is right is left
 * alone: MySQL cannot replace a trigger, and a column is not watched between a drop and the next statement.
 *
 * @throws InvalidInputError
 */
export function guardChange(name: QualifiedName, guard: TableGuard, there: Triggers): GuardChange {
  const wanted = new Map(guard.watched.map((one, at) => [triggerName(guard.name, at), bodyOf(one)]))
  return {
    drops: ownTriggers(guard.name, there)
      .filter((trigger) => wanted.get(trigger) !== there.get(trigger))
      .map((trigger) => dropTrigger(name, trigger)),
    makes: [...wanted]
      .filter(([trigger, body]) => there.get(trigger) !== body)
      .map(
        ([trigger, body]) =>
          `create trigger ${besides(name, trigger)} before update on ${name.quoted} for each row\n${body}`,
      ),
  }
}

/** The statements that drop a guard. */
export function unguard(name: QualifiedName, guard: string, there: Triggers): string[] {
  return ownTriggers(guard, there).map((trigger) => dropTrigger(name, trigger))
}

function triggerName(guard: string, at: number): string {
  return `${guard}_${at + 1}`
}

function ownTriggers(guard: string, there: Triggers): string[] {
  return [...there.keys()].filter((name) => name.startsWith(`${guard}_`) && /^\d+$/.test(name.slice(guard.length + 1)))
}

function dropTrigger(name: QualifiedName, trigger: string): string {
  return `drop trigger if exists ${besides(name, trigger)}`
}

/** Compared as values and as bytes: a collation takes different texts for one, and the text of a number different numbers. */
function bodyOf({ source, derived }: TableGuard['watched'][number]): string {
  const same = (column: string) =>
    `(new.${quote(column)} <=> old.${quote(column)} and cast(new.${quote(column)} as binary) <=> cast(old.${quote(column)} as binary))`
  const [first] = derived
  if (first === undefined) throw new InvalidInputError(`nothing is derived from ${source}`)
  const emptied = derived.map((column) => `set new.${quote(column)} = null;`).join(' ')
  return `begin if not ${same(source)} and ${same(first)} then ${emptied} end if; end`
}
