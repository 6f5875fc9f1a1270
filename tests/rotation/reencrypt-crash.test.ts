import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileKeyStore } from '../../providers/file/index.ts'
import { postgresTable } from '../../providers/postgres/index.ts'
import { census } from '../../src/rotation/census.ts'
import { bundle } from '../bundle.ts'
import { startPostgres, type TestPostgres } from '../fixtures/postgres.ts'
import { createPeople, insertPeople, people, person, type Room } from './people.ts'

const SLOW = process.env.STRONGROOM_SLOW === '1'
/** Named in the order in which a job meets them; the short run takes those around the transaction. */
const STEPS = SLOW
  ? [
      'before start',
      'after start',
      'before page',
      'after page',
      'before write',
      'writing',
      'after write',
      'before end',
      'after end',
    ]
  : ['after start', 'writing', 'after write']
const SEED = Number(process.env.STRONGROOM_SEED ?? 20_261_123)
const RANDOM_KILLS = Number(process.env.STRONGROOM_KILLS ?? (SLOW ? 200 : 2))
const ROWS = 250
/** Behind a kill, a job may be taken over after its holder was silent for so long. */
const STALE_MS = 1050

let server: TestPostgres
let pool: pg.Pool
let folder: string
let room: Room
let script: string

beforeAll(async () => {
  server = await startPostgres()
  pool = new pg.Pool({ connectionString: server.connectionString })
  folder = mkdtempSync(join(tmpdir(), 'strongroom-rotation-'))
  room = await createPeople(pool, folder, server.connectionString, ROWS)
  script = await bundle('tests/rotation/reencrypt-child.ts')
})
afterAll(async () => {
  await room.close()
  await pool.end()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
  rmSync(join(script, '..'), { recursive: true, force: true })
})

async function reencrypt(dieAt = 'none', times = 1): Promise<NodeJS.Signals | null> {
  const args = [script, folder, server.connectionString, dieAt, String(times)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const [code, signal] = await once(child, 'exit')
  if (signal === null) expect(code).toBe(0)
  return signal
}

test(`loses no row, overwrites no write and ends with an exact census, killed at ${STEPS.length} steps and ${RANDOM_KILLS} times at random, with writers`, {
  timeout: 1_800_000,
}, async () => {
  const random = seeded(SEED)
  const expected = new Map(Array.from({ length: ROWS }, (_, at) => [at + 1, person(at + 1).note]))
  const totals = { kills: 0, updates: 0, inserts: 0, deletes: 0, rotations: 0 }
  let writing = true
  const writer = write()
  const kills: [string, () => number][] = [
    ...STEPS.map((step): [string, () => number] => [step, () => 1 + Math.floor(random() * 3)]),
    ...Array.from({ length: RANDOM_KILLS }, (): [string, () => number] => [
      'time',
      () => 150 + Math.floor(random() * 500),
    ]),
  ]
  for (const [dieAt, times] of kills) {
    if (random() < 0.3 || totals.rotations === 0) {
      await room.keys.rotate({ scope: 'all', purpose: random() < 0.5 ? 'data' : 'index' })
      totals.rotations++
    }
    if ((await reencrypt(dieAt, times())) === 'SIGKILL') {
      totals.kills++
      await sleep(STALE_MS)
    }
  }
  writing = false
  await writer
  await room.keys.rotate({ scope: 'all' })
  expect(await reencrypt()).toBe(null)
  await check()
  console.info(`seed ${SEED}: ${JSON.stringify(totals)}, rows at the end ${expected.size}`)
  expect(totals.kills).toBeGreaterThanOrEqual(STEPS.length - 1)
  expect(totals.updates).toBeGreaterThan(0)

  /** The application: it never waits for a job, and remembers what it wrote. */
  async function write(): Promise<void> {
    for (let next = ROWS + 1; writing; ) {
      const ids = [...expected.keys()]
      const id = ids[Math.floor(random() * ids.length)] as number
      const what = random()
      if (what < 0.8) {
        const note = `update ${totals.updates++}`
        const { tenant } = person(id)
        await room.unlock([{ tenant }])
        const row = room.records.people.encrypt({ id, tenant, note })
        await pool.query('update people set note = $1 where id = $2', [row.note, id])
        expected.set(id, note)
      } else if (what < 0.9) {
        await insertPeople(room, pool, [next])
        expected.set(next, person(next).note)
        next++
        totals.inserts++
      } else {
        await pool.query('delete from people where id = $1', [id])
        expected.delete(id)
        totals.deletes++
      }
      await sleep(2)
    }
  }

  async function check(): Promise<void> {
    const { rows } = await pool.query('select * from people order by id')
    expect(rows.map((row) => row.id)).toEqual([...expected.keys()].sort((a, b) => a - b))
    await room.refresh()
    const plain = await room.records.people.decryptMany(rows)
    expect(new Map(plain.map((row) => [Number(row.id), row.note]))).toEqual(
      new Map([...expected].sort(([a], [b]) => a - b)),
    )
    for (const [at, { id, tenant }] of rows.entries()) {
      const tags: readonly string[] = (await room.records.people.indexMany('email', [person(id).email], {
        tenant,
      })) as never
      expect(tags).toContain(rows[at].email_index)
    }
    const table = postgresTable({ pool, table: 'people' })
    const store = fileKeyStore({ path: join(folder, 'keys') })
    const counted = await census(people, table, { app: 'rotation', store })
    expect(counted.outdated).toBe(0)
    for (const column of ['email', 'note', 'visits', 'email_index']) {
      const sum = counted.counts
        .filter((count) => count.column === column)
        .reduce((total, count) => total + count.rows, 0)
      expect(sum).toBe(expected.size)
    }
  }
})

function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
