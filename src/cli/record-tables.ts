import type { StrongroomConfig } from '../config.ts'
import type { AnyRecord } from '../records/record-types.ts'
import type { Table } from '../table.ts'
import { CommandError } from './output.ts'

/** A record of the configuration, and its table. */
export interface RecordTable {
  /** Its name in `records` and `tables`. */
  readonly name: string
  readonly schema: AnyRecord
  readonly table: Table
}

/**
 * The records that a command was called for, with their tables; all that have one when none is named.
 *
 * @throws CommandError when one has no table, or there is none
 */
export function recordTables({ records = {}, tables = {} }: StrongroomConfig, names: readonly string[]): RecordTable[] {
  const wanted = names.length > 0 ? [...new Set(names)] : Object.keys(tables)
  if (wanted.length === 0) {
    throw new CommandError('the configuration has no tables', {
      exitCode: 2,
      hint: 'add `tables: { users: postgresTable({ … }) }` beside `records`',
    })
  }
  return wanted.map((name) => {
    const schema = Object.hasOwn(records, name) ? records[name] : undefined
    const table = Object.hasOwn(tables, name) ? tables[name] : undefined
    if (schema !== undefined && table !== undefined) return { name, schema, table }
    const known = Object.keys(tables).join(', ') || 'none'
    throw new CommandError(`the configuration has no table ${name}`, { exitCode: 2, hint: `tables: ${known}` })
  })
}

/** Closes every table of a configuration. */
export async function closeTables({ tables = {} }: StrongroomConfig): Promise<void> {
  await Promise.allSettled(Object.values(tables).map((table) => table?.close?.()))
}
