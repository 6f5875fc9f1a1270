import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { KeyStateError, KeyUnavailableError } from '../../src/errors.ts'
import type { StrongroomEvent } from '../../src/events.ts'
import type { KeyInfo } from '../../src/keys/key-info.ts'
import { encodeScope } from '../../src/keys/scope.ts'
import { reencryptTable } from '../../src/rotation/reencrypt.ts'
import { type RetireOptions, type RetireVerdict, retireKey, retireVerdict } from '../../src/rotation/retire.ts'
import type { RetireCheckName, RetireParts } from '../../src/rotation/retire-checks.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import type { Table } from '../../src/table.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import { configure, createPeople, insertPeople, type Room } from './people.ts'

const DAY_MS = 86_400_000
const ROWS = 30
let database: TestDatabase
let pool: pg.Pool
let folder: string
let room: Room
let config: ReturnType<typeof configure>
let table = ''
let parts: RetireParts

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString })
})
afterAll(async () => {
  await room.close()
  await pool.end()
  await database.drop()
  rmSync(folder, { recursive: true, force: true })
})

beforeEach(async ({ onTestFinished }) => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-retire-'))
  table = `people_${folder.slice(-6).toLowerCase()}`
  room = await createPeople(pool, folder, database.connectionString, ROWS, table)
  config = configure(folder, database.connectionString, table)
  parts = { ...config, backups: { keepDays: 35 }, quarantineDays: 7 }
  const { close } = room
  onTestFinished(async () => {
    await close.call(room)
    await config.tables?.people?.close?.()
    await pool.query(`drop table ${table}; drop table if exists strongroom_jobs`)
  })
})

const later = (days: number): Date => new Date(Date.now() + days * DAY_MS + 60_000)
const soon = (): Date => later(0)
const rows = (): Table => config.tables?.people as Table
const check = (verdict: RetireVerdict, name: RetireCheckName) => verdict.checks.find((one) => one.check === name)
const noes = (verdict: RetireVerdict) => verdict.checks.filter(({ result }) => result === 'no').map((one) => one.check)
const judge = (id: string, options: RetireOptions = {}) =>
  retireVerdict(parts, room.keys, id, { now: soon(), ...options })

async function rotated(purpose: 'data' | 'index', tenant: string): Promise<KeyInfo> {
  const [rotation] = await room.keys.rotate({ purpose, scope: { tenant } })
  return rotation?.replaced as KeyInfo
}

