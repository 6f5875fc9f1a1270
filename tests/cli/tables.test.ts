import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../../src/cli/program.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import { createPeople, type Room } from '../rotation/people.ts'
import { capture } from './capture.ts'

const ROWS = 300
/** Twice the interval in which other processes hear of a rotation. */
const WRITERS_MS = 220

let database: TestDatabase
let pool: pg.Pool
let folder: string
let room: Room

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString })
  folder = mkdtempSync(join(tmpdir(), 'strongroom-tables-'))
  room = await createPeople(pool, folder, database.connectionString, ROWS)
  await pool.query('create index on people (email_index); analyze people')
  writeFileSync(
    join(folder, 'strongroom.config.ts'),
    `import { defineRecord, defineStrongroom, integer, text } from 'strongroom'
import { fileKeyStore } from 'strongroom/file'
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
  tables: { people: postgresTable({ connectionString: ${JSON.stringify(database.connectionString)}, table: 'people' }) },
  keyring: { refreshInterval: 100 },
  quarantineDays: 0,
  backups: { keepDays: 0 },
})
`,
  )
})
afterAll(async () => {
  await room.close()
  await pool.end()
  await database.drop()
  rmSync(folder, { recursive: true, force: true })
})

async function strongroom(...args: string[]) {
  const { streams, written } = capture()
  const code = await run([...args, '--config', join(folder, 'strongroom.config.ts')], streams)
  return { code, ...written }
}

