import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { postgresTable } from '../../providers/postgres/index.ts'
import { TableError } from '../../src/errors.ts'
import type { JobOptions } from '../../src/rotation/job-options.ts'
import { type JobWork, runJob } from '../../src/rotation/run-job.ts'
import type { Table, TableRow } from '../../src/table.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'

const ROWS = 50
const BATCH = 10

let database: TestDatabase
let pool: pg.Pool
let table: Table
let said: string[]

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})
beforeEach(async () => {
  await pool.query(`drop table if exists numbers, strongroom_jobs;
    create table numbers (id int primary key, note text not null);
    insert into numbers select n, 'old' from generate_series(1, ${ROWS}) as n`)
  table = postgresTable({ pool, table: 'numbers' })
  said = []
})

const batchOf = (key: string | undefined) => Math.ceil(Number(key) / BATCH)
const work = (rows: (page: readonly TableRow[]) => void = () => {}): JobWork => ({
  kind: 'reencrypt',
  record: 'numbers',
  phase: 'reencrypt',
  columns: ['note'],
  rows: async (page) => {
    said.push(`work ${batchOf(page[0]?.key[0])}`)
    rows(page)
    const changes = page.map(({ key, values }) => ({ key, expected: { note: values.note }, set: { note: 'new' } }))
    return { changes, failed: [] }
  },
})
const run = (over: Table, what: JobWork, options: JobOptions = {}) =>
  runJob(over, what, { batch: BATCH, onePass: true, ...options })

/** Writes nothing before `ready` says so. */
const slow = (ready: (batch: number) => Promise<unknown>): Table => ({
  ...table,
  write: async (changes, job) => {
    const batch = batchOf(changes[0]?.key[0])
    said.push(`write ${batch}`)
    await ready(batch)
    const made = await table.write(changes, job)
    said.push(`written ${batch}`)
    return made
  },
})

const told = (what: string) => expect.poll(() => said, { timeout: 5_000 }).toContain(what)
const written = async () =>
  Number((await pool.query(`select count(*) as count from numbers where note = 'new'`)).rows[0]?.count)
const lastJob = async () => (await table.jobs.list({ limit: 1, staleMs: 60_000 }))[0]

describe('the passes of a job', () => {
  test('work on a batch while the one before is written, and write one after the other', async () => {
    const report = await run(
      slow(async (batch) => batch === ROWS / BATCH || told(`work ${batch + 1}`)),
      work(),
    )
    expect(report.counts).toEqual({ rows: ROWS, written: ROWS, changed: 0, failed: 0 })
    expect(said.filter((what) => what.startsWith('writ'))).toEqual(
      [1, 2, 3, 4, 5].flatMap((batch) => [`write ${batch}`, `written ${batch}`]),
    )
  })

  test('remember the batch that was being written when the next one fails', async () => {
    const failing = work(([first]) => {
      if (batchOf(first?.key[0]) === 3) throw new TableError('unavailable', 'the third batch')
    })
    const late = slow(async (batch) => batch === 2 && told('work 3'))
    await expect(run(late, failing)).rejects.toThrow('the third batch')
    expect(await written()).toBe(2 * BATCH)
    expect(await lastJob()).toMatchObject({
      state: 'failed',
      progress: { after: ['20'], counts: { rows: 20, written: 20 } },
    })
  })

  test('write nothing of a batch that was worked on while the one before could not be written', async () => {
    const broken = slow(async (batch) => {
      if (batch === 2) throw await told('work 3').then(() => new TableError('unavailable', 'the second batch'))
    })
    await expect(run(broken, work())).rejects.toThrow('the second batch')
    expect(said).not.toContain('write 3')
    expect(await written()).toBe(BATCH)
    expect(await lastJob()).toMatchObject({ state: 'failed', progress: { after: ['10'], counts: { written: 10 } } })
  })

  test('work on nothing ahead of a batch that has to wait for its time', async () => {
    const throttle = { rowsPerSecond: 1_000_000 }
    await run(
      slow(async () => {}),
      work(),
      { throttle },
    )
    expect(said).toEqual([1, 2, 3, 4, 5].flatMap((batch) => [`work ${batch}`, `write ${batch}`, `written ${batch}`]))
  })
})
