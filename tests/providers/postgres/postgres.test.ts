import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKeyTables, keyTablesSql, postgresKeyStore } from '../../../providers/postgres/index.ts'
import { keyStoreConformance } from '../../../providers/testing/index.ts'
import { nextRevision, sampleEntry, sampleRecord } from '../../../providers/testing/sample-records.ts'
import { createDatabase, type TestDatabase } from '../../fixtures/postgres-database.ts'

const LARGE = process.env.STRONGROOM_SLOW === '1' ? 1_000_000 : 20_000

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString, max: 24 })
  pool.on('error', () => undefined)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const freshTable = () => `keys_${randomUUID().replaceAll('-', '')}`
async function made() {
  const table = freshTable()
  await createKeyTables({ pool, table })
  return { table, store: postgresKeyStore({ pool, table }) }
}
const create = (scope: string) => ({ puts: [{ record: sampleRecord({ scope }), replaces: null }], log: null })

describe('a key store in PostgreSQL', () => {
  const cases = keyStoreConformance(async () => {
    const { table, store } = await made()
    const second = postgresKeyStore({ connectionString: database.connectionString, table })
    return { store, second, close: async () => void (await second.close?.()) }
  })
  for (const { name, run } of cases) test(name, run)

  test('reads the same through a pool that parses values its own way', async () => {
    const { table, store } = await made()
    const record = sampleRecord({ reason: 'a "quoted" reason\nwith\ttext 東京', scope: 's' })
    await store.commit({ puts: [{ record, replaces: null }], log: sampleEntry(1) })
    const types = { getTypeParser: () => (value: string) => value }
    const odd = new pg.Pool({ connectionString: database.connectionString, types: types as never })
    const other = postgresKeyStore({ pool: odd, table })
    expect(await other.get([record.id])).toEqual([record])
    expect(await other.log(0, 10)).toEqual(await store.log(0, 10))
    await odd.end()
  })

  test('keeps scopes longer than an index entry can be, and tells them apart by their end', async () => {
    const { store } = await made()
    const scopes = ['a', 'b'].map(
      (end) => [...Array(4000)].map((_, at) => String.fromCharCode(97 + ((at * 7) % 26))).join('') + end,
    )
    for (const scope of scopes) expect(await store.commit(create(scope))).toEqual({ written: true })
    expect(await store.findActive('data', scopes)).toHaveLength(2)
    expect(await store.commit(create(scopes[0] as string))).toMatchObject({ written: false })
  })

  test('refuses text that PostgreSQL cannot hold as the mistake of the caller, and finds nothing under it', async () => {
    const { store } = await made()
    const record = sampleRecord({ reason: 'zero \0' })
    await expect(store.commit({ puts: [{ record, replaces: null }], log: null })).rejects.toThrow(TypeError)
    expect(await store.get(['\0'])).toEqual([])
    expect(await store.findActive('data', ['\0'])).toEqual([])
    expect(await store.list({ limit: 10 })).toEqual([])
  })

  test('answers only once a commit is durable, also where the server is told to answer early', async () => {
    const { table } = await made()
    const seen: string[] = []
    const watched = {
      query: (text: string, values?: unknown[]) => pool.query(text, values as never),
      connect: async () => {
        const client = await pool.connect()
        await client.query('set synchronous_commit = off')
        return {
          release: () => client.release(true),
          query: async (text: string, values?: unknown[]) => {
            if (text === 'commit') seen.push((await client.query('show synchronous_commit')).rows[0].synchronous_commit)
            return client.query(text, values as never)
          },
        }
      },
    }
    expect(await postgresKeyStore({ pool: watched, table }).commit(create('s'))).toEqual({ written: true })
    expect(seen).toEqual(['on'])
  })

  test('that was closed is closed, and leaves the pool of the caller open', async () => {
    const { store } = await made()
    await store.close?.()
    await expect(store.get([])).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })
})