describe('the verdict on a data key', () => {
  test('is no while it writes, and while rows are left, which it names by table and column; then yes', async () => {
    const [active] = await room.keys.list({ purpose: 'data', scope: { tenant: 'acme' } })
    expect(noes(await judge(active?.id as string))).toEqual(['state', 'rows'])
    const old = await rotated('data', 'acme')
    const before = await judge(old.id)
    expect(before).toMatchObject({ step: 'retire', allowed: false, state: 'decrypt_only' })
    expect(noes(before)).toEqual(['rows'])
    expect(check(before, 'rows')?.message).toContain(`10 in postgres ${table}.email`)
    expect(before.rows.filter((count) => count.rows > 0).map(({ column, rows }) => [column, rows])).toEqual([
      ['email', 10],
      ['note', 10],
      ['visits', 10],
    ])

    await reencryptTable(room.records.people, rows())
    const after = await judge(old.id)
    expect(after.allowed).toBe(true)
    expect(after.rows.every((count) => count.rows === 0)).toBe(true)
    expect(check(after, 'backups')).toMatchObject({ result: 'later', until: expect.any(String) })
  })

  test('counts columns that no record declares, because a value encrypted by hand names its key as well', async () => {
    await pool.query(`update ${table} set nickname = email where id = 3`)
    const [person] = (await pool.query(`select tenant from ${table} where id = 3`)).rows
    const old = await rotated('data', person.tenant)
    await reencryptTable(room.records.people, rows())
    const verdict = await judge(old.id)
    expect(verdict.rows.filter((count) => count.rows > 0)).toMatchObject([{ column: 'nickname', rows: 1 }])
    expect(verdict.allowed).toBe(false)
  })

  test('does not trust a count of a moment ago: a row that came back stops the step itself', async () => {
    const { rows: kept } = await pool.query(`select * from ${table} where tenant = 'acme' order by id limit 1`)
    const old = await rotated('data', 'acme')
    await reencryptTable(room.records.people, rows())
    expect((await judge(old.id)).allowed).toBe(true)
    await pool.query(`update ${table} set email = $1 where id = $2`, [kept[0].email, kept[0].id])
    await expect(retireKey(parts, room.keys, old.id, 'retire', { now: soon() })).rejects.toThrow(
      new RegExp(`1 in postgres ${table}.email`),
    )
    expect(await room.keys.get(old.id)).toMatchObject({ state: 'decrypt_only' })
  })

  test('is no for the time in which other processes have not heard of the rotation', async () => {
    const old = await rotated('data', 'acme')
    await reencryptTable(room.records.people, rows())
    const slow = { ...parts, keyring: { refreshInterval: 30_000 } }
    const early = await retireVerdict(slow, room.keys, old.id)
    expect(noes(early)).toEqual(['writers'])
    expect(Date.parse(check(early, 'writers')?.until as string)).toBeGreaterThan(Date.now() + 50_000)
    expect((await retireVerdict(slow, room.keys, old.id, { now: soon() })).allowed).toBe(true)
  })

  test('is no where a record has no table, unless somebody answers for it with a reason, which the record keeps', async () => {
    const old = await rotated('data', 'acme')
    await reencryptTable(room.records.people, rows())
    const blind: RetireParts = { ...parts, records: { ...parts.records, others: room.records.people.schema } }
    const refused = await retireVerdict(blind, room.keys, old.id, { now: soon() })
    expect(noes(refused)).toEqual(['uncounted'])
    expect(check(refused, 'uncounted')?.message).toContain('others')
    expect(noes(await retireVerdict({ ...parts, tables: {} }, room.keys, old.id, { now: soon() }))).toEqual([
      'uncounted',
    ])
    const override = { now: soon(), override: ['uncounted'] } as const
    await expect(retireKey(blind, room.keys, old.id, 'retire', override)).rejects.toThrow('a reason is wanted')
    await expect(judge(old.id, { override: ['rows' as never], reason: 'x' })).rejects.toThrow('override must be of')
    const { key } = await retireKey(blind, room.keys, old.id, 'retire', { ...override, reason: 'counted by hand' })
    expect(key).toMatchObject({ state: 'destroy_scheduled', reason: 'counted by hand (overridden: uncounted)' })
  })

  test('is no while a job is not finished', async () => {
    const old = await rotated('data', 'acme')
    await reencryptTable(room.records.people, rows())
    const settings = { kind: 'migrate', record: 'people', phase: 'backfill', staleMs: 60_000 } as const
    const job = await rows().jobs.start(settings)
    const verdict = await judge(old.id)
    expect(noes(verdict)).toEqual(['jobs'])
    expect(check(verdict, 'jobs')?.message).toContain('migrate of people (running)')
    await rows().jobs.write({ id: job.id, token: job.token, state: 'done', progress: job.progress })
    expect((await judge(old.id)).allowed).toBe(true)
  })
})

describe('the verdict on other keys', () => {
  test('an index key is counted by the tags of its own tenant', async () => {
    const old = await rotated('index', 'globex')
    const before = await judge(old.id)
    expect(before.rows).toMatchObject([{ column: 'email_index', rows: 10 }])
    expect(noes(before)).toEqual(['rows'])
    await reencryptTable(room.records.people, rows())
    expect(await judge(old.id)).toMatchObject({ allowed: true })
  })

  test('a root key is free when nothing is wrapped under it', async () => {
    const [rotation] = await room.keys.rotate({ purpose: 'root' })
    const old = rotation?.replaced as KeyInfo
    const before = await judge(old.id)
    expect(noes(before)).toEqual(['wraps'])
    expect(check(before, 'wraps')?.message).toMatch(/^\d+ keys stand under it: rewrap/)
    await room.keys.rewrap()
    expect((await judge(old.id)).allowed).toBe(true)
  })

  test('a pepper key is free when the column of passwords was named and counted', async () => {
    const key = await room.keys.add({ purpose: 'pepper' })
    await room.keys.promote(key.id)
    const [rotation] = await room.keys.rotate({ purpose: 'pepper' })
    const old = rotation?.replaced as KeyInfo
    expect(noes(await judge(old.id))).toEqual(['uncounted'])
    expect(noes(await judge(old.id, { passwords: 'people.absent' }))).toEqual(['uncounted'])
    expect((await judge(old.id, { passwords: 'people.nickname' })).allowed).toBe(true)
    const head = Buffer.concat([Buffer.from('sr1_', 'base64url'), Buffer.from([0xf9]), Buffer.from(old.id, 'hex')])
    await pool.query(`update ${table} set nickname = $1 where id < 5`, [`${head.toString('base64url')}AAAA`])
    expect(noes(await judge(old.id, { passwords: 'people.nickname' }))).toEqual(['rows'])
  })
})

