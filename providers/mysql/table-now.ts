import type { TableIndex } from '../../src/table.ts'
import type { Triggers } from './guard.ts'
import { readCommitted, type Session } from './session.ts'
import type { KnownTable } from './table-description.ts'
import { quote } from './table-name.ts'

/** What a change must know of a table as it is. */
export interface TableNow {
  /** Of a column as `show create table` has it, or undefined where it is not there. */
  readonly definition: (column: string) => string | undefined
  readonly indexes: readonly TableIndex[]
  readonly triggers: Triggers
}

/** Reads what a change must know. */
export async function tableNow(session: Session, { name, description }: KnownTable): Promise<TableNow> {
  const [row] = await session.rows(`show create table ${name.quoted}`)
  const lines = String(row?.['Create Table']).split('\n')
  const triggers = await readCommitted(session, TRIGGERS, [name.schema ?? null, name.table])
  return {
    definition: (column) => {
      const begin = `  ${quote(column)} `
      return lines
        .find((line) => line.startsWith(begin))
        ?.slice(begin.length)
        .replace(/,$/, '')
    },
    indexes: description.indexes,
    triggers: new Map(triggers.map(({ name: trigger, body }) => [String(trigger), String(body)])),
  }
}

const TRIGGERS = `select trigger_name as name, action_statement as body from information_schema.triggers
where event_object_schema = coalesce(?, database()) and event_object_table = ?`
