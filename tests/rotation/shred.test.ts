import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../../src/cli/program.ts'
import { KeyRecordError, KeyUnavailableError } from '../../src/errors.ts'
import { text } from '../../src/records/field.ts'
import { defineRecord } from '../../src/records/schema.ts'
import { finality, type ShredReceipt, shred } from '../../src/rotation/shred.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import type { Table } from '../../src/table.ts'
import { childProgram } from '../child-program.ts'
import { capture } from '../cli/capture.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import { type Clinic, configurePatients, createPatients, patient } from './patients.ts'

const SLOW = process.env.STRONGROOM_SLOW === '1'
const COUNT = 40
const DAY_MS = 86_400_000
const program = childProgram('tests/rotation/shred-child.ts')
let database: TestDatabase
let pool: pg.Pool
let folder: string
let room: Clinic
let config: ReturnType<typeof configurePatients>

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString })
  folder = mkdtempSync(join(tmpdir(), 'strongroom-shred-'))
  room = await createPatients(pool, folder, database.connectionString, COUNT)
  config = configurePatients(folder, database.connectionString)
  writeFileSync(
    join(folder, 'strongroom.config.ts'),
    `import { defineRecord, defineStrongroom, text } from 'strongroom'
import { fileKeyStore, fileShredLedger } from 'strongroom/file'
import { postgresTable } from 'strongroom/postgres'
import { rawAes } from 'strongroom/raw'
const connectionString = ${JSON.stringify(database.connectionString)}
const patients = defineRecord('patients', {
  email: text({ index: { column: 'email_index', transform: 'email', rows: 100_000 } }), note: text({ nullable: true }),
}, { id: 'id', tenant: 'clinic', subject: 'id' })
const visits = defineRecord('visits', { reason: text({ index: { column: 'reason_index', rows: 100_000 } }) },
  { id: 'visit', tenant: 'clinic', subject: 'patient' })
export default defineStrongroom({
  name: 'clinic',
  kms: rawAes({ namespace: 'test', name: 'one', key: Buffer.alloc(32, 7) }),
  store: fileKeyStore({ path: ${JSON.stringify(join(folder, 'keys'))} }),
  shredLedger: fileShredLedger({ path: ${JSON.stringify(join(folder, 'ledger'))} }),
  records: { patients, visits },
  tables: {
    patients: postgresTable({ connectionString, table: 'patients' }),
    visits: postgresTable({ connectionString, table: 'visits' }),
  },
  backups: { keepDays: 35, keyStoreKeepDays: 14 },
})
`,
  )
})
afterAll(async () => {
  await room.close()
  await Promise.all(Object.values(config.tables ?? {}).map((table) => table?.close?.()))
  await pool.end()
  await database.drop()
  rmSync(folder, { recursive: true, force: true })
})

const scopeOf = (id: number) => ({ tenant: patient(id).clinic, subject: String(id) })
const rowOf = async (id: number) => (await pool.query('select * from patients where id = $1', [id])).rows
const visitsOf = async (id: number) => (await pool.query('select * from visits where patient = $1', [id])).rows

async function strongroom(...args: string[]) {
  const { streams, written } = capture()
  const code = await run([...args, '--config', join(folder, 'strongroom.config.ts')], streams)
  return { code, ...written }
}

/** Nobody can read this patient any more, no tag of theirs is left, and every other patient is as before. */
async function expectGone(id: number): Promise<void> {
  const fresh = await openStrongroom(configurePatients(folder, database.connectionString))
  const keys = await fresh.keys.list({ scope: scopeOf(id) })
  expect(keys.map(({ state }) => state)).toEqual(['destroyed'])
  for (const row of await rowOf(id)) {
    expect(row.email_index).toBe(null)
    await expect(fresh.records.patients.decryptMany([row])).rejects.toThrow()
  }
  for (const row of await visitsOf(id)) expect(row.reason_index).toBe(null)
  const other = id === COUNT ? 1 : id + 1
  const [decrypted] = await fresh.records.patients.decryptMany(await rowOf(other))
  expect(decrypted).toMatchObject(patient(other))
  expect(await visitsOf(other)).toMatchObject([
    { reason_index: expect.any(String) },
    { reason_index: expect.any(String) },
  ])
  await expect(fresh.records.patients.encryptMany([patient(id)])).rejects.toThrow(KeyUnavailableError)
  await fresh.close()
}