describe('a retired key', () => {
  async function retired(): Promise<KeyInfo> {
    const old = await rotated('data', 'acme')
    await reencryptTable(room.records.people, rows())
    return (await retireKey(parts, room.keys, old.id, 'retire', { now: soon(), reason: 'yearly' })).key
  }

  test('is destroyed after its quarantine and when backups have expired, not before', async () => {
    const { id } = await retired()
    const destroy = (now: Date) => retireKey(parts, room.keys, id, 'destroy', { now })
    expect(noes(await judge(id))).toEqual(['quarantine', 'backups'])
    expect(noes(await judge(id, { now: later(8) }))).toEqual(['backups'])
    await expect(destroy(later(8))).rejects.toThrow(KeyStateError)
    const unknown: RetireParts = { ...config, quarantineDays: 7 }
    expect(noes(await retireVerdict(unknown, room.keys, id, { now: later(100) }))).toEqual(['backups'])
    await expect(retireKey(parts, room.keys, id, 'retire', { now: later(36) })).rejects.toThrow('retired already')
    expect((await destroy(later(36))).key).toMatchObject({ state: 'destroyed' })
    expect(noes(await judge(id))).toEqual(['state'])
  })

  test('refuses to decrypt, tells who listens, and counts it in the key log for every process to see', async () => {
    const { rows: kept } = await pool.query(`select * from ${table} where tenant = 'acme' order by id limit 1`)
    const { id } = await retired()
    const heard: StrongroomEvent[] = []
    room.on('key.denied', (event) => heard.push(event))
    for (let time = 0; time < 3; time++) {
      await expect(room.records.people.decryptMany(kept)).rejects.toThrow(KeyUnavailableError)
    }
    expect(heard).toContainEqual({ type: 'key.denied', keyId: id, state: 'destroy_scheduled' })
    expect(() => room.records.people.decrypt(kept[0])).toThrow('cancel its retirement')
    const other = await openStrongroom(configure(folder, database.connectionString, table))
    await expect.poll(async () => (await other.keys.attempts(id)).reports).toBe(1)
    await expect(other.records.people.decryptMany(kept)).rejects.toThrow(KeyUnavailableError)
    await expect.poll(async () => (await room.keys.attempts(id)).reports).toBe(2)
    await other.close()

    const verdict = await judge(id, { now: later(36) })
    expect(noes(verdict)).toEqual(['attempts'])
    expect(check(verdict, 'attempts')?.message).toMatch(/still wants to decrypt under it: 2 reports, the last at 20/)
    await expect(retireKey(parts, room.keys, id, 'destroy', { now: later(36) })).rejects.toThrow(KeyStateError)

    await room.keys.cancelRetire(id)
    expect(await room.records.people.decryptMany(kept)).toHaveLength(1)
    await room.keys.retire(id)
    expect(await room.keys.attempts(id)).toEqual({ reports: 0, last: null })
  })

  test('is not destroyed when a row under it came back meanwhile', async () => {
    const { rows: kept } = await pool.query(`select * from ${table} where tenant = 'acme' order by id limit 1`)
    const { id } = await retired()
    await pool.query(`update ${table} set note = $1 where id = $2`, [kept[0].note ?? kept[0].email, kept[0].id])
    expect(noes(await judge(id, { now: later(36) }))).toEqual(['rows'])
  })
})

test('rows of one tenant are counted under its own key', async () => {
  await insertPeople(room, pool, [1000], table)
  const [key] = await room.keys.list({ purpose: 'data', scope: { tenant: 'globex' } })
  expect(await room.keys.scopeText(key?.id as string)).toBe(encodeScope({ tenant: 'globex' }, 'rotation'))
  expect(check(await judge(key?.id as string), 'rows')?.message).toContain(`11 in postgres ${table}.email`)
})