describe('the tables', () => {
  test('are never made on the way: a store without them says what to run', async () => {
    const table = freshTable()
    const store = postgresKeyStore({ pool, table })
    for (const work of [() => store.get([]), () => store.commit(create(''))]) {
      await expect(work()).rejects.toMatchObject({
        fault: 'misconfigured',
        message: expect.stringContaining('strongroom keys tables --create'),
      })
    }
    const { rows } = await pool.query('select to_regclass($1) as found', [table])
    expect(rows).toEqual([{ found: null }])
    await createKeyTables({ pool, table })
    expect(await store.list({ limit: 1 })).toEqual([])
  })

  test('are made once by ten callers at once, with their schema', async () => {
    const place = { pool, schema: 'Key_Room', table: 'Keys' }
    const results = await Promise.all(Array.from({ length: 10 }, () => createKeyTables(place)))
    expect(results.filter((one) => one)).toHaveLength(1)
    const store = postgresKeyStore(place)
    expect(store.name).toBe('postgres Key_Room.Keys')
    expect(await store.commit(create(''))).toEqual({ written: true })
    expect(await createKeyTables(place)).toBe(false)
    expect(await store.list({ limit: 10 })).toHaveLength(1)
  })

  test('made from the printed SQL are the same, and the SQL cannot be run twice', async () => {
    const [printed, called] = [freshTable(), freshTable()]
    const place = { schema: 'by_hand', table: printed }
    await pool.query(keyTablesSql(place))
    await expect(pool.query(keyTablesSql(place)).finally(() => pool.query('rollback'))).rejects.toThrow(
      'already exists',
    )
    await createKeyTables({ pool, schema: 'by_hand', table: called })
    const shape = async (table: string) => {
      const sql = `select table_name, column_name, data_type, collation_name, is_nullable from information_schema.columns
        where table_schema = 'by_hand' and table_name like $1 order by 1, ordinal_position`
      return JSON.stringify((await pool.query(sql, [`${table}%`])).rows).replaceAll(table, 'T')
    }
    expect(await shape(printed)).toBe(await shape(called))
    expect((await postgresKeyStore({ pool, ...place }).commit(create(''))).written).toBe(true)
  })

  test('of another release are refused, and not touched', async () => {
    const { table } = await made()
    await pool.query(`update ${table}_schema set version = 2`)
    const store = postgresKeyStore({ pool, table })
    await expect(store.get([])).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('version 2'),
    })
    await expect(createKeyTables({ pool, table })).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  })

  test('refuse a name that is taken, and names that are no names', async () => {
    const table = freshTable()
    await pool.query(`create table ${table} (mine text)`)
    await expect(createKeyTables({ pool, table })).rejects.toThrow('exists already')
    for (const bad of ['', 'a b', '1a', 'a"; drop table x; --', 'é', 'x'.repeat(51)]) {
      expect(() => postgresKeyStore({ pool, table: bad }), bad).toThrow(TypeError)
      expect(() => keyTablesSql({ schema: bad }), bad).toThrow(TypeError)
    }
  })

  test('refuse two active keys and a reused generation also from SQL', async () => {
    const { table, store } = await made()
    await store.commit(create('s'))
    const copy = (generation: number) =>
      pool.query(`insert into ${table} select (jsonb_populate_record(k, jsonb_build_object('id', md5(random()::text),
        'generation', ${generation}))).* from ${table} k`)
    await expect(copy(2)).rejects.toMatchObject({ code: '23505', constraint: `${table}_active` })
    await pool.query(`update ${table} set state = 'suspended'`)
    await expect(copy(1)).rejects.toMatchObject({ code: '23505', constraint: `${table}_generation` })
  })
})

describe('grants', () => {
  test('that the documentation names are enough, and less is reported as what to change', async () => {
    const { table, store } = await made()
    await pool.query(`create role app_${table.slice(5, 15)} login`)
    const role = `app_${table.slice(5, 15)}`
    const own = new pg.Pool({ connectionString: database.connectionString.replace('postgres@', `${role}@`) })
    const app = postgresKeyStore({ pool: own, table })
    await expect(app.get([])).rejects.toMatchObject({
      fault: 'misconfigured',
      message: expect.stringContaining('grant'),
    })
    await pool.query(`grant select on ${table}, ${table}_log, ${table}_schema to ${role}`)
    const first = sampleRecord()
    await store.commit({ puts: [{ record: first, replaces: null }], log: null })
    expect(await app.get([first.id])).toEqual([first])
    await expect(app.commit(create('t'))).rejects.toMatchObject({ fault: 'misconfigured' })
    await pool.query(`grant insert, update on ${table} to ${role}; grant insert on ${table}_log to ${role}`)
    const changed = nextRevision(first, { state: 'suspended' })
    const puts = [{ record: changed, replaces: 1 }]
    expect(await app.commit({ puts, log: sampleEntry(1) })).toEqual({ written: true })
    await expect(own.query(`delete from ${table}`)).rejects.toThrow('permission denied')
    await expect(own.query(`update ${table}_log set action = ''`)).rejects.toThrow('permission denied')
    await own.end()
  })
})

