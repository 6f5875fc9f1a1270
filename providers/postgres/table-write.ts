import { JobLostError } from '../../src/errors.ts'
import type { JobWrite } from '../../src/job.ts'
import { codeOf } from '../../src/sql/faults.ts'
import { assertKey } from '../../src/sql/key-columns.ts'
import { columnOf, comparedColumn, groupChanges } from '../../src/sql/table-checks.ts'
import { tryAgain } from '../../src/sql/try-again.ts'
import type { RowChange } from '../../src/table.ts'
import { arrayText } from './array-text.ts'
import type { PostgresClient, PostgresPool } from './client.ts'
import { saveJobSql, saveJobValues } from './jobs.ts'
import type { KnownTable } from './table-description.ts'
import { quote } from './table-name.ts'

/** Changes to write, and the job that they belong to. */
export interface Write {
  readonly known: KnownTable
  /** The table of jobs, quoted. */
  readonly jobs: string
  readonly lockTimeoutMs: number
  readonly changes: readonly RowChange[]
  readonly job: JobWrite | undefined
}

const ABANDONED_MS = 60_000

/** Deadlock or serialization failure: nothing was written, and the same batch may succeed. */
const RACES = new Set(['40001', '40P01'])

/** Writes a batch and its checkpoint in one transaction. @throws JobLostError */
export async function writeChanges(pool: PostgresPool, write: Write): Promise<boolean[]> {
  const statements = batches(write)
  if (statements.length === 0 && write.job === undefined) return []
  return tryAgain(
    (error) => RACES.has(codeOf(error)),
    () => attempt(pool, write, statements),
  )
}

async function attempt(pool: PostgresPool, write: Write, statements: readonly Statement[]): Promise<boolean[]> {
  const client = await pool.connect()
  let healthy = false
  try {
    await client.query(beginSql(write.lockTimeoutMs))
    if (write.job !== undefined) await saveJob(client, write.jobs, write.job)
    const made = write.changes.map(() => false)
    for (const { text, values, at } of statements) {
      const [row] = (await client.query(text, values)).rows
      for (const place of String(row?.places ?? '').split(','))
        if (place !== '') made[at[Number(place) - 1] as number] = true
    }
    await client.query('commit')
    healthy = true
    return made
  } catch (error) {
    healthy = await client.query('rollback').then(
      () => true,
      () => false,
    )
    throw error
  } finally {
    client.release(!healthy)
  }
}

/** The server ends the transaction when this process stops answering, so that a dead one holds no rows. */
function beginSql(lockTimeoutMs: number): string {
  return `begin isolation level read committed read write;
select set_config('lock_timeout', '${lockTimeoutMs}', true),
  set_config('idle_in_transaction_session_timeout', '${ABANDONED_MS}', true)`
}

async function saveJob(client: PostgresClient, jobs: string, job: JobWrite): Promise<void> {
  const { rowCount } = await client.query(saveJobSql(jobs), saveJobValues(job))
  if (rowCount !== 1) throw new JobLostError()
}

/** One statement for all changes that compare and set the same columns. It answers with the places of those it made, from 1. */
interface Statement {
  readonly text: string
  readonly values: unknown[]
  /** Places of the changes in what was given. */
  readonly at: readonly number[]
}

function batches({ known, changes }: Write): Statement[] {
  return groupChanges(changes).map((group) => {
    const statement = updateSql(
      known,
      group.map(({ change }) => change),
    )
    return { ...statement, at: group.map(({ at }) => at) }
  })
}

function updateSql(known: KnownTable, changes: readonly RowChange[]): Omit<Statement, 'at'> {
  const [sample] = changes as [RowChange]
  const values: unknown[] = []
  const columns: string[] = []
  const add = (type: string, column: readonly unknown[]): string => {
    const alias = `c${values.push(arrayText(column))}`
    columns.push(`$${values.length}::${type}[]`)
    return `d.${alias}`
  }
  const { primaryKey } = known.description
  for (const { key } of changes) assertKey(known, key)
  const conditions = primaryKey.map((column, at) => {
    const type = known.types.get(column) as string
    const texts = changes.map(({ key }) => key[at])
    // An array of arrays would be taken apart as a whole.
    if (type.endsWith('[]')) return `t.${quote(column)} = ${add('text', texts)}::${type}`
    return `t.${quote(column)} = ${add(type, texts)}`
  })
  // Says the same once more, for a planner that would read the whole table where it is small, once for each batch.
  const [first, second] = primaryKey as [string, string?]
  if (second === undefined && !(known.types.get(first) as string).endsWith('[]')) {
    conditions.push(`t.${quote(first)} = any (${columns[0]})`)
  }
  for (const name of Object.keys(sample.expected)) {
    const { holds } = comparedColumn(known, name)
    const expected = add(
      holds === 'bytes' ? 'bytea' : 'text',
      changes.map((change) => cell(change.expected[name])),
    )
    conditions.push(`t.${quote(name)}${holds === 'text' ? BYTEWISE : ''} is not distinct from ${expected}`)
  }
  for (const name of Object.keys(sample.expectedTexts ?? {})) {
    const expected = add(
      'text',
      changes.map((change) => change.expectedTexts?.[name]),
    )
    conditions.push(`t.${quote(columnOf(known, name).name)}${BYTEWISE} is not distinct from ${expected}`)
  }
  const set = Object.keys(sample.set).map((name) => {
    const { holds } = columnOf(known, name)
    const value = add(
      holds === 'bytes' ? 'bytea' : 'text',
      changes.map((change) => cell(change.set[name])),
    )
    return `${quote(name)} = ${value}${holds === 'bytes' ? '' : `::${known.types.get(name)}`}`
  })
  const aliases = [...values.map((_, at) => `c${at + 1}`), 'place'].join(', ')
  return {
    text: `with made as (
  update ${known.name.quoted} as t set ${set.join(', ')} from unnest(${columns.join(', ')}) with ordinality as d(${aliases})
  where ${conditions.join(' and ')} returning d.place)
select string_agg(place::text, ',') as places from made`,
    values,
  }
}

/** A column may have a collation that takes different texts for the same one. */
const BYTEWISE = '::text collate "C"'

/** The driver writes a Buffer as bytes, and another view of bytes as an object. */
function cell(value: unknown): unknown {
  return value instanceof Uint8Array && !Buffer.isBuffer(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : value
}
