import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { postgresTable } from '../../providers/postgres/index.ts'
import { memoryKeyStore, memoryKms } from '../../providers/testing/index.ts'
import { defineMigration } from '../../src/migration/define-migration.ts'
import { fernetFormat } from '../../src/migration/formats/fernet.ts'
import {
  cleanMigration,
  rollbackMigration,
  runMigration,
  switchMigration,
  verifyMigration,
} from '../../src/migration/migrate.ts'
import type { MigrationParts } from '../../src/migration/run-step.ts'
import { date, text } from '../../src/records/field.ts'
import { defineRecord } from '../../src/records/schema.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import type { Table } from '../../src/table.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import { createCustomers, customer, decrypted, insertCustomers, migration, plain, type Room } from './customers.ts'

const ROWS = 150

let database: TestDatabase
let pool: pg.Pool
let folder: string
let room: Room
let table: Table
let parts: MigrationParts

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-migration-'))
  await pool.query('drop table if exists customers, strongroom_jobs')
  room = await createCustomers(pool, folder, database.connectionString, ROWS)
  table = postgresTable({ pool, table: 'customers' })
  parts = { cipher: room.records.customers, table, migration }
})
afterEach(async () => {
  await room.close()
  rmSync(folder, { recursive: true, force: true })
})

const all = (count = ROWS) => Array.from({ length: count }, (_, at) => customer(at + 1))

