import { InvalidInputError } from '../../src/errors.ts'
import type { JobWrite } from '../../src/job.ts'
import { columnOf, comparedColumn, groupChanges } from '../../src/sql/table-checks.ts'
import type { Cell, RowChange } from '../../src/table.ts'
import { isSame, numberOrText, sameValues } from './cell-text.ts'
import type { SqliteDatabase } from './database.ts'
import { saveJob } from './jobs.ts'
import type { KnownTable } from './table-description.ts'
import { quote } from './table-name.ts'
import { columnSql, keyValues } from './table-sql.ts'

/** A statement for changes of one shape, with the values of each and its place in what was given. */
export interface Batch {
  readonly sql: string
  readonly rows: readonly { readonly values: readonly unknown[]; readonly at: number }[]
}

/** Everything that can be refused is refused here, before a transaction begins. @throws InvalidInputError */
export function batchesOf(known: KnownTable, changes: readonly RowChange[]): Batch[] {
  return groupChanges(changes).map((group) => {
    const [{ change: first }] = group as [{ change: RowChange; at: number }]
    const { expected, expectedTexts = {}, set } = first
    const names = { expected: Object.keys(expected), texts: Object.keys(expectedTexts), set: Object.keys(set) }
    const isNumeric = (name: string) => columnOf(known, name).alters?.numbers !== undefined
    const assigned = names.set.map((name) => `${quote(columnOf(known, name).name)} = ?`)
    const conditions = [
      ...known.description.primaryKey.map((name) => `t.${quote(name)} = ?`),
      // Byte for byte, whatever collation the column has; null is a value like any other.
      ...names.expected.map((name) => isSame(columnSql(known, comparedColumn(known, name).name))),
      ...names.texts.map((name) => isSame(columnSql(known, name))),
    ]
    const rows = group.map(({ change, at }) => ({
      at,
      values: [
        ...names.set.map((name) => {
          const sent = cell(change.set[name])
          return isNumeric(name) ? numberOrText(sent) : sent
        }),
        ...keyValues(known, change.key),
        ...names.expected.flatMap((name) => sameValues(cell(change.expected[name]))),
        ...names.texts.flatMap((name) => sameValues(cell(change.expectedTexts?.[name]))),
      ],
    }))
    return {
      sql: `update ${known.name.quoted} as t set ${assigned.join(', ')} where ${conditions.join(' and ')}`,
      rows,
    }
  })
}

/** Writes a batch and its checkpoint, within a transaction. @returns for each of `count` changes whether it was made @throws JobLostError */
export function writeBatches(
  database: SqliteDatabase,
  { batches, count, jobs, job }: { batches: readonly Batch[]; count: number; jobs: string; job: JobWrite | undefined },
): boolean[] {
  if (job !== undefined) saveJob(database, jobs, job)
  const made = Array.from({ length: count }, () => false)
  for (const { sql, rows } of batches) {
    const statement = database.prepare(sql)
    for (const { values, at } of rows) made[at] = Number(statement.run(...values).changes) === 1
  }
  return made
}

function cell(value: Cell): string | Buffer | null {
  if (value === null || value === undefined) return null
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (typeof value !== 'string') throw new InvalidInputError('a cell is written as text, bytes, a number or null')
  if (!value.isWellFormed()) throw new InvalidInputError('text must be well-formed Unicode')
  return value
}
