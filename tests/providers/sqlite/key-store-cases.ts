import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKeyTables, keyTablesSql, type SqliteDatabase, sqliteKeyStore } from '../../../providers/sqlite/index.ts'
import { keyStoreConformance } from '../../../providers/testing/index.ts'
import { nextRevision, sampleEntry, sampleRecord } from '../../../providers/testing/sample-records.ts'

const LARGE = process.env.STRONGROOM_SLOW === '1' ? 100_000 : 20_000

/**
 * What a key store in SQLite promises, whichever driver opens the file.
 *
 * @param isInstalled whether a path is opened with a driver beside the package
 */
export function testKeyStore(open: (path: string) => SqliteDatabase, isInstalled: boolean): void {
  let folder: string
  let files = 0
  const databases: SqliteDatabase[] = []
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-sqlite-'))
  })
  afterAll(() => {
    for (const database of databases) database.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function opened(path = join(folder, `${++files}.db`)) {
    const database = open(path)
    databases.push(database)
    return { database, path }
  }
  async function made() {
    const { database, path } = opened()
    database.exec('pragma journal_mode = wal')
    await createKeyTables({ database })
    return { database, path, store: sqliteKeyStore({ database }) }
  }
  const create = (scope: string) => ({ puts: [{ record: sampleRecord({ scope }), replaces: null }], log: null })

  const cases = keyStoreConformance(async () => {
    const { path, store } = await made()
    return { store, second: sqliteKeyStore({ database: opened(path).database }) }
  })
  for (const { name, run } of cases) test(name, run)

  test('works with a rollback journal as with a write-ahead log', async () => {
    const { database, path } = opened()
    await createKeyTables({ database })
    const stores = [database, opened(path).database].map((one) => sqliteKeyStore({ database: one }))
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, at) => (stores[at % 2] as (typeof stores)[0]).commit(create('s'))),
    )
    expect(results.filter(({ written }) => written)).toHaveLength(1)
  })

  test('refuses text that SQLite would take the end of, and finds nothing under it', async () => {
    const { store } = await made()
    for (const scope of ['zero \0', 'half \ud800', 's'.repeat(4097)]) {
      await expect(store.commit(create(scope)), scope).rejects.toThrow(TypeError)
    }
    expect(await store.get(['\0'])).toEqual([])
    expect(await store.findActive('data', ['zero \0'])).toEqual([])
    expect(await store.list({ limit: 10 })).toEqual([])
  })

  test('keeps numbers beyond what fits 32 bits', async () => {
    const { store, database } = await made()
    const record = sampleRecord({ generation: 2 ** 40 })
    await store.commit({ puts: [{ record, replaces: null }], log: null })
    expect(await store.get([record.id])).toEqual([record])
    database.exec(`update strongroom_keys set generation = 9223372036854775807`)
    await expect(store.get([record.id])).rejects.toMatchObject({ fault: 'corrupt' })
  })

  test('is durable and waits its own time, and leaves the settings of the connection as they were', async () => {
    const { database } = await made()
    database.exec('pragma synchronous = off; pragma busy_timeout = 1234')
    const seen: unknown[] = []
    const setting = (name: string) => Object.values(database.prepare(`pragma ${name}`).all()[0] as object)[0]
    const watched: SqliteDatabase = {
      prepare: (sql) => database.prepare(sql),
      close: () => {},
      exec: (sql) => {
        if (sql === 'commit') seen.push(setting('synchronous'), setting('busy_timeout'))
        return database.exec(sql)
      },
    }
    expect(await sqliteKeyStore({ database: watched }).commit(create('s'))).toEqual({ written: true })
    expect(seen.slice(-2).map(Number)).toEqual([2, 0])
    expect([setting('synchronous'), setting('busy_timeout')].map(Number)).toEqual([0, 1234])
  })

  test('lets the event loop run while it waits for another writer, and gives up after its time', async () => {
    const { path, store } = await made()
    const { database: other } = opened(path)
    other.exec('begin immediate')
    const hasty = sqliteKeyStore({ database: opened(path).database, lockTimeoutMs: 300 })
    let turns = 0
    const timer = setInterval(() => turns++, 5)
    const commit = { ...create('s'), log: sampleEntry(1) }
    await expect(hasty.commit(commit)).rejects.toMatchObject({ fault: 'locked', retryable: true })
    clearInterval(timer)
    expect(turns).toBeGreaterThan(10)
    const waiting = store.commit(commit)
    setTimeout(() => other.exec('rollback'), 100)
    expect(await waiting).toEqual({ written: true })
    expect(await store.log(0, 10)).toHaveLength(1)
  })

  test('waits for a transaction of the application on the same connection, and is no part of it', async () => {
    const { database, store } = await made()
    database.exec('create table mine (n integer); begin; insert into mine values (1)')
    const committing = store.commit(create('s'))
    await new Promise((resolve) => setTimeout(resolve, 100))
    database.exec('rollback')
    expect(await committing).toEqual({ written: true })
    expect(database.prepare('select n from mine').all()).toEqual([])
  })

  test('that was closed is closed, and leaves the database of the caller open', async () => {
    const { database, store } = await made()
    await store.close?.()
    await expect(store.get([])).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    expect({ ...(database.prepare('select 1 as one').all()[0] as object) }).toEqual({ one: 1 })
  })

  test('its tables are never made on the way: a store without them says what to run', async () => {
    const { database } = opened()
    const store = sqliteKeyStore({ database })
    for (const work of [() => store.get([]), () => store.commit(create(''))]) {
      await expect(work()).rejects.toMatchObject({
        fault: 'misconfigured',
        message: expect.stringContaining('strongroom keys tables --create'),
      })
    }
    expect(database.prepare('select name from sqlite_master').all()).toEqual([])
    await createKeyTables({ database })
    expect(await store.list({ limit: 1 })).toEqual([])
  })

  test('its tables are made once by ten callers at once, and by the printed SQL just so', async () => {
    const { database, path } = opened()
    const callers = Array.from({ length: 10 }, () => opened(path).database)
    const results = await Promise.all(callers.map((one) => createKeyTables({ database: one })))
    expect(results.filter((one) => one)).toHaveLength(1)
    const printed = opened().database
    printed.exec(keyTablesSql())
    expect(() => printed.exec(keyTablesSql())).toThrow('already exists')
    printed.exec('rollback')
    const shape = (one: SqliteDatabase) =>
      JSON.stringify(one.prepare('select sql from sqlite_master order by name').all())
    expect(shape(printed)).toBe(shape(database))
    expect((await sqliteKeyStore({ database: printed }).commit(create(''))).written).toBe(true)
  })

  test('its tables of another release, a name that is taken and names that are no names are refused', async () => {
    const { database, store } = await made()
    database.exec('update strongroom_keys_schema set version = 2')
    await expect(store.get([])).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('version 2'),
    })
    await expect(createKeyTables({ database })).rejects.toMatchObject({ code: 'ERR_CONFIG' })
    database.exec('create table taken (mine text)')
    await expect(createKeyTables({ database, table: 'Taken' })).rejects.toThrow('exists already')
    for (const bad of ['', 'a b', '1a', 'a"; drop table x; --', 'é', 'x'.repeat(51), 'sqlite_keys']) {
      expect(() => sqliteKeyStore({ database, table: bad }), bad).toThrow(TypeError)
    }
    expect(() => sqliteKeyStore({})).toThrow(TypeError)
    expect(() => sqliteKeyStore({ database, path: 'x' })).toThrow(TypeError)
    expect(() => sqliteKeyStore({ database: {} as never })).toThrow(TypeError)
  })

  test('refuses two active keys and a reused generation also from SQL', async () => {
    const { database, store } = await made()
    await store.commit(create('s'))
    const columns = 'commitment, store, purpose, scope, parent, created_at, wraps, state, state_at, rev, mac'
    const copy = (generation: number) => () =>
      database.exec(`insert into strongroom_keys (id, generation, ${columns})
        select lower(hex(randomblob(16))), ${generation}, ${columns} from strongroom_keys`)
    expect(copy(2)).toThrow(/UNIQUE/)
    database.exec(`update strongroom_keys set state = 'suspended'`)
    expect(copy(1)).toThrow(/UNIQUE/)
    expect(copy(2)).not.toThrow()
  })

  test('reports a file that is no database', async () => {
    const path = join(folder, 'nonsense.db')
    writeFileSync(path, Buffer.alloc(8192, 'no database at all '))
    const store = sqliteKeyStore({ database: opened(path).database })
    await expect(store.get([])).rejects.toMatchObject({ code: 'ERR_KEY_STORE', fault: 'corrupt', retryable: false })
  })

  test(`takes 10,000 more into ${LARGE} keys in one commit, and lists them in pages by an index`, async () => {
    const { database, store } = await made()
    const columns = 'commitment, store, purpose, parent, created_at, wraps, state, state_at, rev, mac'
    const first = sampleRecord({ scope: 'first', parent: 'a'.repeat(32) })
    await store.commit({ puts: [{ record: first, replaces: null }], log: null })
    database.exec(`insert into strongroom_keys (id, scope, generation, ${columns})
      with recursive n(n) as (select 1 union all select n + 1 from n where n < ${LARGE - 1})
      select lower(hex(randomblob(16))), 'subject=' || n, 1, ${columns} from n join strongroom_keys on scope = 'first'`)
    const puts = Array.from({ length: 10_000 }, (_, at) => ({
      record: sampleRecord({ scope: `subject=${LARGE + at}`, parent: 'a'.repeat(32) }),
      replaces: null,
    }))
    const started = performance.now()
    expect(await store.commit({ puts, log: sampleEntry(1) })).toEqual({ written: true })
    const inserted = performance.now()
    const next = puts.map(({ record }) => ({ record: nextRevision(record, { state: 'suspended' }), replaces: 1 }))
    expect(await store.commit({ puts: next, log: sampleEntry(2) })).toEqual({ written: true })
    const updated = performance.now()
    let [pages, after] = [0, undefined as string | undefined]
    for (;;) {
      const page = await store.list({ purpose: 'data', state: 'active', limit: 1000, ...(after && { after }) })
      after = page.at(-1)?.id
      pages++
      if (page.length < 1000) break
    }
    const listed = performance.now()
    expect(pages).toBe(LARGE / 1000 + 1)
    const ms = [inserted - started, updated - inserted, listed - updated].map(Math.round)
    console.log(`sqlite store: 10,000 into ${LARGE} in ${ms[0]} ms, changed in ${ms[1]} ms, all listed in ${ms[2]} ms`)
    const plan = (where: string) =>
      JSON.stringify(
        database.prepare(`explain query plan select mac from strongroom_keys where ${where} order by id`).all(),
      )
    for (const where of [
      "purpose = 'data' and state = 'active' and id > '8'",
      `parent = '${'b'.repeat(32)}'`,
      "purpose = 'data' and scope = 'x' and state = 'active'",
    ]) {
      expect(plan(where)).toContain('USING INDEX')
      expect(plan(where)).not.toContain('SCAN')
    }
  }, 120_000)

  test.runIf(isInstalled)('a file that it makes is for its owner alone', async () => {
    const path = join(folder, 'owned.db')
    await createKeyTables({ path })
    expect(statSync(path).mode & 0o077).toBe(0)
    const store = sqliteKeyStore({ path })
    expect(await store.commit(create(''))).toEqual({ written: true })
    expect(await createKeyTables({ path })).toBe(false)
    await store.close?.()
    const nowhere = sqliteKeyStore({ path: join(folder, 'nowhere.db') })
    await expect(nowhere.get([])).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('no file'),
    })
  })
}