describe('the commands for tables', () => {
  test('count, re-encrypt and say when it is done', async () => {
    expect(await strongroom('census', '--check')).toMatchObject({ code: 0 })
    expect(await strongroom('rotate', '--all')).toMatchObject({ code: 0 })
    const before = await strongroom('census', 'people', '--check')
    expect(before.code).toBe(1)
    expect(before.stdout).toContain('900 values are not under an active key')
    expect(before.stdout).toMatch(/email +ciphertext +[0-9a-f]{32} +decrypt_only +100/)

    const dry = await strongroom('reencrypt', '--dry-run', '--json')
    expect(JSON.parse(dry.stdout)).toMatchObject([{ record: 'people', counts: { rows: ROWS, written: ROWS } }])
    const done = await strongroom('reencrypt', 'people', '--batch', '100')
    expect(done).toMatchObject({ code: 0 })
    expect(done.stdout).toMatch(/people +600 +300 +0 +0 +2/)

    const after = await strongroom('census', '--check', '--html', join(folder, 'census.html'))
    expect(after.code).toBe(0)
    expect(after.stdout).toContain('everything is under an active key')
    const page = readFileSync(join(folder, 'census.html'), 'utf8')
    expect(page).toContain('<svg')
    expect(page).not.toMatch(/src=|href=|<script/)
  })

  test('say no, with the rows, to retiring a key that is used, and yes when it is not; then retire and destroy it', async () => {
    const [rotation] = JSON.parse((await strongroom('rotate', '--tenant', 'acme', '--json')).stdout)
    const { id } = rotation.replaced
    await delay(WRITERS_MS)
    const no = await strongroom('retire', id)
    expect(no.code).toBe(1)
    expect(no.stdout).toMatch(/rows +NO +rows are left under it: 100 in postgres people.email/)
    expect(no.stdout).toContain('no: it may not be retired')
    expect(no.stderr).toContain('hint: strongroom reencrypt people')
    const refused = await strongroom('retire', id, '--json', '--yes')
    expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([1, { allowed: false, state: 'decrypt_only' }])

    await strongroom('reencrypt')
    const yes = await strongroom('retire', id, '--check', '--json')
    expect([yes.code, JSON.parse(yes.stdout)]).toMatchObject([0, { allowed: true, step: 'retire' }])
    expect((await strongroom('retire', id, '--destroy')).code).toBe(1)
    expect(await strongroom('retire', id)).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') })
    const done = await strongroom('retire', id, '--yes')
    expect(done).toMatchObject({ code: 0 })
    expect(done.stdout).toMatch(/yes: it may be retired[\s\S]*is destroy_scheduled\n$/)
    await delay(WRITERS_MS)
    const next = await strongroom('retire', id)
    expect(next).toMatchObject({ code: 0, stderr: expect.stringContaining(`strongroom retire ${id} --destroy`) })
    const gone = await strongroom('retire', id, '--destroy', '--yes', '--json')
    expect([gone.code, JSON.parse(gone.stdout)]).toMatchObject([0, { step: 'destroy', done: { state: 'destroyed' } }])
    expect(await strongroom('retire', id, '--override', 'backups')).toMatchObject({ code: 2 })
    expect(await strongroom('retire', id, '--override', 'rows', '--reason', 'x')).toMatchObject({ code: 2 })
  })

  test('report what was counted, with a proof that every change of the report breaks', async () => {
    const [path, edited, verdict] = ['report.json', 'edited.json', 'verdict.json'].map((name) =>
      join(folder, name),
    ) as [string, string, string]
    expect(await strongroom('report', 'rotation', '--check', '--out', path)).toMatchObject({ code: 0 })
    expect(await strongroom('report', 'rotation', '--out', path)).toMatchObject({ code: 1 })
    const report = JSON.parse(readFileSync(path, 'utf8'))
    expect(report).toMatchObject({
      kind: 'rotation',
      complete: true,
      uncounted: [],
      jobs: [],
      tables: [{ record: 'people', outdated: 0 }],
    })
    expect(report.keys).toContainEqual({ purpose: 'root', state: 'active', keys: 1 })
    const genuine = await strongroom('report', 'verify', path)
    expect([genuine.code, genuine.stdout]).toEqual([
      0,
      expect.stringMatching(/^genuine: proved with key [0-9a-f]{32}, made at 20/),
    ])
    for (const change of [{ complete: false }, { at: new Date().toISOString() }, { kind: 'retire' }, { tables: [] }]) {
      writeFileSync(edited, JSON.stringify({ ...report, ...change }))
      expect(await strongroom('report', 'verify', edited)).toMatchObject({
        code: 1,
        stdout: expect.stringContaining('not genuine'),
      })
    }
    const [rotation] = JSON.parse((await strongroom('rotate', '--tenant', 'globex', '--json')).stdout)
    expect(await strongroom('report', 'rotation', '--check', '--json')).toMatchObject({ code: 1 })
    expect((await strongroom('retire', rotation.replaced.id, '--check', '--out', verdict)).code).toBe(1)
    expect(JSON.parse(readFileSync(verdict, 'utf8'))).toMatchObject({
      kind: 'retire',
      allowed: false,
      keyId: rotation.replaced.id,
    })
    expect(await strongroom('report', 'verify', verdict)).toMatchObject({ code: 0 })
    await strongroom('reencrypt')
  })

  test('name rows that cannot be read, leave them, and end with 1', async () => {
    await pool.query(`update people set note = (select note from people where id = 2) where id = 1`)
    await strongroom('rotate', '--all')
    const done = await strongroom('reencrypt')
    expect(done.code).toBe(1)
    expect(done.stderr).toContain('people: 1 rows cannot be decrypted and were left as they are: 1')
  })

  test('show a job that stopped in the status, until it is done', async () => {
    await pool.query(
      `update strongroom_jobs set state = 'stopped' where started_at = (select max(started_at) from strongroom_jobs)`,
    )
    const { code, stdout, stderr } = await strongroom('status')
    expect(code).toBe(0)
    expect(stdout).toMatch(/reencrypt +people +stopped/)
    expect(stderr).toContain('strongroom reencrypt people: goes on where it stopped')
    expect(JSON.parse((await strongroom('status', '--json')).stdout).jobs).toHaveLength(1)
    await strongroom('reencrypt')
    expect(JSON.parse((await strongroom('status', '--json')).stdout).jobs).toHaveLength(0)
  })

  test('have the doctor look at the columns', async () => {
    const { code, stdout } = await strongroom('doctor')
    expect(code).toBe(0)
    expect(stdout).toMatch(/table\.column +people\.visits +ok +bytea takes ciphertexts of any size/)
    expect(stdout).toMatch(/table\.index +people\.email_index +ok/)
    await pool.query('alter table people alter column email type varchar(150); alter table people add column old text')
    expect((await strongroom('doctor')).stdout).toMatch(
      /people\.email +ok +character varying\(150\) holds values of up to \d+ bytes/,
    )
  })

  test('are refused for a table that the configuration does not have', async () => {
    expect(await strongroom('reencrypt', 'nobody')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('tables: people'),
    })
    expect(await strongroom('census', '__proto__')).toMatchObject({ code: 2 })
    expect(await strongroom('reencrypt', '--hours', '22')).toMatchObject({ code: 2 })
  })
})
