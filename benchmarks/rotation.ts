import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { reencryptTable } from '../src/rotation/reencrypt.ts'
import { openStrongroom } from '../src/strongroom.ts'
import type { Table } from '../src/table.ts'
import { MARIADB_MISSING } from '../tests/fixtures/mariadb.ts'
import { lowerQuartile } from './measure.ts'
import type { Result, Suite, Target } from './result.ts'
import { handWrittenLoop, rowByRow } from './rotation-by-hand.ts'
import { RotationChild } from './rotation-child.ts'
import type { RotationDatabase } from './rotation-database.ts'
import { mariadbDatabase } from './rotation-mariadb.ts'
import { postgresDatabase } from './rotation-postgres.ts'
import { configure, createKeys, createTable, fill } from './rotation-table.ts'

const BATCH = 1000

/** One way to write every row of a table. */
interface Way {
  readonly table: string
  /** Whether a new key is made before. */
  readonly rotates?: boolean
  /** @returns rows, and seconds of the processor that were used for them outside of the server, where that is measured */
  readonly run: () => Promise<{ rows: number; seconds?: number }>
}

/** What a way took, for one row, in seconds. */
interface Took {
  readonly clock: number
  readonly here: number | undefined
  readonly server: number | undefined
}

/** P10: one column of a table, each way in a table of its own, in turns. */
export const rotation: Suite = async ({ quick }) => {
  const size = quick ? { rows: 2000, rounds: 1 } : { rows: 40_000, rounds: 3 }
  const lines = await measureIn(postgresDatabase, size)
  if (MARIADB_MISSING === undefined) return [...lines, ...(await measureIn(mariadbDatabase, size))]
  return [...lines, { id: 'P10 mariadb', what: 'the same in MariaDB', measured: '', missing: MARIADB_MISSING }]
}

interface Size {
  readonly rows: number
  readonly rounds: number
}

async function measureIn(start: () => Promise<RotationDatabase>, size: Size): Promise<Result[]> {
  const database = await start()
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-bench-'))
  try {
    return await measure(database, folder, size)
  } finally {
    await database.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(database: RotationDatabase, folder: string, { rows, rounds }: Size): Promise<Result[]> {
  await createKeys(folder, database)
  for (const table of ['one', 'two']) await createTable(folder, database, table, rows)
  await fill(database, 'touched', rows, async (ids) => ids.map((id) => `sr1_${'x'.repeat(118)}${id % 10}`))
  const loop = await handWrittenLoop(database, rows, BATCH)
  const slow = await rowByRow(database, Math.max(500, rows / 40))
  const config = configure(folder, database.url, 'one')
  const room = await openStrongroom(config)
  const half = String(Math.floor(rows / 2))
  const workers = [
    await RotationChild.start(folder, database.url, 'two', { until: half, onePass: true }),
    await RotationChild.start(folder, database.url, 'two', { from: half, onePass: true }),
  ]
  const job = async (onePass: boolean) => {
    await reencryptTable(room.records.people, config.tables?.people as Table, { batch: BATCH, onePass })
    return rows
  }
  const ways: Record<string, Way> = {
    update: { table: 'touched', run: here(() => database.updateAll('touched')) },
    loop: { table: 'by_hand', run: here(loop) },
    rows: { table: 'row_by_row', run: here(slow) },
    job: { table: 'one', rotates: true, run: here(() => job(true)) },
    whole: { table: 'one', rotates: true, run: here(() => job(false)) },
    workers: {
      table: 'two',
      rotates: true,
      run: async () => {
        const used = await Promise.all(workers.map((worker) => worker.work()))
        return { rows: sum(used.map(({ written }) => written)), seconds: sum(used.map(({ seconds }) => seconds)) }
      },
    },
  }
  const took = await inTurns(database, ways, rounds, () => room.keys.rotate({ scope: 'all' }))
  for (const worker of workers) worker.stop()
  await room.close()
  return lines(database, rows, took)
}

/** With what this process used meanwhile. */
function here(run: () => Promise<number>): Way['run'] {
  return async () => {
    const before = process.cpuUsage()
    const rows = await run()
    const { user, system } = process.cpuUsage(before)
    return { rows, seconds: (user + system) / 1e6 }
  }
}

async function inTurns(
  database: RotationDatabase,
  ways: Readonly<Record<string, Way>>,
  rounds: number,
  rotate: () => Promise<unknown>,
): Promise<Record<string, Took[]>> {
  const took: Record<string, Took[]> = Object.fromEntries(Object.keys(ways).map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, { table, rotates, run }] of turned(Object.entries(ways), round)) {
      await database.settle(table)
      if (rotates) await rotate()
      const before = database.processorTime()
      const started = performance.now()
      const { rows, seconds } = await run()
      const clock = (performance.now() - started) / 1000 / rows
      const after = database.processorTime()
      const server = before === undefined || after === undefined ? undefined : (after - before) / rows
      // The first round warms everything up.
      if (round > 0 || rounds === 1) took[name]?.push({ clock, here: seconds && seconds / rows, server })
    }
  }
  return took
}

function lines(database: RotationDatabase, rows: number, took: Readonly<Record<string, readonly Took[]>>): Result[] {
  const id = `P10 ${database.name}`
  const quartile = (name: string, of: keyof Took) =>
    lowerQuartile((took[name] ?? []).map((one) => one[of] ?? Number.NaN))
  const rate = (name: string) => 1 / quartile(name, 'clock')
  const line = (what: string, name: string, beside?: string, target?: Target): Result => {
    const times = beside === undefined ? undefined : rate(name) / rate(beside)
    return {
      id,
      what,
      measured: `${Math.round(rate(name)).toLocaleString('en')} rows/s${times === undefined ? '' : `  ${times.toFixed(2)} ×`}`,
      ...(times !== undefined && { value: times }),
      ...(target && { target }),
    }
  }
  const loop = `${database.statement} in batches with read-ahead, by hand`
  const used = (what: string, name: string): Result => {
    const [node, server] = [quartile(name, 'here') * 1e6, quartile(name, 'server') * 1e6]
    const most = (availableParallelism() * 1e6) / (node + server) / rate('job')
    const measured = `${node.toFixed(0)} µs + server ${server.toFixed(0)} µs`
    return {
      id,
      what,
      measured: `${measured}: ${availableParallelism()} cores at their limit are ${most.toFixed(2)} × one job`,
    }
  }
  return [
    line(`one SQL update of ${rows.toLocaleString('en')} rows; ${database.says}`, 'update'),
    line('row by row, by hand', 'rows'),
    line(`${loop}: no checkpoint, no key named`, 'loop'),
    line('reencrypt, a pass, beside row by row', 'job', 'rows', { atLeast: 16 }),
    line('reencrypt, a pass, beside one SQL update', 'job', 'update', { atLeast: 0.15 }),
    line(`reencrypt, a pass, beside ${database.statement} by hand`, 'job', 'loop', { atLeast: 0.9 }),
    line(`reencrypt, with the pass that proves it complete, beside ${database.statement} by hand`, 'whole', 'loop'),
    line('two workers beside one', 'workers', 'job', { atLeast: 1.4 }),
    used('  processor time a row, the loop by hand', 'loop'),
    used('  processor time a row, one job', 'job'),
    used('  processor time a row, two workers', 'workers'),
  ]
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Each round begins with another one. */
function turned<Item>(items: readonly Item[], by: number): Item[] {
  const at = by % items.length
  return [...items.slice(at), ...items.slice(0, at)]
}
