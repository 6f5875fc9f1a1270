import type { CommitResult, KeyCommit, KeyLogEntry, KeyPut, KeyRecord } from '../../src/key-store.ts'
import { ROW_NAMES, recordRow } from '../../src/sql/key-rows.ts'
import { tryAgain } from '../../src/sql/try-again.ts'
import type { Connected } from './client.ts'
import { DUPLICATE_ENTRY, isRace, numberOf } from './faults.ts'
import type { TableNames } from './names.ts'
import { partsOf, sentRows, sentSize } from './sent-rows.ts'
import { inTransaction, type Session } from './session.ts'
import { ACTIVE_INDEX, GENERATION_INDEX } from './tables-sql.ts'

type Conflict = Exclude<CommitResult, { written: true }>['conflict']

/** Bytes of one statement: 10,000 records of usual size are some ten statements. */
const STATEMENT_BYTES = 1_000_000

/** Ends the transaction of a commit that may not be written. */
class Refused extends Error {
  readonly conflict: Conflict

  constructor(conflict: Conflict) {
    super(conflict)
    this.conflict = conflict
  }
}

/**
 * Writes a commit in one transaction. The constraints of the tables decide who wins; the revisions are compared under a
 * lock on the rows. A writer that dies leaves nothing: its transaction ends with its connection.
 */
export async function commitTo(
  { pool, maxPacket }: Connected,
  names: TableNames,
  commit: KeyCommit,
  lockTimeoutMs: number,
): Promise<CommitResult> {
  const maxBytes = Math.min(STATEMENT_BYTES, maxPacket / 2)
  try {
    await tryAgain(isRace, () =>
      inTransaction(pool, { lockTimeoutMs }, (session) => write(session, names, commit, maxBytes)),
    )
    return { written: true }
  } catch (error) {
    if (error instanceof Refused) return { written: false, conflict: error.conflict }
    throw error
  }
}

async function write(session: Session, names: TableNames, { puts, log }: KeyCommit, maxBytes: number): Promise<void> {
  if (log !== null) await append(session, names, log)
  await assertRevisions(session, names, puts)
  const changed = puts.filter(({ replaces }) => replaces !== null)
  // A key stops being active before another becomes it: the unique index looks at each row as it is written.
  for (const becomesActive of [false, true]) {
    const part = changed.filter(({ record }) => (record.state === 'active') === becomesActive)
    await send(session, names, updateSql, part, maxBytes)
  }
  const created = puts.filter(({ replaces }) => replaces === null)
  await send(session, names, insertSql, created, maxBytes)
}

/** Where another has just taken the number, the primary key says so; where it is too high, nothing is inserted. */
async function append(session: Session, { log }: TableNames, entry: KeyLogEntry): Promise<void> {
  const { seq, at, action, changes, previous, hash, root, mac } = entry
  const sql = `insert into ${log} (seq, at, action, changes, previous, hash, root, mac)
select cast(? as signed), ?, ?, ?, ?, ?, ?, ? from dual where cast(? as signed) = (select coalesce(max(seq), 0) + 1 from ${log})`
  const values = [String(seq), at, action, JSON.stringify(changes), previous, hash, root, mac, String(seq)]
  const appended = await session.affected(sql, values).catch((error) => {
    if (numberOf(error) === DUPLICATE_ENTRY) return 0
    throw error
  })
  if (appended !== 1) throw new Refused('log')
}

async function assertRevisions(session: Session, { keys }: TableNames, puts: readonly KeyPut[]): Promise<void> {
  if (puts.length === 0) return
  const ids = puts.map(({ record }) => record.id).sort()
  const sent = sentRows(
    ['text'],
    ids.map((id) => [id]),
  )
  const sql = `select k.id as id, cast(k.rev as char) as rev from ${sent.from} straight_join ${keys} as k on k.id = ${sent.columns[0]} for update`
  const rows = await session.rows(sql, [sent.value])
  const revisions = new Map(rows.map(({ id, rev }) => [id, Number(rev)]))
  const isRight = ({ record, replaces }: KeyPut) => (revisions.get(record.id) ?? null) === replaces
  if (!puts.every(isRight)) throw new Refused('revision')
}

/** In order of purpose and scope, so that two writers of the same scopes wait for each other and do not cross. */
async function send(
  session: Session,
  names: TableNames,
  sqlOf: (names: TableNames, from: string, columns: readonly string[]) => string,
  puts: readonly KeyPut[],
  maxBytes: number,
): Promise<void> {
  const rows = puts
    .map(({ record }) => record)
    .sort((a, b) => compare(a.purpose, b.purpose) || compare(a.scope, b.scope))
    .map(cellsOf)
  const sizeOf = (row: readonly (string | null)[]) => row.reduce((sum, cell) => sum + sentSize(cell), 2)
  for (const part of partsOf(rows, sizeOf, maxBytes)) {
    const { from, value, columns } = sentRows(
      ROW_NAMES.map(() => 'text'),
      part,
    )
    try {
      await session.affected(sqlOf(names, from, columns), [value])
    } catch (error) {
      throw conflictOf(error) ?? error
    }
  }
}

function cellsOf(record: KeyRecord): (string | null)[] {
  const row = recordRow(record)
  return ROW_NAMES.map((name) => {
    const value = row[name]
    if (name === 'wraps') return JSON.stringify(value)
    return value === null ? null : String(value)
  })
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function insertSql({ keys }: TableNames, from: string, columns: readonly string[]): string {
  return `insert into ${keys} (${ROW_NAMES.join(', ')}) select ${columns.join(', ')} from ${from} order by d.n`
}

function updateSql({ keys }: TableNames, from: string, columns: readonly string[]): string {
  const set = ROW_NAMES.map((name, at) => `k.${name} = ${columns[at]}`).slice(1)
  return `update ${from} straight_join ${keys} as k on k.id = ${columns[0]} set ${set.join(', ')}`
}

/** Which condition a unique index stands for. The server names it in its own language, and the index as it is. */
function conflictOf(error: unknown): Refused | undefined {
  if (numberOf(error) !== DUPLICATE_ENTRY) return undefined
  const conflicts: Readonly<Record<string, Conflict>> = {
    PRIMARY: 'revision',
    [ACTIVE_INDEX]: 'active',
    [GENERATION_INDEX]: 'generation',
  }
  const text = String((error as { sqlMessage?: unknown }).sqlMessage)
  const [, index = ''] = /'(?:[^']*\.)?(PRIMARY|strongroom_active|strongroom_generation)'/.exec(text) ?? []
  const conflict = conflicts[index]
  return conflict === undefined ? undefined : new Refused(conflict)
}
