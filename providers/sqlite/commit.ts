import { InvalidInputError } from '../../src/errors.ts'
import type { CommitResult, KeyCommit, KeyPut, KeyRecord } from '../../src/key-store.ts'
import { ROW_NAMES, recordRow } from '../../src/sql/key-rows.ts'
import type { SqliteDatabase } from './database.ts'
import { brokenUnique } from './faults.ts'
import type { TableNames } from './names.ts'
import { inTransaction, rowsOf } from './transaction.ts'

type Conflict = Exclude<CommitResult, { written: true }>['conflict']

/** Ends the transaction of a commit that may not be written. */
class Refused extends Error {
  readonly conflict: Conflict

  constructor(conflict: Conflict) {
    super(conflict)
    this.conflict = conflict
  }
}

/** Writes a commit in one transaction, which has the lock of the writer from its beginning: nobody else writes until its end. */
export async function commitTo(
  database: SqliteDatabase,
  names: TableNames,
  commit: KeyCommit,
  waitMs: number,
): Promise<CommitResult> {
  const rows = commit.puts.map(({ record }) => cellsOf(record))
  try {
    await inTransaction(database, { mode: 'write', waitMs }, () => write(database, names, commit, rows))
    return { written: true }
  } catch (error) {
    if (error instanceof Refused) return { written: false, conflict: error.conflict }
    throw error
  }
}

function write(database: SqliteDatabase, names: TableNames, { puts, log }: KeyCommit, rows: readonly Cell[][]): void {
  if (log !== null) {
    const { seq, at, action, changes, previous, hash, root, mac } = log
    const [last] = rowsOf(database, `select cast(coalesce(max(seq), 0) as text) as seq from ${names.log}`)
    if (Number(last?.seq) + 1 !== seq) throw new Refused('log')
    const sql = `insert into ${names.log} (seq, at, action, changes, previous, hash, root, mac) values (?, ?, ?, ?, ?, ?, ?, ?)`
    database.prepare(sql).run(BigInt(seq), at, action, JSON.stringify(changes), previous, hash, root, mac)
  }
  const revision = database.prepare(`select cast(rev as text) as rev from ${names.keys} where id = ?`)
  const isRight = ({ record, replaces }: KeyPut) => {
    const [row] = revision.all(record.id) as { rev?: unknown }[]
    return (row === undefined ? null : Number(row.rev)) === replaces
  }
  if (!puts.every(isRight)) throw new Refused('revision')
  const insert = database.prepare(
    `insert into ${names.keys} (${ROW_NAMES.join(', ')}) values (${ROW_NAMES.map(() => '?').join(', ')})`,
  )
  const set = ROW_NAMES.slice(1).map((name) => `${name} = ?`)
  const update = database.prepare(`update ${names.keys} set ${set.join(', ')} where id = ?`)
  try {
    // A key stops being active before another becomes it: the unique index looks at each row as it is written.
    for (const becomesActive of [false, true]) {
      for (const [at, { record, replaces }] of puts.entries()) {
        if ((record.state === 'active') !== becomesActive) continue
        const cells = rows[at] as Cell[]
        if (replaces === null) insert.run(...cells)
        else update.run(...cells.slice(1), record.id)
      }
    }
  } catch (error) {
    throw conflictOf(error) ?? error
  }
}

type Cell = string | bigint | null

function cellsOf(record: KeyRecord): Cell[] {
  const row = recordRow(record)
  return ROW_NAMES.map((name) => {
    const value = row[name]
    if (name === 'wraps') return JSON.stringify(value)
    if (value === null) return null
    if (typeof value === 'number') return BigInt(value)
    const text = String(value)
    if (!isStorable(text)) throw new InvalidInputError('text must be well-formed Unicode without a zero character')
    return text
  })
}

/** Functions of SQLite take a zero character for the end of a text. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** Which condition a unique constraint stands for, told by its last column. */
function conflictOf(error: unknown): Refused | undefined {
  const columns = brokenUnique(error)
  if (columns === undefined) return undefined
  const conflicts: Readonly<Record<string, Conflict>> = { id: 'revision', scope: 'active', generation: 'generation' }
  const conflict = conflicts[columns.slice(columns.lastIndexOf('.') + 1)]
  return conflict === undefined ? undefined : new Refused(conflict)
}
