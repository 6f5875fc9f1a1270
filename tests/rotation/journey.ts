import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createKeyStoreFile, fileKeyStore } from '../../providers/file/index.ts'
import { memoryKeyStore, memoryKms } from '../../providers/testing/index.ts'
import { doctor } from '../../src/doctor/doctor.ts'
import { text } from '../../src/records/field.ts'
import { defineRecord } from '../../src/records/schema.ts'
import { census } from '../../src/rotation/census.ts'
import { reencryptTable } from '../../src/rotation/reencrypt.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import type { Table } from '../../src/table.ts'
import { bundle } from '../bundle.ts'
import { tableAt } from '../providers/sql/at.ts'
import { configure, people, person, type Room } from './people.ts'

/** A database that a journey goes through. Parameters are written `?`. */
export interface JourneyDatabase {
  readonly url: string
  run(sql: string, values?: readonly unknown[]): Promise<void>
  rows(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
}

const ROWS = 300
const KILLS = Number(process.env.STRONGROOM_KILLS ?? (process.env.STRONGROOM_SLOW === '1' ? 40 : 4))
const STALE_MS = 1050
const COLUMNS = ['tenant', 'id', 'email', 'email_index', 'note', 'visits', 'nickname'] as const

/** Rotation, re-encryption, census and doctor on a table of a database, from end to end. */
export function testJourney(databaseOf: () => JourneyDatabase): void {
  let folder: string
  let script: string
  let room: Room
  let table: Table

  beforeAll(async () => {
    script = await bundle('tests/rotation/crash-child.ts')
    symlinkSync(resolve('node_modules'), join(script, '..', 'node_modules'))
  })
  afterAll(() => rmSync(join(script, '..'), { recursive: true, force: true }))
  beforeEach(async () => {
    const { url, run } = databaseOf()
    folder = mkdtempSync(join(tmpdir(), 'strongroom-journey-'))
    for (const name of ['people', 'strongroom_jobs', 'plain']) await run(`drop table if exists ${name}`)
    await run(`create table people (tenant varchar(40) not null, id int not null primary key, email text,
      email_index varchar(40), note text, visits blob, nickname text)`)
    await run('create index people_email on people (email_index)')
    await createKeyStoreFile({ path: join(folder, 'keys') })
    room = await openStrongroom(configure(folder, url), { init: true })
    table = tableAt(url, 'people')
    await insert(Array.from({ length: ROWS }, (_, at) => at + 1))
  })
  afterEach(async () => {
    await table.close?.()
    await room.close()
    rmSync(folder, { recursive: true, force: true })
  })

  async function insert(ids: readonly number[]): Promise<void> {
    const rows = await room.records.people.encryptMany(ids.map(person))
    const values = rows.flatMap((row) =>
      COLUMNS.map((name) => {
        const value = (row as Record<string, unknown>)[name]
        return value instanceof Uint8Array ? Buffer.from(value) : name === 'nickname' ? 'plain' : value
      }),
    )
    const one = `(${COLUMNS.map(() => '?').join(', ')})`
    await databaseOf().run(
      `insert into people (${COLUMNS.join(', ')}) values ${rows.map(() => one).join(', ')}`,
      values,
    )
  }
  const stored = async () => (await databaseOf().rows('select * from people order by id')) as never[]
  const counted = () => census(people, table, { app: 'rotation', store: fileKeyStore({ path: join(folder, 'keys') }) })

  test('a rotation is followed by every row, the census is exact before and after, and every row stays findable', async () => {
    expect(await counted()).toMatchObject({ outdated: 0 })
    await room.keys.rotate({ scope: 'all' })
    expect((await counted()).outdated).toBe(ROWS * 3)
    await room.keys.rotate({ purpose: 'index', scope: { tenant: 'acme' } })
    const report = await reencryptTable(room.records.people, table, { batch: 70 })
    expect(report).toMatchObject({ complete: true, aside: [], counts: { written: ROWS, changed: 0, failed: 0 } })
    const { outdated, counts } = await counted()
    expect(outdated).toBe(0)
    for (const column of ['email', 'note', 'visits', 'email_index']) {
      const rows = counts.filter((count) => count.column === column).reduce((sum, count) => sum + count.rows, 0)
      expect(rows).toBe(ROWS)
    }
    const plain = await room.records.people.decryptMany(await stored())
    expect(plain).toEqual(Array.from({ length: ROWS }, (_, at) => ({ ...person(at + 1), nickname: 'plain' })))
    for (const id of [1, 150, ROWS]) {
      const { tenant, email } = person(id)
      const tags: readonly unknown[] = await room.records.people.indexMany('email', [email.toUpperCase()], { tenant })
      const sql = `select id from people where tenant = ? and email_index in (${tags.map(() => '?').join(', ')})`
      expect((await databaseOf().rows(sql, [tenant, ...tags])).map((row) => row.id)).toContain(id)
    }
  })

  test('the doctor finds its columns wide enough, and says which are not', async () => {
    const config = configure(folder, databaseOf().url)
    const tables = async () =>
      (await doctor(config, { timeoutMs: 10_000 })).findings.filter(({ check }) => check.startsWith('table.'))
    expect((await tables()).map(({ check, status }) => [check, status])).toEqual([
      ['table.reach', 'ok'],
      ['table.identity', 'ok'],
      ['table.column', 'ok'],
      ['table.column', 'ok'],
      ['table.column', 'ok'],
      ['table.index', 'ok'],
    ])
    await databaseOf().run('alter table people drop column visits')
    await databaseOf().run('alter table people add column visits date')
    expect(await tables()).toContainEqual(
      expect.objectContaining({ check: 'table.column', subject: 'people.visits', status: 'problem' }),
    )
    await config.tables?.people?.close?.()
  })

  test('a table of plaintext is encrypted in place while the application writes', async () => {
    const { url, run, rows } = databaseOf()
    await run('create table plain (id int not null primary key, email text, email_index varchar(40), note text)')
    for (let id = 1; id <= 200; id++) {
      await run('insert into plain values (?, ?, null, ?)', [
        id,
        `Person.${id}@example.com`,
        `note ${id} 東京 "quoted" \\`,
      ])
    }
    const state = { state: 'migrating', until: new Date(Date.now() + 86_400_000) } as const
    const index = { column: 'email_index', transform: 'email', rows: 10_000 } as const
    const fields = { email: text({ ...state, index }), note: text({ ...state, nullable: true }) }
    const plain = defineRecord('plain', fields, { id: 'id' })
    const store = memoryKeyStore()
    const own = await openStrongroom({ name: 'migration', kms: memoryKms(), store, records: { plain } }, { init: true })
    const inPlace = tableAt(url, 'plain')
    const racing: Table = {
      ...inPlace,
      write: async (changes, job) => {
        await run(`update plain set note = 'changed' where id = ? and note like 'note%'`, [
          Number(changes[0]?.key[0] ?? 0),
        ])
        return inPlace.write(changes, job)
      },
    }
    expect((await census(plain, inPlace, { app: 'migration', store })).outdated).toBe(400)
    const report = await reencryptTable(own.records.plain, racing, { batch: 60 })
    expect(report).toMatchObject({ complete: true, counts: { failed: 0 } })
    expect(report.counts.changed).toBeGreaterThan(0)
    expect((await census(plain, inPlace, { app: 'migration', store })).outdated).toBe(0)
    const after = (await rows('select * from plain order by id')) as { id: number; email: string; note: string }[]
    const opened: unknown = await own.records.plain.decryptMany(after)
    const decrypted = opened as typeof after
    expect(decrypted.filter(({ note }) => note === 'changed')).toHaveLength(4)
    expect(decrypted.filter(({ note, id }) => note === `note ${id} 東京 "quoted" \\`)).toHaveLength(196)
    await inPlace.close?.()
    await own.close()
  })

  test(`killed ${KILLS} times at random with writers, it loses no row, overwrites no write and ends with an exact census`, async () => {
    const { url, run } = databaseOf()
    const expected = new Map(Array.from({ length: ROWS }, (_, at) => [at + 1, person(at + 1).note]))
    const totals = { kills: 0, updates: 0, inserts: 0, deletes: 0 }
    let writing = true
    const writer = write()
    for (let kill = 0; kill < KILLS; kill++) {
      await room.keys.rotate({ scope: 'all', purpose: kill % 2 === 0 ? 'data' : 'index' })
      const args = [script, 'reencrypt', folder, url, 'people', 'time', String(Math.floor(Math.random() * 250))]
      const [code, signal] = await once(
        spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] }),
        'exit',
      )
      if (signal === null) expect(code).toBe(0)
      else totals.kills++
      await sleep(STALE_MS)
    }
    writing = false
    await writer
    await room.keys.rotate({ scope: 'all' })
    expect(await reencryptTable(room.records.people, table, { staleMs: 1000 })).toMatchObject({
      complete: true,
      aside: [],
    })
    const rows = await stored()
    await room.refresh()
    const opened: unknown = await room.records.people.decryptMany(rows)
    const plain = opened as { id: number; note: string | null }[]
    expect(new Map(plain.map((row) => [Number(row.id), row.note]))).toEqual(
      new Map([...expected].sort(([a], [b]) => a - b)),
    )
    for (const { id, tenant, email_index } of rows as { id: number; tenant: string; email_index: string }[]) {
      const tags = await room.records.people.indexMany('email', [person(id).email], { tenant })
      expect(tags).toContain(email_index)
    }
    expect((await counted()).outdated).toBe(0)
    console.info(`journey: ${JSON.stringify(totals)}, rows at the end ${expected.size}`)
    expect(totals.updates).toBeGreaterThan(0)
    expect(totals.kills).toBeGreaterThan(0)

    /** The application: it never waits for a job, and remembers what it wrote. */
    async function write(): Promise<void> {
      for (let next = ROWS + 1; writing; ) {
        const ids = [...expected.keys()]
        const id = ids[Math.floor(Math.random() * ids.length)] as number
        const what = Math.random()
        if (what < 0.8) {
          const note = `update ${totals.updates++}`
          const { tenant } = person(id)
          await room.unlock([{ tenant }])
          const row = room.records.people.encrypt({ id, tenant, note })
          await run('update people set note = ? where id = ?', [row.note, id])
          expected.set(id, note)
        } else if (what < 0.9) {
          await insert([next])
          expected.set(next, person(next).note)
          next++
          totals.inserts++
        } else {
          await run('delete from people where id = ?', [id])
          expected.delete(id)
          totals.deletes++
        }
        await sleep(2)
      }
    }
  }, 600_000)
}
