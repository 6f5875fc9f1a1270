import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { reencryptTable } from '../src/rotation/reencrypt.ts'
import { openStrongroom } from '../src/strongroom.ts'
import type { Table } from '../src/table.ts'
import { startPostgres } from '../tests/fixtures/postgres.ts'
import { lowerQuartile } from './measure.ts'
import type { Result, Suite, Target } from './result.ts'
import { handWrittenLoop, rowByRow } from './rotation-by-hand.ts'
import { configure, createTable, insert } from './rotation-table.ts'

const BATCH = 1000
const CHILD = fileURLToPath(new URL('rotation-child.ts', import.meta.url))

interface Used {
  readonly written: number
  readonly seconds: number
  readonly mib: number
}

/** P10: one column of a table in PostgreSQL, each way in a table of its own, in turns. P12: ten times the rows. */
export const rotation: Suite = async ({ quick }) => {
  const rows = quick ? 2000 : 40_000
  const rounds = quick ? 1 : 5
  const server = await startPostgres()
  const pool = new pg.Pool({ connectionString: server.connectionString })
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-bench-'))
  try {
    return [
      ...(await speed(pool, folder, server.connectionString, rows, rounds)),
      ...(await scale(pool, folder, server.connectionString, quick ? 1000 : 100_000)),
    ]
  } finally {
    await pool.end()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function speed(pool: pg.Pool, folder: string, url: string, rows: number, rounds: number): Promise<Result[]> {
  await createTable(pool, folder, url, 'one', rows)
  await createTable(pool, folder, url, 'two', rows, false)
  const config = configure(folder, url, 'one')
  const room = await openStrongroom(config)
  const table = config.tables?.people as Table
  const loop = await handWrittenLoop(pool, rows, BATCH)
  const slow = await rowByRow(pool, Math.max(500, rows / 20))
  await insert(pool, 'touched', rows, async (ids) => ids.map((id) => `sr1_${'x'.repeat(118)}${id % 10}`))
  const half = String(Math.floor(rows / 2))
  const workers = [
    await startChild(folder, url, 'two', '', half, 'yes'),
    await startChild(folder, url, 'two', half, '', 'yes'),
  ]
  const job = (onePass: boolean) => async () => {
    const { counts } = await reencryptTable(room.records.people, table, { batch: BATCH, onePass })
    return counts.rows - (onePass ? 0 : rows)
  }
  const ways: Record<string, { tables: string[]; rotates: boolean; run: () => Promise<number> }> = {
    update: {
      tables: ['touched'],
      rotates: false,
      run: async () => (await pool.query(`update touched set note = note || ''`)).rowCount ?? 0,
    },
    loop: { tables: ['by_hand'], rotates: false, run: loop },
    rows: { tables: ['row_by_row'], rotates: false, run: slow },
    job: { tables: ['one'], rotates: true, run: job(true) },
    whole: { tables: ['one'], rotates: true, run: job(false) },
    workers: {
      tables: ['two'],
      rotates: true,
      run: async () => (await Promise.all(workers.map(work))).reduce((sum, { written }) => sum + written, 0),
    },
  }
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(ways).map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, { tables, rotates, run }] of turned(Object.entries(ways), round)) {
      for (const one of tables) await pool.query(`vacuum ${one}`)
      if (rotates) await room.keys.rotate({ scope: 'all' })
      await pool.query('checkpoint')
      const started = performance.now()
      const done = await run()
      // The first round warms everything up.
      if (round > 0 || rounds === 1) times[name]?.push((performance.now() - started) / done)
    }
  }
  for (const child of workers) child.disconnect()
  await room.close()
  const rate = (name: string) => 1000 / lowerQuartile(times[name] as number[])
  const line = (what: string, name: string, beside?: string, target?: Target): Result => {
    const times = beside === undefined ? undefined : rate(name) / rate(beside)
    return {
      id: 'P10 postgres',
      what,
      measured: `${Math.round(rate(name)).toLocaleString('en')} rows/s${times === undefined ? '' : `  ${times.toFixed(2)} ×`}`,
      ...(times !== undefined && { value: times }),
      ...(target && { target }),
    }
  }
  return [
    line(`one SQL update of ${rows.toLocaleString('en')} rows`, 'update'),
    line('row by row, by hand', 'rows'),
    line('unnest in batches with read-ahead, by hand: no checkpoint, no key named', 'loop'),
    line('reencrypt, a pass, beside row by row', 'job', 'rows', { atLeast: 16 }),
    line('reencrypt, a pass, beside one SQL update', 'job', 'update', { atLeast: 0.15 }),
    line('reencrypt, a pass, beside unnest by hand', 'job', 'loop', { atLeast: 0.9 }),
    line('reencrypt, with the pass that proves it complete, beside unnest by hand', 'whole', 'loop'),
    line('two workers beside one', 'workers', 'job', { atLeast: 1.4 }),
  ]
}

async function scale(pool: pg.Pool, folder: string, url: string, rows: number): Promise<Result[]> {
  const used: Used[] = []
  for (const [name, count] of [
    ['small', rows],
    ['large', 10 * rows],
  ] as const) {
    await createTable(pool, folder, url, name, count, false)
    const config = configure(folder, url, name)
    const room = await openStrongroom(config)
    await room.keys.rotate({ scope: 'all' })
    await room.close()
    const child = await startChild(folder, url, name, '', '', 'no')
    used.push(await work(child))
    child.disconnect()
  }
  const [small, large] = used as [Used, Used]
  const line = (what: string, value: number, atMost: number, shown: string): Result => ({
    id: 'P12 job',
    what: `${what} of ${(10 * rows).toLocaleString('en')} rows against ${rows.toLocaleString('en')}`,
    measured: `${value.toFixed(2)} ×  (${shown})`,
    value,
    target: { atMost },
  })
  return [
    line(
      'time of the processor',
      large.seconds / small.seconds,
      11,
      `${small.seconds.toFixed(1)} s, ${large.seconds.toFixed(1)} s`,
    ),
    line('memory', large.mib / small.mib, 1.1, `${Math.round(small.mib)} MiB, ${Math.round(large.mib)} MiB`),
  ]
}

async function startChild(...args: string[]): Promise<ChildProcess> {
  const child = fork(CHILD, args, { execArgv: ['--import', 'tsx'], serialization: 'json' })
  await once(child, 'message')
  return child
}

async function work(child: ChildProcess): Promise<Used> {
  const done = once(child, 'message') as Promise<[Used]>
  child.send('go')
  return (await done)[0]
}

/** Each round begins with another one. */
function turned<Item>(items: readonly Item[], by: number): Item[] {
  const at = by % items.length
  return [...items.slice(at), ...items.slice(0, at)]
}