describe('shredding a person', () => {
  test('makes their rows unreadable, empties their tags and no others, and gives a receipt', async () => {
    const receipt = await shred(config, room.keys, scopeOf(40), { reason: 'request 118' })
    expect(receipt).toMatchObject({
      kind: 'shred',
      store: 'clinic',
      reason: 'request 118',
      keys: [{ purpose: 'data', destroyedAt: expect.any(String), root: expect.any(String) }],
      tables: [
        { record: 'patients', rows: 1, cleared: 1, readable: 0, kept: [] },
        { record: 'visits', rows: 2, cleared: 2, readable: 0, kept: [] },
      ],
      ledger: 'file',
      finality: { status: 'scheduled' },
    })
    expect(receipt.scope).not.toContain('40')
    await expectGone(40)
    const until = Date.parse(receipt.keys[0]?.destroyedAt as string) + 35 * DAY_MS
    expect(receipt.finality.final).toBe(new Date(until).toISOString())
    expect(finality(receipt, { keepDays: 35 }, new Date(until + 1))).toMatchObject({ status: 'final' })
    expect(finality(receipt, undefined, new Date(until + 1))).toMatchObject({ status: 'scheduled', final: null })

    const again = await shred(config, room.keys, scopeOf(40))
    expect(again.keys).toEqual(receipt.keys)
    expect(again.tables).toMatchObject([
      { rows: 1, cleared: 0 },
      { rows: 2, cleared: 0 },
    ])
  })

  test('says when a value of theirs can still be read, and is not final then', async () => {
    const key = (await room.keys.list({ scope: scopeOf(38) }))[0]?.id as string
    const head = Buffer.concat([
      Buffer.from('sr1_', 'base64url'),
      Buffer.from([0xf9]),
      Buffer.from('ab'.repeat(16), 'hex'),
    ]).toString('base64url')
    await pool.query('update patients set note = $2 where id = $1', [38, `${head}AAAA`])
    const receipt = await shred(config, room.keys, scopeOf(38))
    expect(receipt.keys).toMatchObject([{ id: key }])
    expect(receipt.tables[0]).toMatchObject({ rows: 1, readable: 1 })
    expect(receipt.finality).toMatchObject({ status: 'scheduled', final: null })
    expect(receipt.finality.because).toContain('1 rows of postgres patients still hold values')
    expect(finality(receipt, { keepDays: 0 }, new Date(Date.now() + DAY_MS))).toMatchObject({ status: 'scheduled' })
    await pool.query('update patients set note = null where id = 38')
    expect((await shred(config, room.keys, scopeOf(38))).tables[0]).toMatchObject({ readable: 0 })
  })

  test('names what it did not reach', async () => {
    const receipt = await shred({ name: 'clinic', records: config.records ?? {} }, room.keys, scopeOf(39))
    expect(receipt.remains.join('\n')).toMatch(
      /record patients has no table[\s\S]*record visits has no table[\s\S]*no shredLedger/,
    )
    expect(receipt).toMatchObject({ unseen: ['patients', 'visits'], finality: { status: 'scheduled', final: null } })
    expect(receipt.finality.because).toContain('nobody looked at rows of patients, visits')
    const later = new Date(Date.now() + DAY_MS)
    expect(finality(receipt, { keepDays: 0 }, later)).toMatchObject({ status: 'scheduled', final: null })
    expect(finality({ ...receipt, unseen: [] }, { keepDays: 0 }, later)).toMatchObject({ status: 'final' })
  })

  test('is never final for a scope of which no key was found', async () => {
    const odd = await shred(config, room.keys, { tenant: 'south', subject: 'no number' })
    expect(odd).toMatchObject({ keys: [], tables: [{ rows: 0 }, { rows: 0 }] })
    const because = 'no key of this scope was found: nothing was erased'
    expect(odd.finality).toEqual({ status: 'scheduled', final: null, because })
    expect(finality({ ...odd, scope: 'expired keys' }, undefined, new Date())).toMatchObject({ status: 'final' })
  })

  test('takes a UUID in either case', async () => {
    const upper = '550E8400-E29B-41D4-A716-446655440000'
    const lower = upper.toLowerCase()
    const owners = defineRecord(
      'owners',
      { email: text({ index: { column: 'tag', rows: 1000 } }) },
      { id: 'id', tenant: 'clinic', subject: 'id' },
    )
    const own = await openStrongroom({ ...config, records: { owners }, tables: {}, migrations: {} })
    const [values] = await own.records.owners.encryptMany([{ id: upper, clinic: 'north', email: 'a@example.com' }])
    const row = { ...values, id: lower } as Record<string, unknown>
    const owned: Table = {
      ...(config.tables?.patients as Table),
      name: 'owners',
      describe: async () => {
        const column = { name: 'tag', nullable: true, holds: 'text', type: 'text', width: null } as const
        return { columns: [column], primaryKey: ['id'], indexes: [], estimatedRows: 1, bytes: 0 }
      },
      page: async ({ equals }) => (equals?.id === lower ? [{ key: [lower], values: row }] : []),
      write: async (changes) => changes.map(({ set }) => Object.assign(row, set) === row),
    }
    const receipt = await shred({ ...config, records: { owners }, tables: { owners: owned } }, own.keys, {
      tenant: 'north',
      subject: upper,
    })
    expect(receipt).toMatchObject({ keys: [{ purpose: 'data' }], tables: [{ rows: 1, cleared: 1, readable: 0 }] })
    expect(row.tag).toBe(null)
    await own.close()
  })
})

