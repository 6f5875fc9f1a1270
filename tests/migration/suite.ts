import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../providers/testing/index.ts'
import { defineMigration } from '../../src/migration/define-migration.ts'
import { cloakFormat } from '../../src/migration/formats/cloak.ts'
import { fernetFormat } from '../../src/migration/formats/fernet.ts'
import { laravelFormat } from '../../src/migration/formats/laravel.ts'
import { railsFormat } from '../../src/migration/formats/rails.ts'
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
import { tableAt } from '../providers/sql/at.ts'
import type { AppDatabase, AppRow } from './app-database.ts'
import { createCustomers, customer, decrypted, insertCustomers, migration, plain, type Room } from './customers.ts'

const ROWS = 150
const BYTES = Buffer.alloc(32, 5)
const fernet = fernetFormat({ keys: [BYTES.toString('base64url')] })
const cloak = cloakFormat({ keys: [`k1.aesgcm256.${BYTES.toString('base64url')}=`] })
const laravel = laravelFormat({ keys: [`base64:${BYTES.toString('base64')}`], cipher: 'aes-256-cbc', serialize: false })
const rails = railsFormat({ keys: ['a primary key'], salt: 'a salt', digest: 'sha256' })

/** What a migration promises, whatever database the table is in. */
export function testMigrations(start: () => Promise<AppDatabase>): void {
  let app: AppDatabase
  let folder: string
  let room: Room
  let table: Table
  let parts: MigrationParts

  beforeAll(async () => {
    app = await start()
  }, 60_000)
  afterAll(() => app.stop())
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-migration-'))
    for (const name of ['customers', 'strongroom_jobs', 'tokens']) await app.query(`drop table if exists ${name}`)
    room = await createCustomers(app, folder, ROWS)
    table = tableAt(app.url, 'customers')
    parts = { cipher: room.records.customers, table, migration }
  }, 60_000)
  afterEach(async () => {
    await room.close()
    await table.close?.()
    rmSync(folder, { recursive: true, force: true })
  })

  const all = (count = ROWS) => Array.from({ length: count }, (_, at) => customer(at + 1))

  describe('a migration', () => {
    test('encrypts every type of column, fills the index, and ends with the old columns gone', async () => {
      const before = await app.query('select * from customers order by id')
      const phases: string[] = []
      const ran = await runMigration(parts, { batch: 40, onPhase: (phase) => phases.push(phase) })
      expect(ran).toMatchObject({ complete: true, phase: 'verified', counts: { rows: ROWS, failed: 0 }, aside: [] })
      expect(phases).toEqual(['add', 'backfill', 'index', 'verify', 'verified'])
      // What the application sees is as it was.
      const seen = Object.keys(before[0] as object).map((name) => `"${name}"`)
      expect(await app.query(`select ${seen.join(', ')} from customers order by id`)).toEqual(before)

      expect(await switchMigration(parts)).toMatchObject({ complete: true, phase: 'switched' })
      expect(await decrypted(room, app)).toEqual(all())
      expect(await plain(app, true)).toEqual(all())
      expect(await cleanMigration(parts)).toMatchObject({ complete: true, phase: 'cleaned' })

      expect(await decrypted(room, app)).toEqual(all())
      const rows = await app.query('select * from customers order by id')
      expect(/example\.com|note \\"|6ba7b810/.test(JSON.stringify(rows))).toBe(false)
      expect(Object.keys(rows[0] as object).sort()).toEqual(
        ['id', 'tenant', 'nickname', 'email_index', ...Object.keys(migration.columns)].sort(),
      )
      const tags: readonly string[] = (await room.records.customers.indexMany('email', ['PERSON.77@example.com'], {
        tenant: customer(77).tenant,
      })) as never
      const list = tags.map((_, at) => `$${at + 1}`).join(', ')
      expect(await app.query(`select id from customers where email_index in (${list})`, tags)).toContainEqual({
        id: 77,
      })
      expect((await table.describe()).indexes.map(({ columns }) => columns)).toContainEqual(['email_index'])
      expect(await app.triggers()).toEqual([])
    })

    test('goes back before the switch, and leaves the table as it was', async () => {
      const before = await table.describe()
      await runMigration(parts)
      expect(await rollbackMigration(parts)).toMatchObject({ complete: true, phase: 'rolled-back' })
      expect(await cleanMigration(parts)).toMatchObject({ complete: true, phase: 'undone' })
      expect((await table.describe()).columns).toEqual(before.columns)
      expect((await table.describe()).indexes).toEqual(before.indexes)
      expect(await plain(app)).toEqual(all())
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
      await app.query('update customers set email = $1, email_index = $2, visits = $3, "birthDate" = $4 where id = 5', [
        changed.email,
        changed.email_index,
        changed.visits,
        changed.birthDate,
      ])
      const names = Object.keys(added)
      await app.query(
        `insert into customers (${names.map((name) => `"${name}"`).join(', ')}) values (${names.map((_, at) => `$${at + 1}`).join(', ')})`,
        Object.values(added),
      )
      expect(await rollbackMigration(parts)).toMatchObject({ complete: true, phase: 'rolled-back' })
      const wanted = all(ROWS + 1)
      wanted[4] = { ...customer(5), email: 'new@example.com', visits: 99, birthDate: new Date('1999-12-31') }
      expect(await plain(app)).toEqual(wanted)
      // The application that knows the old columns alone is back; one row was still written by the other.
      await app.query(`update customers set email = 'plain@example.com' where id = 6`)
      const late = room.records.customers.encrypt({ ...customer(7), note: 'late' })
      await app.query('update customers set note_encrypted = $1 where id = 7', [late.note])
      expect(await rollbackMigration(parts)).toMatchObject({ complete: true, phase: 'rolled-back' })
      expect(await cleanMigration(parts)).toMatchObject({ complete: true, phase: 'undone' })
      wanted[5] = { ...customer(6), email: 'plain@example.com' }
      wanted[6] = { ...customer(7), note: 'late' }
      expect(await plain(app)).toEqual(wanted)
      expect((await table.describe()).columns).toEqual(before.columns)
    })

    test('goes back after the old columns were dropped: they are made anew', async () => {
      const before = await table.describe()
      await runMigration(parts)
      await switchMigration(parts)
      await cleanMigration(parts)
      expect(await rollbackMigration(parts)).toMatchObject({ complete: true, phase: 'rolled-back' })
      expect(await cleanMigration(parts)).toMatchObject({ complete: true, phase: 'undone' })
      expect(await plain(app)).toEqual(all())
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
            await app.query('update customers set email = $1, visit_count = $2 where id = $3', [
              `changed.${id}@example.com`,
              id,
              id,
            ])
            expected.set(id, { ...customer(id), email: `changed.${id}@example.com`, visits: id })
          }
          if (next < ROWS + 10) {
            await insertCustomers(app, [next])
            expected.set(next, customer(next++))
            await app.query('delete from customers where id = $1', [next - 100])
            expected.delete(next - 100)
          }
          return table.write(changes, job)
        },
      }
      expect(await runMigration({ ...parts, table: racing }, { batch: 30 })).toMatchObject({ complete: true })
      await app.query(`update customers set email = 'last@example.com' where id = 20`)
      expected.set(20, { ...(expected.get(20) ?? customer(20)), email: 'last@example.com' })
      expect(await app.query('select email_encrypted, email_index from customers where id = 20')).toEqual([
        { email_encrypted: null, email_index: null },
      ])
      expect(await switchMigration(parts)).toMatchObject({ complete: true })
      expect(await decrypted(room, app)).toEqual([...expected.values()].sort((a, b) => a.id - b.id))
    })

    test('leaves what an application that writes both columns has written', async () => {
      await runMigration(parts)
      const both = room.records.customers.encrypt({ ...customer(3), email: 'both@example.com' })
      await app.query('update customers set email = $1, email_encrypted = $2, email_index = $3 where id = 3', [
        'both@example.com',
        both.email,
        both.email_index,
      ])
      expect(await verifyMigration(parts)).toMatchObject({ complete: true, counts: { written: 0 } })
      expect(await app.query('select email_encrypted from customers where id = 3')).toEqual([
        { email_encrypted: both.email },
      ])
    })

    test('finds the row that somebody changed on one side, and refuses to switch', async () => {
      await runMigration(parts)
      const other = room.records.customers.encrypt({ ...customer(9), note: 'other' })
      await app.query('update customers set note_encrypted = $1 where id = 9', [other.note])
      await app.query(
        `update customers set email_index = (select email_index from (select * from customers) as c where id = 1) where id = 10`,
      )
      await app.query(
        'update customers set visits = (select visits from (select * from customers) as c where id = 1) where id = 11',
      )
      expect(await verifyMigration(parts)).toMatchObject({
        complete: false,
        phase: 'verify',
        aside: [['9'], ['11'], ['10']],
      })
      await expect(switchMigration(parts)).rejects.toMatchObject({ code: 'ERR_MIGRATION_STATE', phase: 'verify' })
      // Set right by hand, or by preferring the old column.
      await app.query('update customers set visits = null where id = 11')
      expect(await runMigration(parts)).toMatchObject({ complete: false, aside: [['9'], ['10']] })
      await app.query('update customers set email_encrypted = null where id = 10')
      expect(await runMigration(parts, { prefer: 'old' })).toMatchObject({ complete: true })
      await app.query('update customers set note_encrypted = $1 where id = 9', [other.note])
      // Verified an hour ago is not verified now.
      expect(await switchMigration(parts)).toMatchObject({ complete: false, phase: 'verify', aside: [['9']] })
      expect(await rollbackMigration(parts)).toMatchObject({ complete: false, phase: 'rollback', aside: [['9']] })
      expect(await rollbackMigration(parts, { prefer: 'new' })).toMatchObject({ complete: true })
      expect((await plain(app))[8]).toEqual({ ...customer(9), note: 'other' })
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
      const finer = app.moment('2026-01-01T00:00:00.000001Z')
      await app.query('update customers set last_seen = $1 where id = 4', [finer])
      await app.query('update customers set born = $1 where id = 5', [app.badDay])
      await app.query('update customers set amount = 1234567890.10 where id = 6')
      await app.query('update customers set prefs = $1 where id = 7', ['{"a": 12345678901234567890}'])
      await app.query(`update customers set note = 'sr1_x' where id = 8`)
      const ran = await runMigration(parts, { batch: 50 })
      expect(ran).toMatchObject({ complete: false, phase: 'verify', counts: { failed: 4 } })
      expect(ran.aside).toEqual([['4'], ['5'], ['7'], ['8']])
      const empty = await app.query('select id from customers where email_encrypted is null order by id')
      expect(empty.map(({ id }) => id)).toEqual([4, 5, 7, 8])
      await expect(switchMigration(parts)).rejects.toMatchObject({ code: 'ERR_MIGRATION_STATE' })
    })

    test('stops at once when most rows have no value: then the cause is not the rows', async () => {
      await app.query('update customers set born = $1 where id > 60', [app.badDay])
      await expect(runMigration(parts, { batch: 50 })).rejects.toMatchObject({ code: 'ERR_SYSTEMIC_FAILURE' })
      expect(await table.jobs.list({ limit: 1, staleMs: 60_000 })).toMatchObject([
        { state: 'failed', phase: 'backfill' },
      ])
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
      const release = await app.hold()
      const running = runMigration(parts)
      await sleep(300)
      await release()
      expect(await running).toMatchObject({ complete: true })
    })

    test('moves values of other libraries, and leads back to them', async () => {
      await app.query(
        'create table tokens (id integer primary key, old text not null, born text, given text, street text, remark text)',
      )
      const formats = { secret: fernet, birthDate: fernet, name: cloak, address: laravel, note: rails }
      for (let id = 1; id <= 20; id++) {
        const values = [
          fernet.seal(`secret ${id}`),
          fernet.seal('1990-02-28'),
          cloak.seal('Ada'),
          laravel.seal('Ü 1'),
          rails.seal('x'),
        ]
        await app.query('insert into tokens values ($1, $2, $3, $4, $5, $6)', [id, ...values])
      }
      await app.query(`update tokens set old = 'not a token' where id = 7`)
      const tokens = defineRecord(
        'tokens',
        { secret: text(), birthDate: date(), name: text(), address: text(), note: text() },
        { id: 'id' },
      )
      const other = defineMigration(tokens, {
        columns: {
          secret: { from: 'old', format: formats.secret },
          birthDate: { from: 'born', format: formats.birthDate },
          name: { from: 'given', format: formats.name },
          address: { from: 'street', format: formats.address },
          note: { from: 'remark', format: formats.note },
        },
      })
      const config = {
        name: 'migration',
        kms: memoryKms(),
        store: memoryKeyStore(),
        records: { tokens },
        migrations: { tokens: other },
      }
      const own = await openStrongroom(config, { init: true })
      const moving = { cipher: own.records.tokens, table: tableAt(app.url, 'tokens'), migration: other }
      expect(await runMigration(moving)).toMatchObject({ complete: false, aside: [['7']] })
      expect(await app.query('select old, secret from tokens where id = 7')).toEqual([
        { old: 'not a token', secret: null },
      ])
      await app.query('delete from tokens where id = 7')
      expect(await runMigration(moving)).toMatchObject({ complete: true })
      expect(await switchMigration(moving)).toMatchObject({ complete: true })
      const { secret } = own.records.tokens.encrypt({ id: 3, secret: 'changed' })
      await app.query('update tokens set secret = $1 where id = 3', [secret])
      expect(await rollbackMigration(moving)).toMatchObject({ complete: true, phase: 'rolled-back' })
      expect(await cleanMigration(moving)).toMatchObject({ complete: true, phase: 'undone' })
      const rows = await app.query('select * from tokens order by id')
      expect(Object.keys(rows[0] as object)).toEqual(['id', 'old', 'born', 'given', 'street', 'remark'])
      const opened = ({ id, old, born, given, street, remark }: AppRow) => [
        id,
        fernet.open(String(old)),
        fernet.open(String(born)),
        cloak.open(String(given)),
        laravel.open(String(street)),
        rails.open(String(remark)),
      ]
      const said = (id: unknown) => (id === 3 ? 'changed' : `secret ${id}`)
      expect(rows.map(opened)).toEqual(rows.map(({ id }) => [id, said(id), '1990-02-28', 'Ada', 'Ü 1', 'x']))
      await own.close()
      await moving.table.close?.()
    })
  })
}
