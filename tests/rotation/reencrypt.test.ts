import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { fileKeyStore } from '../../providers/file/index.ts'
import { postgresTable } from '../../providers/postgres/index.ts'
import { memoryKeyStore, memoryKms } from '../../providers/testing/index.ts'
import { text } from '../../src/records/field.ts'
import { defineRecord } from '../../src/records/schema.ts'
import { census } from '../../src/rotation/census.ts'
import { reencryptTable } from '../../src/rotation/reencrypt.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import type { Table } from '../../src/table.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import { createPeople, insertPeople, people, person, type Room } from './people.ts'

const ROWS = 600

let database: TestDatabase
let pool: pg.Pool
let folder: string
let room: Room
let table: Table

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-rotation-'))
  await pool.query('drop table if exists people, strongroom_jobs')
  room = await createPeople(pool, folder, database.connectionString, ROWS)
  table = postgresTable({ pool, table: 'people' })
})
afterEach(async () => {
  await room.close()
  rmSync(folder, { recursive: true, force: true })
})

const stored = async () => (await pool.query('select * from people order by id')).rows
async function counted() {
  return census(people, table, { app: 'rotation', store: fileKeyStore({ path: join(folder, 'keys') }) })
}
async function readable(count = ROWS) {
  const rows = await room.records.people.decryptMany(await stored())
  expect(rows).toEqual(Array.from({ length: count }, (_, at) => ({ ...person(at + 1), nickname: 'plain' })))
}