test('an index column that must hold a value is left, and named', async () => {
  const tables = config.tables as { patients: Table; visits: Table }
  const describeStrict = async () => {
    const description = await tables.visits.describe()
    const columns = description.columns.map((column) => ({ ...column, nullable: column.name !== 'reason_index' }))
    return { ...description, columns }
  }
  const strict = { ...config, tables: { ...tables, visits: { ...tables.visits, describe: describeStrict } } }
  const receipt = await shred(strict, room.keys, scopeOf(37))
  expect(receipt.tables[1]).toMatchObject({ rows: 2, cleared: 0, kept: ['reason_index'] })
  expect(receipt.remains).toContain('postgres visits.reason_index must hold a value: it was not emptied')
  expect(receipt.finality).toMatchObject({ status: 'scheduled', final: null })
  expect(receipt.finality.because).toContain('2 rows of postgres visits still have filled index columns')
  expect(finality(receipt, { keepDays: 0 }, new Date(Date.now() + DAY_MS))).toMatchObject({ status: 'scheduled' })
})

test('rows that others fill again and again are named, and the erasure is not final', async () => {
  const tables = config.tables as { patients: Table; visits: Table }
  const busy: Table = { ...tables.visits, write: async (changes) => changes.map(() => false) }
  const receipt = await shred({ ...config, tables: { ...tables, visits: busy } }, room.keys, scopeOf(37))
  expect(receipt.tables).toMatchObject([{ left: 0 }, { rows: 2, cleared: 0, left: 2 }])
  expect(receipt.remains).toContain('others kept filling index columns of 2 rows of postgres visits')
  expect(finality(receipt, { keepDays: 0 }, new Date(Date.now() + DAY_MS))).toMatchObject({ status: 'scheduled' })
  expect((await shred(config, room.keys, scopeOf(37))).tables[1]).toMatchObject({ cleared: 2, left: 0 })
})