describe('a migration', () => {
  test('encrypts every type of column, fills the index, and ends with the old columns gone', async () => {
    const before = await pool.query('select * from customers order by id')
    const phases: string[] = []
    const ran = await runMigration(parts, { batch: 40, onPhase: (phase) => phases.push(phase) })
    expect(ran).toMatchObject({ complete: true, phase: 'verified', counts: { rows: ROWS, failed: 0 }, aside: [] })
    expect(phases).toEqual(['add', 'backfill', 'index', 'verify', 'verified'])
    // What the application sees is as it was.
    const seen = await pool.query(
      `select ${before.fields.map(({ name }) => `"${name}"`).join(', ')} from customers order by id`,
    )
    expect(seen.rows).toEqual(before.rows)

    expect(await switchMigration(parts)).toMatchObject({ complete: true, phase: 'switched' })
    expect(await decrypted(room, pool)).toEqual(all())
    expect(await plain(pool, true)).toEqual(all())
    expect(await cleanMigration(parts)).toMatchObject({ complete: true, phase: 'cleaned' })

    expect(await decrypted(room, pool)).toEqual(all())
    const { rows } = await pool.query('select * from customers order by id')
    expect(/example\.com|note \\"|6ba7b810/.test(JSON.stringify(rows))).toBe(false)
    expect(Object.keys(rows[0]).sort()).toEqual(
      ['id', 'tenant', 'nickname', 'email_index', ...Object.keys(migration.columns)].sort(),
    )
    const tags: readonly string[] = (await room.records.customers.indexMany('email', ['PERSON.77@example.com'], {
      tenant: customer(77).tenant,
    })) as never
    expect((await pool.query('select id from customers where email_index = any($1)', [tags])).rows).toContainEqual({
      id: 77,
    })
    expect((await table.describe()).indexes.map(({ columns }) => columns)).toContainEqual(['email_index'])
    expect((await pool.query(`select 1 from pg_trigger where tgname like 'zz_strongroom%'`)).rowCount).toBe(0)
  })

  test('goes back before the switch, and leaves the table as it was', async () => {
    const before = await table.describe()
    await runMigration(parts)
    expect(await rollbackMigration(parts)).toMatchObject({ complete: true, phase: 'rolled-back' })
    expect(await cleanMigration(parts)).toMatchObject({ complete: true, phase: 'undone' })
    expect((await table.describe()).columns).toEqual(before.columns)
    expect((await table.describe()).indexes).toEqual(before.indexes)
    expect(await plain(pool)).toEqual(all())
    // and forward again
    expect(await runMigration(parts)).toMatchObject({ complete: true, phase: 'verified' })
  })

  test('goes back after the switch, with everything that was written since', async () => {
    const before = await table.describe()
    await runMigration(parts)
    await switchMigration(parts)
    const changed = room.records.customers.encrypt({
      ...customer(5),
      email: 'new@example.com',
      visits: 99,
      birthDate: new Date('1999-12-31'),
    })
    const added = room.records.customers.encrypt(customer(ROWS + 1))
    await pool.query('update customers set email = $1, email_index = $2, visits = $3, "birthDate" = $4 where id = 5', [
      changed.email,
      changed.email_index,
      changed.visits,
      changed.birthDate,
    ])
    const names = Object.keys(added)
    await pool.query(
      `insert into customers (${names.map((name) => `"${name}"`).join(', ')}) values (${names.map((_, at) => `$${at + 1}`).join(', ')})`,
      Object.values(added),
    )
    expect(await rollbackMigration(parts)).toMatchObject({ complete: true, phase: 'rolled-back' })
    const wanted = all(ROWS + 1)
    wanted[4] = { ...customer(5), email: 'new@example.com', visits: 99, birthDate: new Date('1999-12-31') }
    expect(await plain(pool)).toEqual(wanted)
    // The application that knows the old columns alone is back; one row was still written by the other.
    await pool.query(`update customers set email = 'plain@example.com' where id = 6`)
    const late = room.records.customers.encrypt({ ...customer(7), note: 'late' })
    await pool.query('update customers set note_encrypted = $1 where id = 7', [late.note])
    expect(await rollbackMigration(parts)).toMatchObject({ complete: true, phase: 'rolled-back' })
    expect(await cleanMigration(parts)).toMatchObject({ complete: true, phase: 'undone' })
    wanted[5] = { ...customer(6), email: 'plain@example.com' }
    wanted[6] = { ...customer(7), note: 'late' }
    expect(await plain(pool)).toEqual(wanted)
    expect((await table.describe()).columns).toEqual(before.columns)
  })

  test('goes back after the old columns were dropped: they are made anew', async () => {
    const before = await table.describe()
    await runMigration(parts)
    await switchMigration(parts)
    await cleanMigration(parts)
    expect(await rollbackMigration(parts)).toMatchObject({ complete: true, phase: 'rolled-back' })
    expect(await cleanMigration(parts)).toMatchObject({ complete: true, phase: 'undone' })
    expect(await plain(pool)).toEqual(all())
    const shape = ({ columns }: typeof before) =>
      new Map(columns.map(({ name, type, nullable }) => [name, { type, nullable }]))
    expect(shape(await table.describe())).toEqual(shape(before))
  })

  test('picks up what the application writes to the old columns, at any moment', async () => {
    let next = ROWS + 1
    const expected = new Map(all().map((row) => [row.id, row]))
    const racing: Table = {
      ...table,
      write: async (changes, job) => {
        for (const { key } of changes.slice(0, 3)) {
          const id = Number(key[0])
          await pool.query('update customers set email = $1, visit_count = $2 where id = $3', [
            `changed.${id}@example.com`,
            id,
            id,
          ])
          expected.set(id, { ...customer(id), email: `changed.${id}@example.com`, visits: id })
        }
        if (next < ROWS + 10) {
          await insertCustomers(pool, [next])
          expected.set(next, customer(next++))
          await pool.query('delete from customers where id = $1', [next - 100])
          expected.delete(next - 100)
        }
        return table.write(changes, job)
      },
    }
    expect(await runMigration({ ...parts, table: racing }, { batch: 30 })).toMatchObject({ complete: true })
    await pool.query(`update customers set email = 'last@example.com' where id = 20`)
    expected.set(20, { ...(expected.get(20) ?? customer(20)), email: 'last@example.com' })
    expect((await pool.query('select email_encrypted, email_index from customers where id = 20')).rows).toEqual([
      { email_encrypted: null, email_index: null },
    ])
    expect(await switchMigration(parts)).toMatchObject({ complete: true })
    expect(await decrypted(room, pool)).toEqual([...expected.values()].sort((a, b) => a.id - b.id))
  })

  test('leaves what an application that writes both columns has written', async () => {
    await runMigration(parts)
    const both = room.records.customers.encrypt({ ...customer(3), email: 'both@example.com' })
    await pool.query('update customers set email = $1, email_encrypted = $2, email_index = $3 where id = 3', [
      'both@example.com',
      both.email,
      both.email_index,
    ])
    expect(await verifyMigration(parts)).toMatchObject({ complete: true, counts: { written: 0 } })
    const { rows } = await pool.query('select email_encrypted from customers where id = 3')
    expect(rows).toEqual([{ email_encrypted: both.email }])
  })

  test('finds the row that somebody changed on one side, and refuses to switch', async () => {
    await runMigration(parts)
    const other = room.records.customers.encrypt({ ...customer(9), note: 'other' })
    await pool.query('update customers set note_encrypted = $1 where id = 9', [other.note])
    await pool.query(
      `update customers set email_index = (select email_index from customers where id = 1) where id = 10`,
    )
    await pool.query('update customers set visits = (select visits from customers where id = 1) where id = 11')
    expect(await verifyMigration(parts)).toMatchObject({
      complete: false,
      phase: 'verify',
      aside: [['9'], ['11'], ['10']],
    })
    await expect(switchMigration(parts)).rejects.toMatchObject({ code: 'ERR_MIGRATION_STATE', phase: 'verify' })
    // Set right by hand, or by preferring the old column.
    await pool.query('update customers set visits = null where id = 11')
    expect(await runMigration(parts)).toMatchObject({ complete: false, aside: [['9'], ['10']] })
    await pool.query('update customers set email_encrypted = null where id = 10')
    expect(await runMigration(parts, { prefer: 'old' })).toMatchObject({ complete: true })
    await pool.query('update customers set note_encrypted = $1 where id = 9', [other.note])
    // Verified an hour ago is not verified now.
    expect(await switchMigration(parts)).toMatchObject({ complete: false, phase: 'verify', aside: [['9']] })
    expect(await rollbackMigration(parts)).toMatchObject({ complete: false, phase: 'rollback', aside: [['9']] })
    expect(await rollbackMigration(parts, { prefer: 'new' })).toMatchObject({ complete: true })
    expect((await plain(pool))[8]).toEqual({ ...customer(9), note: 'other' })
  })

  test('refuses steps out of order, and says what comes next', async () => {
    for (const step of [verifyMigration, switchMigration, cleanMigration, rollbackMigration]) {
      await expect(step(parts)).rejects.toThrow(/has not begun; plan shows what it will do, run begins/)
    }
    await runMigration(parts)
    await expect(cleanMigration(parts)).rejects.toMatchObject({ code: 'ERR_MIGRATION_STATE', phase: 'verified' })
    await switchMigration(parts)
    await expect(runMigration(parts)).rejects.toThrow(/is at "switched"; deploy/)
    await cleanMigration(parts)
    await expect(cleanMigration(parts)).rejects.toMatchObject({ phase: 'cleaned' })
  })

  test('sets rows aside that have no value, leaves them as they are, and does not switch', async () => {
    await pool.query(`update customers set last_seen = '2026-01-01 00:00:00.000001+00' where id = 4;
      update customers set born = 'infinity' where id = 5; update customers set amount = '1234567890.10' where id = 6;
      update customers set prefs = '{"a": 12345678901234567890}' where id = 7; update customers set note = 'sr1_x' where id = 8`)
    const ran = await runMigration(parts, { batch: 50 })
    expect(ran).toMatchObject({ complete: false, phase: 'verify', counts: { failed: 4 } })
    expect(ran.aside).toEqual([['4'], ['5'], ['7'], ['8']])
    const { rows } = await pool.query('select count(*)::int as empty from customers where email_encrypted is null')
    expect(rows).toEqual([{ empty: 4 }])
    await expect(switchMigration(parts)).rejects.toMatchObject({ code: 'ERR_MIGRATION_STATE' })
  })

  test('stops at once when most rows have no value: then the cause is not the rows', async () => {
    await pool.query(`update customers set born = 'infinity' where id > 60`)
    await expect(runMigration(parts, { batch: 50 })).rejects.toMatchObject({ code: 'ERR_SYSTEMIC_FAILURE' })
    expect(await table.jobs.list({ limit: 1, staleMs: 60_000 })).toMatchObject([{ state: 'failed', phase: 'backfill' }])
  })

  test('stops after the batch in hand when it is told to, and goes on from there', async () => {
    const stop = new AbortController()
    const run = runMigration(parts, {
      batch: 30,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    })
    await expect(run).rejects.toThrow('enough')
    expect(await table.jobs.list({ limit: 5, staleMs: 60_000 })).toMatchObject([
      { state: 'stopped', phase: 'backfill', progress: { after: ['30'], counts: { written: 30 } } },
    ])
    expect(await runMigration(parts)).toMatchObject({ complete: true })
  })

  test('is refused while another process does the same', async () => {
    let second: Promise<unknown> | undefined
    const onProgress = () => {
      second ??= rollbackMigration(parts).catch((error) => error)
    }
    await runMigration(parts, { onProgress })
    expect(await second).toMatchObject({ code: 'ERR_JOB_BUSY' })
  })

  test('fails writes of nobody while it waits for the table', async () => {
    const client = await pool.connect()
    await client.query('begin; lock table customers in share mode')
    const running = runMigration(parts)
    await new Promise((resolve) => setTimeout(resolve, 300))
    await client.query('commit')
    client.release()
    expect(await running).toMatchObject({ complete: true })
  })

  test('moves values of another library, and leads back to them', async () => {
    const format = fernetFormat({ keys: ['AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='] })
    await pool.query(
      'drop table if exists tokens; create table tokens (id int primary key, old text not null, born text)',
    )
    for (let id = 1; id <= 20; id++) {
      await pool.query('insert into tokens values ($1, $2, $3)', [
        id,
        format.seal(`secret ${id}`),
        format.seal('1990-02-28'),
      ])
    }
    await pool.query(`update tokens set old = 'not a token' where id = 7`)
    const tokens = defineRecord('tokens', { secret: text(), birthDate: date() }, { id: 'id' })
    const columns = { secret: { from: 'old', format }, birthDate: { from: 'born', format } }
    const other = defineMigration(tokens, { columns })
    const config = {
      name: 'migration',
      kms: memoryKms(),
      store: memoryKeyStore(),
      records: { tokens },
      migrations: { tokens: other },
    }
    const own = await openStrongroom(config, { init: true })
    const moving = { cipher: own.records.tokens, table: postgresTable({ pool, table: 'tokens' }), migration: other }
    expect(await runMigration(moving)).toMatchObject({ complete: false, aside: [['7']] })
    expect((await pool.query('select old, secret from tokens where id = 7')).rows).toEqual([
      { old: 'not a token', secret: null },
    ])
    await pool.query('delete from tokens where id = 7')
    expect(await runMigration(moving)).toMatchObject({ complete: true })
    expect(await switchMigration(moving)).toMatchObject({ complete: true })
    const { secret } = own.records.tokens.encrypt({ id: 3, secret: 'changed' })
    await pool.query('update tokens set secret = $1 where id = 3', [secret])
    expect(await rollbackMigration(moving)).toMatchObject({ complete: true, phase: 'rolled-back' })
    expect(await cleanMigration(moving)).toMatchObject({ complete: true, phase: 'undone' })
    const { rows } = await pool.query('select * from tokens order by id')
    expect(Object.keys(rows[0])).toEqual(['id', 'old', 'born'])
    expect(rows.map((row) => [row.id, format.open(row.old)])).toEqual(
      rows.map(({ id }) => [id, id === 3 ? 'changed' : `secret ${id}`]),
    )
    await own.close()
  })
})