describe('faults', () => {
  const refusedBy = (error: object) =>
    postgresKeyStore({
      pool: { query: () => Promise.reject(error), connect: () => Promise.reject(error) },
    }).get([])

  test.each([
    ['08006', 'unavailable'],
    ['57P01', 'unavailable'],
    ['53300', 'unavailable'],
    ['25006', 'unavailable'],
    ['28P01', 'misconfigured'],
    ['3D000', 'misconfigured'],
    ['42501', 'misconfigured'],
    ['42P01', 'misconfigured'],
    ['42703', 'misconfigured'],
    ['55P03', 'locked'],
    ['40P01', 'conflict'],
    ['XX001', 'corrupt'],
    ['ECONNREFUSED', 'unavailable'],
    ['ENOTFOUND', 'unavailable'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'misconfigured'],
  ])('%s is %s', async (code, fault) => {
    const cause = Object.assign(new Error('x'), { code })
    await expect(refusedBy(cause)).rejects.toMatchObject({ code: 'ERR_KEY_STORE', fault, cause })
  })

  test('without a code are told by what the driver says', async () => {
    await expect(refusedBy(new Error('Connection terminated unexpectedly'))).rejects.toMatchObject({
      fault: 'unavailable',
    })
    await expect(refusedBy(new Error('client password must be a string'))).rejects.toMatchObject({
      fault: 'misconfigured',
    })
  })

  test('of a server that is not there are retryable and name no password', async () => {
    const store = postgresKeyStore({ connectionString: 'postgres://app:s3cret@127.0.0.1:1/x' })
    const error = await store.get([]).catch((caught: Error) => caught)
    expect(error).toMatchObject({ fault: 'unavailable', retryable: true })
    expect((error as Error).message).not.toContain('s3cret')
    await store.close?.()
  })

  test('of a lock that another holds for too long are `locked`, and nothing is written', async () => {
    const { table, store } = await made()
    const record = sampleRecord()
    await store.commit({ puts: [{ record, replaces: null }], log: null })
    const holder = await pool.connect()
    await holder.query('begin')
    await holder.query(`select * from ${table} for update`)
    const hasty = postgresKeyStore({ pool, table, lockTimeoutMs: 100 })
    const commit = { puts: [{ record: nextRevision(record), replaces: 1 }], log: sampleEntry(1) }
    await expect(hasty.commit(commit)).rejects.toMatchObject({ fault: 'locked', retryable: true })
    await holder.query('rollback')
    holder.release()
    expect(await store.log(0, 10)).toEqual([])
    expect(await hasty.commit(commit)).toEqual({ written: true })
  })

  test('a connection that the server cuts during a commit leaves nothing, and the next commit works', async () => {
    const { table, store } = await made()
    const cutting = {
      query: (text: string, values?: unknown[]) => pool.query(text, values as never),
      connect: async () => {
        const client = await pool.connect()
        client.on('error', () => undefined)
        return {
          release: (destroy?: boolean) => client.release(destroy),
          query: async (text: string, values?: unknown[]) => {
            if (text === 'commit') await client.query('select pg_terminate_backend(pg_backend_pid())')
            return client.query(text, values as never)
          },
        }
      },
    }
    await expect(postgresKeyStore({ pool: cutting, table }).commit(create('s'))).rejects.toMatchObject({
      fault: 'unavailable',
    })
    expect(await store.list({ limit: 10 })).toEqual([])
    expect(await store.commit(create('s'))).toEqual({ written: true })
  })

  test('options that name no database, or two, are refused', () => {
    expect(() => postgresKeyStore({})).toThrow(TypeError)
    expect(() => postgresKeyStore({ pool, connectionString: 'postgres://x' })).toThrow(TypeError)
    expect(() => postgresKeyStore({ pool: {} as never })).toThrow(TypeError)
    expect(() => postgresKeyStore({ pool, lockTimeoutMs: 1 })).toThrow(TypeError)
  })
})

describe('a large key store', () => {
  test(`of ${LARGE} keys takes 10,000 more in one commit, and is listed in pages by an index`, async () => {
    const { table, store } = await made()
    const batch = (from: number) =>
      Array.from({ length: 10_000 }, (_, at) => ({
        record: sampleRecord({ scope: `subject=${from + at}`, parent: 'a'.repeat(32) }),
        replaces: null,
      }))
    await store.commit({ puts: [{ record: sampleRecord({ scope: 'first' }), replaces: null }], log: null })
    await pool.query(`insert into ${table} (id, commitment, store, purpose, scope, scope_hash, generation, parent,
        created_at, wraps, state, state_at, rev, mac)
      select md5(n::text), commitment, store, purpose, 'subject=' || n, sha256(convert_to('subject=' || n, 'UTF8')), 1,
        parent, created_at, wraps, state, state_at, 1, mac from ${table} k, generate_series(1, ${LARGE - 1}) n`)
    await pool.query(`analyze ${table}`)
    const puts = batch(LARGE)
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
    console.log(
      `postgres store: 10,000 into ${LARGE} in ${ms[0]} ms, changed in ${ms[1]} ms, all listed in ${ms[2]} ms`,
    )
    expect(ms[0]).toBeLessThan(15_000)
    const plans = [
      `select * from ${table} where purpose = 'data' and state = 'active' and id > '8' order by id limit 1000`,
      `select * from ${table} where parent = '${'b'.repeat(32)}' order by id limit 1000`,
      `select * from ${table} where purpose = 'data' and state = 'active' and (scope, scope_hash) in
        (select s, sha256(convert_to(s, 'UTF8')) from unnest(array['subject=1']) as s)`,
    ]
    for (const plan of plans) {
      const { rows } = await pool.query(`explain ${plan}`)
      expect(JSON.stringify(rows)).not.toContain('Seq Scan')
    }
  }, 300_000)
})