describe('a process that is killed while it shreds', () => {
  async function shredIn(id: number, dieAt: number) {
    const trace = join(folder, `trace-${id}-${dieAt}`)
    const args = [program.path, folder, database.connectionString, String(id), String(dieAt), trace]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    const [code, signal] = await once(child, 'exit')
    const steps: string[] = existsSync(trace) ? JSON.parse(readFileSync(trace, 'utf8')) : []
    return { code, signal, steps, receipt: out === '' ? undefined : (JSON.parse(out) as ShredReceipt) }
  }

  test('leaves nothing that running it again does not finish, at whatever step', { timeout: 300_000 }, async () => {
    const whole = await shredIn(1, 0)
    expect([whole.code, whole.receipt?.keys.length]).toEqual([0, 1])
    await expectGone(1)
    // The first receipt makes its key, which no other run does.
    const steps = whole.steps.slice(0, whole.steps.lastIndexOf('after write') + 1)
    expect(steps.filter((name) => name === 'half-written')).toHaveLength(1)
    expect(steps.length).toBeGreaterThanOrEqual(12)
    // The short run takes one inside of the ledger and one between two tables.
    const chosen = SLOW
      ? steps.map((_, at) => at + 1)
      : [steps.indexOf('half-written') + 1, steps.lastIndexOf('before write') + 1]
    let id = 1
    let kills = 0
    for (const dieAt of chosen) {
      id++
      const killed = await shredIn(id, dieAt)
      expect(killed.signal, `${steps[dieAt - 1]} ${dieAt}`).toBe('SIGKILL')
      kills++
      // Other processes start meanwhile: nothing that can be used is back.
      await (await openStrongroom(configurePatients(folder, database.connectionString))).close()
      const resumed = await shredIn(id, 0)
      expect([resumed.code, resumed.signal]).toEqual([0, null])
      expect(resumed.receipt?.keys).toMatchObject([{ destroyedAt: expect.any(String) }])
      await expectGone(id)
    }
    console.info(`shred: ${kills} kills at ${steps.length} steps: ${steps.join(', ')}`)
    const entries = readFileSync(join(folder, 'ledger'), 'utf8').trim().split('\n')
    const named = new Set(entries.map((line) => JSON.parse(line).keyId))
    expect(named.size).toBe(entries.length)
  })
})

