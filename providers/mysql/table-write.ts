import { InvalidInputError, TableError } from '../../src/errors.ts'
import type { JobWrite } from '../../src/job.ts'
import { assertKey } from '../../src/sql/key-columns.ts'
import { columnOf, comparedColumn, groupChanges } from '../../src/sql/table-checks.ts'
import { tryAgain } from '../../src/sql/try-again.ts'
import type { Cell, RowChange } from '../../src/table.ts'
import type { Connected } from './client.ts'
import { isRace } from './faults.ts'
import { saveJob } from './jobs.ts'
import type { KeyType } from './key-types.ts'
import { partsOf, type SentKind, type SentRows, sentRows, sentSize } from './sent-rows.ts'
import { inTransaction, type Session } from './session.ts'
import type { KnownTable } from './table-description.ts'
import { quote } from './table-name.ts'
import { cellTextOf } from './table-sql.ts'

/** Changes to write, and the job that they belong to. */
export interface Write {
  readonly known: KnownTable
  /** The table of jobs, quoted. */
  readonly jobs: string
  readonly lockTimeoutMs: number
  readonly changes: readonly RowChange[]
  readonly job: JobWrite | undefined
}

type Sent = string | Uint8Array | null
type Placed = { readonly change: RowChange; readonly at: number }

/** Bytes of one statement. */
const STATEMENT_BYTES = 4_000_000
/** Bytes of a packet besides the rows. */
const ROOM_FOR_SQL = 65_536

/** Writes a batch and its checkpoint in one transaction. @throws JobLostError */
export async function writeChanges({ pool, maxPacket }: Connected, write: Write): Promise<boolean[]> {
  const { known, changes, job, jobs, lockTimeoutMs } = write
  for (const { key } of changes) assertKey(known, key)
  const batches = groupChanges(changes).flatMap((group) => batchesOf(known, group, maxPacket))
  if (batches.length === 0 && job === undefined) return []
  return tryAgain(isRace, () =>
    inTransaction(pool, { lockTimeoutMs }, async (session) => {
      if (job !== undefined) await saveJob(session, jobs, job)
      const made = changes.map(() => false)
      for (const batch of batches) for (const at of await writeBatch(session, known, batch)) made[at] = true
      return made
    }),
  )
}

/** Changes of one statement: `on` finds the rows that hold what is expected, `set` is what they get. */
interface Batch {
  readonly sent: SentRows
  readonly on: string
  readonly set: string
  /** Places of the changes in what was given. */
  readonly at: readonly number[]
}

/** Writes all changes at once, and looks at each where others changed some of the rows. @returns the places of those made */
async function writeBatch(
  session: Session,
  known: KnownTable,
  { sent, on, set, at }: Batch,
): Promise<readonly number[]> {
  const joined = `${sent.from} straight_join ${known.name.quoted} as t on ${on}`
  const update = (from: string) => session.affected(`update ${from} set ${set}`, [sent.value])
  await session.affected('savepoint strongroom')
  // Without the flag FOUND_ROWS fewer may be counted than were found, and never more.
  if ((await update(joined)) === at.length) return at
  await session.affected('rollback to savepoint strongroom')
  const held = await session.rows(`select cast(d.n as char) as place from ${joined} for update`, [sent.value])
  if (held.length > 0) await update(joined)
  return held.map(({ place }) => at[Number(place) - 1] as number)
}

function batchesOf(known: KnownTable, group: readonly Placed[], maxPacket: number): Batch[] {
  const { kinds, cellsOf, sqlOf } = shapeOf(known, group)
  const rows = group.map(({ change, at }) => ({ cells: cellsOf(change), at }))
  const sizeOf = ({ cells }: { cells: readonly Sent[] }) => cells.reduce((sum: number, cell) => sum + sentSize(cell), 2)
  return partsOf(rows, sizeOf, Math.min(STATEMENT_BYTES, maxPacket / 2)).map((part) => {
    const sent = sentRows(
      kinds,
      part.map(({ cells }) => cells),
    )
    // The server would cut the connection, and whether its reason arrives first is a matter of luck.
    if (sent.value.length + ROOM_FOR_SQL > maxPacket) {
      throw new TableError(
        'misconfigured',
        `mysql ${known.name.text}: a row is larger than max_allowed_packet of the server: raise it`,
      )
    }
    return { sent, ...sqlOf(sent.columns), at: part.map(({ at }) => at) }
  })
}

/** What is sent for changes that compare and set the same columns, and what is done with it. */
function shapeOf(known: KnownTable, group: readonly Placed[]) {
  const [{ change: first }] = group as [Placed]
  const { primaryKey } = known.description
  const compared = [
    ...Object.keys(first.expected).map((name) =>
      comparedBy(known, comparedColumn(known, name).name, group, 'expected'),
    ),
    ...Object.keys(first.expectedTexts ?? {}).map((name) => comparedBy(known, name, group, 'expectedTexts')),
  ]
  const written = Object.keys(first.set).map((name) => writtenBy(known, name))
  const kinds: SentKind[] = [
    ...primaryKey.map(() => 'text' as const),
    ...compared.map(({ kind }) => kind),
    ...written.map(({ kind }) => kind),
  ]
  const cellsOf = (change: RowChange): Sent[] => [
    ...change.key,
    ...compared.map(({ cellOf }) => cellOf(change)),
    ...written.map(({ cellOf }) => cellOf(change)),
  ]
  const sqlOf = (columns: readonly string[]) => {
    const given = [...columns]
    const next = () => given.shift() as string
    const keys = primaryKey.map(
      (column, at) => `t.${quote(column)} = ${(known.keyTypes[at] as KeyType).valueOf(next())}`,
    )
    const same = compared.map(({ isSame }) => isSame(next()))
    const assigned = written.map(({ name, sqlOf }) => `t.${quote(name)} = ${sqlOf(next())}`)
    // The time of the last change is the application's: a job does not touch it.
    const kept = known.stamped
      .filter((name) => !written.some((column) => column.name === name))
      .map((name) => `t.${quote(name)} = t.${quote(name)}`)
    return { on: [...keys, ...same].join(' and '), set: [...assigned, ...kept].join(', ') }
  }
  return { kinds, cellsOf, sqlOf }
}

/** How a column is compared: byte for byte, or as the number that it is. */
function comparedBy(known: KnownTable, name: string, group: readonly Placed[], side: 'expected' | 'expectedTexts') {
  const text = cellTextOf(known, name)
  const cellOf = (change: RowChange): Sent => {
    const value = cell(change[side]?.[name])
    return value === null ? null : text.sent(value)
  }
  const kind: SentKind = group.some(({ change }) => change[side]?.[name] instanceof Uint8Array) ? 'bytes' : 'text'
  const isSame = (sent: string) => text.isSame(`t.${quote(name)}`, kind === 'bytes' ? sent : `cast(${sent} as binary)`)
  return { kind, cellOf, isSame }
}

function writtenBy(known: KnownTable, column: string) {
  const { name, holds, type } = columnOf(known, column)
  const text = known.texts.get(name)
  const kind: SentKind = holds === 'bytes' || /^binary\b/.test(type) ? 'bytes' : 'text'
  const cellOf = (change: RowChange): Sent => {
    const value = cell(change.set[name])
    return value === null ? null : (text?.sent(value) ?? value)
  }
  return { name, kind, cellOf, sqlOf: (sent: string) => text?.valueOf(sent) ?? sent }
}

function cell(value: Cell): Sent {
  if (value === null || value === undefined) return null
  if (typeof value === 'string' || value instanceof Uint8Array) return value
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  throw new InvalidInputError('a cell is written as text, bytes, a number or null')
}
