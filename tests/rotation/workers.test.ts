import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { fileKeyStore } from '../../providers/file/index.ts'
import { pgBossQueue } from '../../providers/pg-boss/index.ts'
import { postgresTable } from '../../providers/postgres/index.ts'
import type { JobQueue, RangeTask } from '../../src/job-queue.ts'
import { census } from '../../src/rotation/census.ts'
import { reencryptTable } from '../../src/rotation/reencrypt.ts'
import { reencryptOnWorkers } from '../../src/rotation/reencrypt-on-workers.ts'
import { workOnRanges } from '../../src/rotation/worker.ts'
import type { Table } from '../../src/table.ts'
import { childProgram } from '../child-program.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import { createPeople, people, person, type Room } from './people.ts'

const ROWS = 480
const STALE_MS = 1000

const program = childProgram('tests/rotation/worker-child.ts')
let database: TestDatabase
let pool: pg.Pool
let folder: string
let room: Room
let table: Table
const workers = new Set<ChildProcess>()

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-workers-'))
  await pool.query('drop table if exists people, strongroom_jobs, written; drop schema if exists pgboss cascade')
  room = await createPeople(pool, folder, database.connectionString, ROWS)
  table = postgresTable({ pool, table: 'people' })
})
afterEach(async () => {
  for (const worker of workers) worker.kill('SIGKILL')
  await room.close()
  rmSync(folder, { recursive: true, force: true })
})

/** @param rowsPerSecond so slow that a kill finds it in the middle of a range */
function startWorker(rowsPerSecond = 100_000) {
  const args = [program.path, folder, database.connectionString, String(rowsPerSecond)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  workers.add(child)
  const said: string[] = []
  child.stdout.on('data', (chunk: Buffer) => said.push(...chunk.toString().trim().split('\n')))
  return { child, said }
}

async function stopWorkers(): Promise<void> {
  await Promise.all(
    [...workers].map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    }),
  )
  workers.clear()
}

/** Has the database write down every change of a row. */
async function countWrites(): Promise<void> {
  await pool.query(`create table written (id int);
    create or replace function note_write() returns trigger language plpgsql as $$ begin insert into written values (new.id); return new; end $$;
    create trigger note_write after update on people for each row execute function note_write()`)
}

async function expectAllCurrent(): Promise<void> {
  const store = fileKeyStore({ path: join(folder, 'keys') })
  expect((await census(people, table, { app: 'rotation', store })).outdated).toBe(0)
  const rows = await room.records.people.decryptMany((await pool.query('select * from people order by id')).rows)
  expect(rows).toEqual(rows.map(({ id }) => ({ ...person(Number(id)), nickname: 'plain' })))
}

const whoWorks = async () =>
  (await table.jobs.list({ record: 'people', limit: 100, staleMs: STALE_MS })).filter(
    ({ state }) => state === 'running',
  )