describe('strongroom shred', () => {
  test('erases, writes a receipt that can be verified, and wants to be confirmed', async () => {
    const args = ['shred', '--tenant', 'north', '--subject', '30']
    expect(await strongroom('shred')).toMatchObject({ code: 2 })
    expect(await strongroom('shred', '--expired', '--replay')).toMatchObject({ code: 2 })
    expect(await strongroom(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') })
    const dry = await strongroom(...args, '--dry-run')
    expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining('would shred 1 keys')])
    expect((await room.keys.list({ scope: scopeOf(30) }))[0]?.state).toBe('active')

    const receipt = join(folder, 'receipt.json')
    const done = await strongroom(...args, '--yes', '--out', receipt, '--reason', 'request 119')
    expect(done).toMatchObject({ code: 0 })
    expect(done.stdout).toMatch(/scheduled: backups of the key store from before are kept for 14 days/)
    const verified = await strongroom('report', 'verify', receipt)
    expect([verified.code, verified.stdout]).toEqual([
      0,
      expect.stringMatching(/^genuine: proved with key [0-9a-f]{32}, made at .*\nscheduled/),
    ])

    const edited = JSON.parse(readFileSync(receipt, 'utf8'))
    writeFileSync(join(folder, 'edited.json'), JSON.stringify({ ...edited, tables: [] }))
    const refused = await strongroom('report', 'verify', join(folder, 'edited.json'))
    expect([refused.code, refused.stdout]).toEqual([1, expect.stringContaining('it was changed since it was made')])
    writeFileSync(join(folder, 'edited.json'), 'no json')
    expect(await strongroom('report', 'verify', join(folder, 'edited.json'))).toMatchObject({ code: 1 })
    expect(await strongroom('shred', '--expired', '--yes', '--json')).toMatchObject({ code: 0 })
  })

  test('destroys nothing when the receipt cannot be written, and leaves no file when it fails', async () => {
    const args = ['shred', '--tenant', 'north', '--subject', '28', '--yes', '--out']
    const taken = join(folder, 'taken.json')
    writeFileSync(taken, 'mine')
    const refused = await strongroom(...args, taken)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('it exists already; nothing was done')])
    expect(readFileSync(taken, 'utf8')).toBe('mine')
    expect(await strongroom(...args, join(folder, 'no folder', 'receipt.json'))).toMatchObject({ code: 1 })
    expect((await room.keys.list({ scope: scopeOf(28) }))[0]?.state).toBe('active')

    const failed = join(folder, 'failed.json')
    const bucket = ['shred', '--bucket', 'strongroom.reports', '--yes', '--out', failed]
    expect(await strongroom(...bucket)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('strongroom.reports'),
    })
    expect(existsSync(failed)).toBe(false)
    expect(await strongroom(...args, failed)).toMatchObject({ code: 0 })
    expect(statSync(failed).mode & 0o777).toBe(0o600)
  })

  test('fails for a scope of which there is no key', async () => {
    const none = await strongroom('shred', '--tenant', 'north', '--subject', '999', '--yes', '--json')
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('no key of this scope was found')])
    expect(JSON.parse(none.stdout)).toMatchObject({ keys: [], finality: { status: 'scheduled', final: null } })
    const dry = await strongroom('shred', '--tenant', 'north', '--subject', '999', '--dry-run')
    expect([dry.code, dry.stderr]).toEqual([1, expect.stringContaining('no key of this scope was found')])
    expect(await strongroom('shred', '--replay', '--yes')).toMatchObject({ code: 0 })
  })

  test('a restored copy of the key store is refused by everything, until the ledger is replayed by one command', async () => {
    copyFileSync(join(folder, 'keys'), join(folder, 'backup'))
    expect(await strongroom('shred', '--tenant', 'north', '--subject', '32', '--yes')).toMatchObject({ code: 0 })
    copyFileSync(join(folder, 'backup'), join(folder, 'keys'))
    await expect(openStrongroom(configurePatients(folder, database.connectionString))).rejects.toThrow(KeyRecordError)
    const refused = await strongroom('keys', 'list')
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('strongroom shred --replay')])

    const replayed = await strongroom('shred', '--replay', '--yes', '--json')
    expect([replayed.code, JSON.parse(replayed.stdout)]).toMatchObject([
      0,
      { scope: 'ledger', keys: [{ purpose: 'data' }] },
    ])
    expect(await strongroom('keys', 'list')).toMatchObject({ code: 0 })
    await expectGone(32)
  })

  test('a ledger with an unfinished last line counts it as not written; a damaged one stops everything', async () => {
    const ledger = join(folder, 'ledger')
    const whole = readFileSync(ledger, 'utf8')
    writeFileSync(ledger, `${whole}{"seq":99,"at":"2026`)
    expect(await strongroom('shred', '--tenant', 'north', '--subject', '34', '--yes')).toMatchObject({ code: 0 })
    expect(readFileSync(ledger, 'utf8').startsWith(whole)).toBe(true)
    expect(readFileSync(ledger, 'utf8')).not.toContain('"seq":99')
    const lines = readFileSync(ledger, 'utf8')
    for (const damaged of [
      lines.replace('"seq":1,', '"seq":2,'),
      lines.slice(lines.indexOf('\n') + 1),
      `{}\n${lines}`,
    ]) {
      writeFileSync(ledger, damaged)
      const { code, stderr } = await strongroom('keys', 'list')
      expect([code, stderr]).toEqual([1, expect.stringContaining('shred ledger')])
    }
    writeFileSync(ledger, lines)
    expect(await strongroom('keys', 'list')).toMatchObject({ code: 0 })
  })
})