describe('reencryptTable', () => {
  test('brings every row under the active keys, and the census says so', async () => {
    expect(await counted()).toMatchObject({ outdated: 0 })
    await room.keys.rotate({ scope: 'all' })
    const before = await counted()
    expect(before.outdated).toBe(ROWS * 3)
    expect(before.counts.filter(({ column }) => column === 'email').map(({ rows }) => rows)).toEqual([200, 200, 200])
    const report = await reencryptTable(room.records.people, table, { batch: 70 })
    expect(report.counts).toEqual({ rows: ROWS * 2, written: ROWS, changed: 0, failed: 0 })
    expect(report).toMatchObject({ passes: 2, aside: [] })
    expect((await counted()).outdated).toBe(0)
    await readable()
  })

  test('rotates an index with every row findable before, during and after', async () => {
    await room.keys.rotate({ purpose: 'index', scope: { tenant: 'acme' } })
    expect((await counted()).outdated).toBe(200)
    await room.keys.rotate({ purpose: 'index', scope: { tenant: 'globex' } })
    await room.keys.rotate({ purpose: 'index', scope: { tenant: 'initech' } })
    expect((await counted()).outdated).toBe(ROWS)
    const find = async (id: number) => {
      const { tenant, email } = person(id)
      const tags = await room.records.people.indexMany('email', [email.toUpperCase()], { tenant })
      const { rows } = await pool.query('select * from people where email_index = any($1) and tenant = $2', [
        tags,
        tenant,
      ])
      const found = room.records.people.filter(await room.records.people.decryptMany(rows), 'email', email)
      return found.map((row) => row.id)
    }
    const missed: number[] = []
    const searching = async () => {
      for (let id = 1; id <= ROWS; id += 41) if (String(await find(id)) !== String(id)) missed.push(id)
    }
    await searching()
    await Promise.all([reencryptTable(room.records.people, table, { batch: 50 }), searching()])
    await searching()
    expect(missed).toEqual([])
    const tags = (await counted()).counts.filter(({ column }) => column === 'email_index')
    expect(tags).toEqual([expect.objectContaining({ holds: 'tag', version: 2, current: true, rows: ROWS })])
  })

  test('the census says when a tenant has more rows than its index was planned for', async () => {
    expect((await counted()).outgrown).toEqual([])
    const small = defineRecord(
      'people',
      { email: text({ index: { column: 'email_index', transform: 'email', rows: 40 } }) },
      { id: 'id', tenant: 'tenant' },
    )
    const store = fileKeyStore({ path: join(folder, 'keys') })
    expect((await census(small, table, { app: 'rotation', store })).outgrown).toEqual([
      { column: 'email_index', rows: ROWS / 3, warnAtRows: 160 },
    ])
    const { email } = { email: text({ index: { column: 'email_index', transform: 'email', rows: 50 } }) }
    const enough = defineRecord('people', { email }, { id: 'id', tenant: 'tenant' })
    expect((await census(enough, table, { app: 'rotation', store })).outgrown).toEqual([])
  })

  test('writes nothing when every row is current', async () => {
    const before = await stored()
    const report = await reencryptTable(room.records.people, table)
    expect(report.counts).toEqual({ rows: ROWS, written: 0, changed: 0, failed: 0 })
    expect(await stored()).toEqual(before)
  })

  test('never overwrites what the application writes meanwhile, and picks up what it inserts', async () => {
    const late = [ROWS + 1, ROWS + 2]
    await insertPeople(room, pool, late) // under the old key
    await room.keys.rotate({ scope: 'all' })
    const changed: number[] = []
    const racing: Table = {
      ...table,
      write: async (changes, job) => {
        for (const { key } of changed.length < 15 ? changes.slice(0, 5) : []) {
          const id = Number(key[0])
          const { note } = room.records.people.encrypt({ id, tenant: person(id).tenant, note: `changed ${id}` })
          await pool.query('update people set note = $1 where id = $2', [note, id])
          changed.push(id)
        }
        return table.write(changes, job)
      },
    }
    const report = await reencryptTable(room.records.people, racing, { batch: 100 })
    expect(report.counts.changed).toBeGreaterThan(0)
    const rows = await room.records.people.decryptMany(await stored())
    for (const { id, note } of rows) {
      expect(note).toBe(changed.includes(Number(id)) ? `changed ${id}` : person(Number(id)).note)
    }
    expect((await counted()).outdated).toBe(0)
  })

  test('sets rows aside that cannot be decrypted, and leaves them as they are', async () => {
    await pool.query(`update people set note = (select note from people where id = 2) where id = 1`)
    await pool.query(`update people set email = 'somebody@example.com' where id = 5`)
    const before = await stored()
    await room.keys.rotate({ scope: 'all' })
    const report = await reencryptTable(room.records.people, table, { batch: 100 })
    expect(report.counts).toMatchObject({ written: ROWS - 2, failed: 2 })
    expect(report.aside).toEqual([['1'], ['5']])
    const after = await stored()
    expect([after[0], after[4]]).toEqual([before[0], before[4]])
    expect((await counted()).outdated).toBe(6)
  })

  test('stops at once when most rows of a batch fail, and writes none of them', async () => {
    await pool.query(`update people set email = 'x', tenant = 'moved' where id > 100`)
    await room.keys.rotate({ scope: 'all' })
    const before = await stored()
    const run = reencryptTable(room.records.people, table, { batch: 100 })
    await expect(run).rejects.toMatchObject({ code: 'ERR_SYSTEMIC_FAILURE' })
    expect((await stored()).slice(100)).toEqual(before.slice(100))
    const [job] = await table.jobs.list({ limit: 1, staleMs: 60_000 })
    expect(job).toMatchObject({ state: 'failed', progress: { after: ['100'], error: 'ERR_SYSTEMIC_FAILURE' } })
  })

  test('stops after the batch in hand when it is told to, and goes on from there', async () => {
    await room.keys.rotate({ scope: 'all' })
    const stop = new AbortController()
    const onProgress = () => stop.abort(new Error('enough'))
    const run = reencryptTable(room.records.people, table, { batch: 100, signal: stop.signal, onProgress })
    await expect(run).rejects.toThrow('enough')
    expect(await table.jobs.list({ limit: 5, staleMs: 60_000 })).toMatchObject([
      { state: 'stopped', progress: { after: ['100'], counts: { written: 100 } } },
    ])
    const report = await reencryptTable(room.records.people, table, { batch: 100 })
    expect(report.counts.written).toBe(ROWS)
    expect((await counted()).outdated).toBe(0)
    await readable()
  })

  test('is refused while another process does the same', async () => {
    await room.keys.rotate({ scope: 'all' })
    let second: Promise<unknown> | undefined
    const onProgress = () => {
      second ??= reencryptTable(room.records.people, table).catch((error) => error)
    }
    await reencryptTable(room.records.people, table, { batch: 50, onProgress })
    expect(await second).toMatchObject({ code: 'ERR_JOB_BUSY' })
  })

  test('writes nothing, not even a job, when it is a dry run', async () => {
    await room.keys.rotate({ scope: 'all' })
    const before = await stored()
    const report = await reencryptTable(room.records.people, table, { dryRun: true, batch: 100 })
    expect(report).toMatchObject({ id: undefined, counts: { rows: ROWS, written: ROWS, failed: 0 } })
    expect(await stored()).toEqual(before)
    expect(await table.jobs.list({ limit: 5, staleMs: 60_000 })).toEqual([])
  })

  test('does not say that it is done while others keep changing rows under old keys', async () => {
    await room.keys.rotate({ scope: 'all' })
    const restless: Table = {
      ...table,
      write: async (changes, job) => {
        await table.write([], job)
        return changes.map(() => false)
      },
    }
    const report = await reencryptTable(room.records.people, restless, { batch: 600 })
    expect(report.complete).toBe(false)
    expect(await table.jobs.list({ limit: 1, staleMs: 60_000 })).toMatchObject([
      { state: 'stopped', progress: { after: null, pass: 1 } },
    ])
    expect(await reencryptTable(room.records.people, table)).toMatchObject({ id: report.id, complete: true, passes: 2 })
    expect((await counted()).outdated).toBe(0)
  })

  test('encrypts a table of plaintext in place, with its indexes, while the application writes', async () => {
    await pool.query(
      `drop table if exists plain; create table plain (id int primary key, email text, email_index text, note text)`,
    )
    await pool.query(
      `insert into plain select n, 'Person.' || n || '@example.com', null, 'note ' || n from generate_series(1, 500) as n`,
    )
    const state = { state: 'migrating', until: new Date(Date.now() + 86_400_000) } as const
    const plain = defineRecord(
      'plain',
      {
        email: text({ ...state, index: { column: 'email_index', transform: 'email', rows: 10_000 } }),
        note: text({ ...state, nullable: true }),
      },
      { id: 'id' },
    )
    const store = memoryKeyStore()
    const own = await openStrongroom({ name: 'migration', kms: memoryKms(), store, records: { plain } }, { init: true })
    const rows = postgresTable({ pool, table: 'plain' })
    const racing: Table = {
      ...rows,
      write: async (changes, job) => {
        await pool.query(`update plain set note = 'changed' where id = $1 and note like 'note%'`, [
          Number(changes[0]?.key[0] ?? 0),
        ])
        return rows.write(changes, job)
      },
    }
    const foreign = async () => (await census(plain, rows, { app: 'migration', store })).outdated
    expect(await foreign()).toBe(1000)
    const report = await reencryptTable(own.records.plain, racing, { batch: 60 })
    expect(report).toMatchObject({ complete: true, counts: { failed: 0 } })
    expect(report.counts.changed).toBeGreaterThan(0)
    expect(await foreign()).toBe(0)
    const stored = (await pool.query('select * from plain order by id')).rows
    expect(JSON.stringify(stored)).not.toMatch(/example|note \d|changed/)
    const decrypted = await own.records.plain.decryptMany(stored)
    expect(decrypted.filter(({ note }) => note === 'changed')).toHaveLength(9)
    expect(decrypted.map(({ email }) => email)).toEqual(stored.map(({ id }) => `Person.${id}@example.com`))
    const tags: readonly string[] = own.records.plain.index('email', 'PERSON.77@example.com') as never
    expect((await pool.query('select id from plain where email_index = any($1)', [tags])).rows).toContainEqual({
      id: 77,
    })
    await own.close()
  })

  test('goes no faster than it may', async () => {
    const started = performance.now()
    await reencryptTable(room.records.people, table, { batch: 100, throttle: { rowsPerSecond: 1000 } })
    expect(performance.now() - started).toBeGreaterThan(450)
  })

  test('is not taken for dead while it waits, however long', async () => {
    await room.keys.rotate({ scope: 'all' })
    const waiting: Table = { ...table, lag: async () => (performance.now() - started < 1800 ? 5000 : 0) }
    const started = performance.now()
    const job = reencryptTable(room.records.people, waiting, { staleMs: 1000, throttle: { maxLagMs: 100 } })
    await sleep(1500)
    await expect(reencryptTable(room.records.people, table, { staleMs: 1000 })).rejects.toMatchObject({
      code: 'ERR_JOB_BUSY',
    })
    expect(await job).toMatchObject({ complete: true, counts: { written: ROWS } })
  })

  test('works within its hours only, and stops at once when it is told to while it waits', async () => {
    await room.keys.rotate({ scope: 'all' })
    const hour = new Date().getHours()
    const stop = new AbortController()
    const hours = { from: (hour + 2) % 24, to: (hour + 3) % 24 }
    const job = reencryptTable(room.records.people, table, { signal: stop.signal, throttle: { hours } })
    await sleep(300)
    expect(await table.jobs.list({ limit: 1, staleMs: 60_000 })).toMatchObject([{ progress: { counts: { rows: 0 } } }])
    stop.abort(new Error('enough'))
    await expect(job).rejects.toThrow('enough')
    const all = { from: hour, to: (hour + 2) % 24 }
    expect(await reencryptTable(room.records.people, table, { throttle: { hours: all } })).toMatchObject({
      complete: true,
    })
  })

  test('waits while replicas are behind', async () => {
    const lags = [5000, 20]
    const lagging: Table = { ...table, lag: async () => lags.shift() ?? 0 }
    const started = performance.now()
    await reencryptTable(room.records.people, lagging, { throttle: { maxLagMs: 100 } })
    expect(performance.now() - started).toBeGreaterThan(900)
  })

  test('leaves rows of a subject whose key was destroyed as they are', async () => {
    const [key] = await room.keys.list({ purpose: 'data', state: 'active', scope: { tenant: 'acme' } })
    await room.keys.rotate({ scope: 'all' })
    const [active] = await room.keys.list({ purpose: 'data', state: 'active', scope: { tenant: 'acme' } })
    await room.keys.retire(key?.id as string)
    for (const id of [active?.id, key?.id] as string[]) await room.keys.destroy(id)
    await pool.query(`update people set id = id + 100000 where tenant = 'acme'`) // the first batches hold no other
    await pool.query(`update people set id = id - 200000 where tenant = 'acme'`)
    const report = await reencryptTable(room.records.people, table, { batch: 5 })
    expect(report.counts).toMatchObject({ written: 400, failed: 200 })
  })
})