describe('re-encryption by workers', { timeout: 120_000 }, () => {
  test('is done by four processes, each row written exactly once, though one of them is killed in the middle of a range', async () => {
    await room.keys.rotate({ scope: 'all' })
    await countWrites()
    const queue = pgBossQueue({ connectionString: database.connectionString, retrySeconds: 1 })
    const slow = startWorker(100)
    const job = reencryptOnWorkers(room.records.people, table, queue, { ranges: 8, staleMs: STALE_MS, batch: 200 })
    const middle = async () => (await whoWorks()).some(({ progress }) => progress.after !== null)
    while (!(await middle())) await sleep(20)
    slow.child.kill('SIGKILL')
    const four = [1, 2, 3, 4].map(() => startWorker(400))
    const report = await job
    await queue.close?.()
    await stopWorkers()

    expect(report).toMatchObject({ complete: true, counts: { written: ROWS, changed: 0, failed: 0 } })
    const { rows } = await pool.query('select id, count(*)::int as times from written group by id')
    expect(rows).toHaveLength(ROWS)
    expect(rows.filter(({ times }) => times !== 1)).toEqual([])
    expect(four.filter(({ said }) => said.some((line) => line.startsWith('done'))).length).toBeGreaterThan(1)
    await expectAllCurrent()
    const jobs = await table.jobs.list({ limit: 100, staleMs: STALE_MS })
    expect(jobs).toHaveLength(9)
    expect(jobs.filter(({ state }) => state !== 'done')).toEqual([])
  })

  test('goes on with the ranges that are there when whoever waited for it was stopped, and through another queue', async () => {
    await room.keys.rotate({ scope: 'all' })
    const stopped = new AbortController()
    const lost = queueOfOne().queue
    const waiting = reencryptOnWorkers(room.records.people, table, lost, { ranges: 4, signal: stopped.signal })
    while ((await table.jobs.list({ limit: 9, staleMs: STALE_MS })).length < 4) await sleep(20)
    stopped.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(reencryptTable(room.records.people, table)).rejects.toMatchObject({ code: 'ERR_JOB_BUSY' })
    const { queue, signal, stop } = queueOfOne()
    const worker = workOnRanges(room, { people: table }, queue, { signal, staleMs: STALE_MS })
    const report = await reencryptOnWorkers(room.records.people, table, queue, { ranges: 64, staleMs: STALE_MS })
    stop()
    await worker
    expect(report).toMatchObject({ complete: true, counts: { written: ROWS } })
    expect(await table.jobs.list({ limit: 100, staleMs: STALE_MS })).toHaveLength(5) // 4 ranges, not 64, and the whole
    await expectAllCurrent()
  })

  test('stops at once when most rows of a batch fail: no worker begins another range', async () => {
    await pool.query(`update people set email = 'x', tenant = 'moved'`)
    await room.keys.rotate({ scope: 'all' })
    const before = (await pool.query('select * from people order by id')).rows
    const { queue, signal, stop, handled } = queueOfOne()
    const worker = workOnRanges(room, { people: table }, queue, { signal, staleMs: STALE_MS })
    const job = reencryptOnWorkers(room.records.people, table, queue, { ranges: 4, staleMs: STALE_MS })
    await Promise.all([
      expect(worker).rejects.toMatchObject({ code: 'ERR_SYSTEMIC_FAILURE' }),
      expect(job).rejects.toMatchObject({ code: 'ERR_SYSTEMIC_FAILURE' }),
    ])
    expect(handled).toHaveLength(1)
    const late = queueOfOne()
    await late.queue.send(handled)
    const another = workOnRanges(room, { people: table }, late.queue, { signal: late.signal })
    await late.empty()
    late.stop()
    stop()
    await another
    expect((await pool.query('select * from people order by id')).rows).toEqual(before)
  })

  test('does nothing twice when the queue hands a range out again', async () => {
    await room.keys.rotate({ scope: 'all' })
    await countWrites()
    const { queue, signal, stop, handled, empty } = queueOfOne()
    const worker = workOnRanges(room, { people: table }, queue, { signal, staleMs: STALE_MS })
    await reencryptOnWorkers(room.records.people, table, queue, { ranges: 3, staleMs: STALE_MS })
    await queue.send(handled)
    await empty()
    stop()
    await worker
    expect((await pool.query('select count(*)::int as n from written')).rows[0].n).toBe(ROWS)
  })

  test('is refused while the whole table is being worked on', async () => {
    await room.keys.rotate({ scope: 'all' })
    const stop = new AbortController()
    const whole = reencryptTable(room.records.people, table, {
      batch: 100,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    })
    await expect(whole).rejects.toThrow('enough')
    const { queue } = queueOfOne()
    await expect(reencryptOnWorkers(room.records.people, table, queue)).rejects.toMatchObject({ code: 'ERR_JOB_BUSY' })
  })
})

/** A queue in memory for one worker. */
function queueOfOne() {
  const stop = new AbortController()
  const waiting: RangeTask[] = []
  const handled: RangeTask[] = []
  const queue: JobQueue = {
    name: 'memory',
    send: async (tasks) => void waiting.push(...tasks),
    work: async (handle, signal) => {
      while (!signal.aborted) {
        const task = waiting.shift()
        if (task === undefined) await sleep(10)
        else {
          handled.push(task)
          await handle(task).catch(() => waiting.push(task))
        }
      }
    },
  }
  const empty = async () => {
    while (waiting.length > 0) await sleep(10)
    await sleep(100)
  }
  return { queue, handled, signal: stop.signal, stop: () => stop.abort(), empty }
}
