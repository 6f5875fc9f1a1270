import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgresTable } from '../../providers/postgres/index.ts'
import { run } from '../../src/cli/program.ts'
import { planRanges } from '../../src/rotation/ranges.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import { createPeople, type Room } from '../rotation/people.ts'
import { capture } from './capture.ts'

const ROWS = 200

let database: TestDatabase
let pool: pg.Pool
let folder: string
let room: Room

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString })
  folder = mkdtempSync(join(tmpdir(), 'strongroom-workers-'))
  room = await createPeople(pool, folder, database.connectionString, ROWS)
  const connection = JSON.stringify(database.connectionString)
  const config = (queue: string) => `import { defineRecord, defineStrongroom, integer, text } from 'strongroom'
import { fileKeyStore } from 'strongroom/file'
import { pgBossQueue } from 'strongroom/pg-boss'
import { postgresTable } from 'strongroom/postgres'
import { rawAes } from 'strongroom/raw'
const people = defineRecord('people', {
  email: text({ index: { column: 'email_index', transform: 'email', rows: 100_000 } }),
  note: text({ nullable: true }),
  visits: integer({ storage: 'binary' }),
}, { id: 'id', tenant: 'tenant' })
export default defineStrongroom({
  name: 'rotation',
  kms: rawAes({ namespace: 'test', name: 'one', key: Buffer.alloc(32, 7) }),
  store: fileKeyStore({ path: ${JSON.stringify(join(folder, 'keys'))} }),
  records: { people },
  tables: { people: postgresTable({ connectionString: ${connection}, table: 'people' }) },
  ${queue}
})
`
  const queue = `queue: pgBossQueue({ connectionString: ${connection}, pollMs: 100 }),`
  writeFileSync(join(folder, 'strongroom.config.ts'), config(queue))
  writeFileSync(join(folder, 'alone.config.ts'), config(''))
})
afterAll(async () => {
  await room.close()
  await pool.end()
  await database.drop()
  rmSync(folder, { recursive: true, force: true })
})

function strongroom(args: string[], config = 'strongroom.config.ts') {
  const { streams, written } = capture()
  const code = run([...args, '--config', join(folder, config)], streams)
  return { written, done: code.then((code) => ({ code, ...written })) }
}

describe('strongroom worker', () => {
  test('does the ranges of `reencrypt --ranges`, and ends on Ctrl-C with 0', async () => {
    await room.keys.rotate({ scope: 'all' })
    const worker = strongroom(['worker', '--batch', '50'])
    const job = await strongroom(['reencrypt', 'people', '--ranges', '3', '--json']).done
    expect(job).toMatchObject({ code: 0 })
    expect(JSON.parse(job.stdout)).toMatchObject([{ record: 'people', complete: true, counts: { written: ROWS } }])
    expect(worker.written.stderr.match(/people: range done: 6\d rows, 6\d written/g)).toHaveLength(3)
    process.emit('SIGINT')
    expect((await worker.done).code).toBe(0)
    expect((await strongroom(['census', '--check']).done).code).toBe(0)
  })

  test('is needed by nobody: one process finishes the ranges that are left', async () => {
    await room.keys.rotate({ scope: 'all' })
    const table = postgresTable({ pool, table: 'people' })
    await planRanges(table, { kind: 'reencrypt', record: 'people', phase: 'reencrypt', staleMs: 60_000 }, 4)
    const status = await strongroom(['status']).done
    expect(status.stdout.match(/reencrypt +people +stopped/g)).toHaveLength(4)
    expect((await strongroom(['reencrypt'], 'alone.config.ts').done).code).toBe(0)
    expect((await strongroom(['census', '--check']).done).code).toBe(0)
    expect(JSON.parse((await strongroom(['status', '--json']).done).stdout).jobs).toEqual([])
  })

  test('cannot be called without a queue, nor can its ranges', async () => {
    for (const args of [['worker'], ['reencrypt', '--ranges', '4']]) {
      expect(await strongroom(args, 'alone.config.ts').done).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('pgBossQueue'),
      })
    }
    expect(await strongroom(['reencrypt', '--ranges', '1']).done).toMatchObject({ code: 2 })
  })
})

describe('Ctrl-C', () => {
  test('ends a job behind the batch in hand, and says how to go on', async () => {
    await room.keys.rotate({ scope: 'all' })
    const job = strongroom(['reencrypt', '--batch', '20', '--rows-per-second', '100'])
    const written = async () => {
      const jobs = await postgresTable({ pool, table: 'people' }).jobs.list({ limit: 1, staleMs: 60_000 })
      return jobs[0]?.state === 'running' ? (jobs[0].progress.counts.written ?? 0) : 0
    }
    while ((await written()) === 0) await sleep(20)
    process.emit('SIGINT')
    const { code, stderr } = await job.done
    expect(code).toBe(1)
    expect(stderr).toContain('interrupted: what was done stays done')
    expect(stderr).toContain('hint: run it again: it goes on where it stopped')
    const [stopped] = await postgresTable({ pool, table: 'people' }).jobs.list({ limit: 1, staleMs: 60_000 })
    expect(stopped).toMatchObject({ state: 'stopped' })
    expect(Number(stopped?.progress.counts.written) % 20).toBe(0)
    expect((await strongroom(['reencrypt']).done).code).toBe(0)
    expect((await strongroom(['census', '--check']).done).code).toBe(0)
  })
})
