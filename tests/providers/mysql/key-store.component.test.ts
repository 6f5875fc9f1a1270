import { randomUUID } from 'node:crypto'
import mysql from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKeyTables, keyTablesSql, type MysqlStatement, mysqlKeyStore } from '../../../providers/mysql/index.ts'
import { keyStoreConformance } from '../../../providers/testing/index.ts'
import { nextRevision, sampleEntry, sampleRecord } from '../../../providers/testing/sample-records.ts'
import { describeComponent } from '../../components/component.ts'
import { MARIADB_MISSING, startMariadb, type TestMariadb } from '../../fixtures/mariadb.ts'

const LARGE = process.env.STRONGROOM_SLOW === '1' ? 100_000 : 20_000

describeComponent('a key store in MariaDB', MARIADB_MISSING, () => {
  let server: TestMariadb
  let pool: mysql.Pool
  beforeAll(async () => {
    server = await startMariadb()
    pool = mysql.createPool({ uri: server.connectionString, charset: 'utf8mb4', connectionLimit: 24 })
  }, 60_000)
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  const freshTable = () => `keys_${randomUUID().replaceAll('-', '').slice(0, 20)}`
  async function made() {
    const table = freshTable()
    await createKeyTables({ pool, table })
    return { table, store: mysqlKeyStore({ pool, table }) }
  }
  const create = (scope: string) => ({ puts: [{ record: sampleRecord({ scope }), replaces: null }], log: null })
  const rows = async (sql: string) => (await pool.query(sql))[0] as Record<string, unknown>[]

  const cases = keyStoreConformance(async () => {
    const { table, store } = await made()
    const second = mysqlKeyStore({ connectionString: server.connectionString, table })
    return { store, second, close: async () => void (await second.close?.()) }
  })
  for (const { name, run } of cases) test(name, run)

  test('reads the same through a pool that was told to read its own way, and leaves the pool as it was', async () => {
    const { table, store } = await made()
    const record = sampleRecord({ reason: 'a "quoted" \\ reason\nwith\ttext 東京 \0 end ', scope: "s'`" })
    await store.commit({ puts: [{ record, replaces: null }], log: sampleEntry(1) })
    const odd = mysql.createPool({
      uri: server.connectionString,
      charset: 'utf8mb4',
      connectionLimit: 1,
      rowsAsArray: true,
      nestTables: true,
      namedPlaceholders: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      typeCast: () => 'nonsense',
      flags: ['-FOUND_ROWS'],
    })
    const mode = "set @@sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', autocommit = 0, time_zone = '-03:00'"
    await odd.query(mode)
    const settings =
      'select concat_ws(" ", @@sql_mode, @@autocommit, @@time_zone, @@wait_timeout, @@innodb_lock_wait_timeout) as s'
    const before = await odd.query({ sql: settings.replaceAll('"', "'"), rowsAsArray: true, typeCast: true })
    const other = mysqlKeyStore({ pool: odd, table })
    expect(await other.get([record.id])).toEqual([record])
    expect(await other.log(0, 10)).toEqual(await store.log(0, 10))
    expect(await other.list({ scope: record.scope, scopePrefix: "s'", limit: 5 })).toEqual([record])
    const changed = nextRevision(record, { state: 'suspended', reason: '\\' })
    expect(await other.commit({ puts: [{ record: changed, replaces: 1 }], log: sampleEntry(2) })).toEqual({
      written: true,
    })
    expect(await store.get([record.id])).toEqual([changed])
    const after = await odd.query({ sql: settings.replaceAll('"', "'"), rowsAsArray: true, typeCast: true })
    expect(after[0]).toEqual(before[0])
    await odd.end()
  })

  test('refuses a pool whose character set would change text', async () => {
    const { table } = await made()
    const latin = mysql.createPool({ uri: server.connectionString, charset: 'latin1' })
    const store = mysqlKeyStore({ pool: latin, table })
    await expect(store.get([])).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('utf8mb4'),
    })
    await latin.end()
  })

  test('keeps scopes longer than an index entry can be, and tells them apart by their end', async () => {
    const { store } = await made()
    const long = [...Array(4000)].map((_, at) => String.fromCharCode(97 + ((at * 7) % 26))).join('')
    const scopes = [`${long}a`, `${long}b`, `${long}b `]
    for (const scope of scopes) expect(await store.commit(create(scope))).toEqual({ written: true })
    expect(await store.findActive('data', scopes)).toHaveLength(3)
    expect(await store.commit(create(scopes[0] as string))).toMatchObject({ written: false })
  })

  test('refuses what the columns cannot hold instead of cutting it, also on a server without strictness', async () => {
    const { store } = await made()
    const tooLong = sampleRecord({ scope: 's'.repeat(4097) })
    await expect(store.commit({ puts: [{ record: tooLong, replaces: null }], log: null })).rejects.toThrow(TypeError)
    const broken = sampleRecord({ scope: '\ud800' })
    await expect(store.commit({ puts: [{ record: broken, replaces: null }], log: null })).rejects.toThrow(TypeError)
    expect(await store.list({ limit: 10 })).toEqual([])
  })

  test('finds nothing under an id or a scope with a space more', async () => {
    const { store } = await made()
    const record = sampleRecord({ scope: 'tenant=a' })
    await store.commit({ puts: [{ record, replaces: null }], log: null })
    expect(await store.get([`${record.id} `, record.id.toUpperCase()])).toEqual([])
    expect(await store.findActive('data', ['tenant=a ', 'Tenant=a'])).toEqual([])
    expect(await store.list({ scope: 'tenant=a ', limit: 1 })).toEqual([])
    expect(await store.list({ scopePrefix: 'tenant=a ', limit: 1 })).toEqual([])
  })

  test('that was closed is closed, and leaves the pool of the caller open', async () => {
    const { store } = await made()
    await store.close?.()
    await expect(store.get([])).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    expect(await rows('select 1 as one')).toEqual([{ one: 1 }])
  })

  test('its tables are never made on the way: a store without them says what to run', async () => {
    const table = freshTable()
    const store = mysqlKeyStore({ pool, table })
    for (const work of [() => store.get([]), () => store.commit(create(''))]) {
      await expect(work()).rejects.toMatchObject({
        fault: 'misconfigured',
        message: expect.stringContaining('strongroom keys tables --create'),
      })
    }
    expect(await rows(`show tables like '${table}%'`)).toEqual([])
    await createKeyTables({ pool, table })
    expect(await store.list({ limit: 1 })).toEqual([])
  })

  test('its tables are made once by ten callers at once, with their database', async () => {
    const place = { pool, database: 'Key_Room', table: 'Keys' }
    const results = await Promise.all(Array.from({ length: 10 }, () => createKeyTables(place)))
    expect(results.filter((one) => one)).toHaveLength(1)
    const store = mysqlKeyStore(place)
    expect(store.name).toBe('mysql Key_Room.Keys')
    expect(await store.commit(create(''))).toEqual({ written: true })
    expect(await createKeyTables(place)).toBe(false)
    expect(await store.list({ limit: 10 })).toHaveLength(1)
  })

  test('its tables are completed when whoever made them died after any of them', async () => {
    for (const count of [1, 2, 3]) {
      const table = freshTable()
      let left = count
      const dying = {
        getConnection: async () => {
          const client = await pool.getConnection()
          const answer = async (statement: MysqlStatement): Promise<readonly unknown[]> => {
            if (statement.sql.startsWith('insert ignore') || (statement.sql.startsWith('create') && left-- === 0)) {
              throw new Error('died')
            }
            return statement.values === undefined ? client.query(statement) : client.execute(statement as never)
          }
          return { query: answer, execute: answer, release: () => client.release(), destroy: () => client.destroy() }
        },
      }
      await expect(createKeyTables({ pool: dying, table })).rejects.toThrow()
      const store = mysqlKeyStore({ pool, table })
      await expect(store.get([])).rejects.toMatchObject({ message: expect.stringContaining('keys tables --create') })
      expect(await createKeyTables({ pool, table })).toBe(true)
      expect(await store.commit(create(''))).toEqual({ written: true })
    }
  })

  test('its tables made from the printed SQL are the same, and the SQL cannot be run twice', async () => {
    const [printed, called] = [freshTable(), freshTable()]
    const place = { database: 'by_hand', table: printed }
    const byHand = mysql.createPool({ uri: server.connectionString, multipleStatements: true })
    await byHand.query(keyTablesSql(place))
    await expect(byHand.query(keyTablesSql(place))).rejects.toThrow('already exists')
    await byHand.end()
    await createKeyTables({ pool, database: 'by_hand', table: called })
    const shape = async (table: string) => {
      const texts = await Promise.all(
        ['', '_log', '_schema'].map((suffix) => rows(`show create table by_hand.${table}${suffix}`)),
      )
      return JSON.stringify(texts).replaceAll(table, 'T')
    }
    expect(await shape(printed)).toBe(await shape(called))
    expect((await mysqlKeyStore({ pool, ...place }).commit(create(''))).written).toBe(true)
  })

  test('its tables of another release are refused, and not touched', async () => {
    const { table } = await made()
    await pool.query(`update ${table}_schema set version = 2`)
    const store = mysqlKeyStore({ pool, table })
    await expect(store.get([])).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('version 2'),
    })
    await expect(createKeyTables({ pool, table })).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  })

  test('refuses a name that is taken, and names that are no names', async () => {
    const table = freshTable()
    await pool.query(`create table ${table} (mine text)`)
    await expect(createKeyTables({ pool, table })).rejects.toThrow('exists already')
    for (const bad of ['', 'a b', '1a', 'a`; drop table x; --', 'é', 'x'.repeat(51)]) {
      expect(() => mysqlKeyStore({ pool, table: bad }), bad).toThrow(TypeError)
      expect(() => keyTablesSql({ database: bad }), bad).toThrow(TypeError)
    }
  })

  test('refuses two active keys and a reused generation also from SQL', async () => {
    const { table, store } = await made()
    await store.commit(create('s'))
    const columns = 'commitment, store, purpose, scope, parent, created_at, wraps, state, state_at, rev, mac'
    const copy = (generation: number) =>
      pool.query(
        `insert into ${table} (id, generation, ${columns}) select md5(uuid()), ${generation}, ${columns} from ${table}`,
      )
    await expect(copy(2)).rejects.toMatchObject({ errno: 1062, message: expect.stringContaining('strongroom_active') })
    await pool.query(`update ${table} set state = 'suspended'`)
    await expect(copy(1)).rejects.toMatchObject({
      errno: 1062,
      message: expect.stringContaining('strongroom_generation'),
    })
  })

  test('tells what collided also when the server speaks another language', async () => {
    const { table, store } = await made()
    await store.commit(create('s'))
    const german = mysql.createPool({ uri: server.connectionString, charset: 'utf8mb4', connectionLimit: 1 })
    await german.query("set lc_messages = 'de_DE'")
    const other = mysqlKeyStore({ pool: german, table })
    const puts = [{ record: sampleRecord({ scope: 's', generation: 2 }), replaces: null }]
    expect(await other.commit({ puts, log: null })).toEqual({ written: false, conflict: 'active' })
    await german.end()
  })

  test('needs the grants that the documentation names and no more, and reports less as what to change', async () => {
    const { table, store } = await made()
    const user = `app_${table.slice(5, 15)}`
    await pool.query(`create user ${user}@'127.0.0.1' identified by 'x'`)
    await pool.query(`grant select on app.${table}_schema to ${user}@'127.0.0.1'`)
    const own = mysql.createPool({
      uri: server.connectionString.replace('root@', `${user}:x@`),
      charset: 'utf8mb4',
    })
    const app = mysqlKeyStore({ pool: own, table })
    await expect(app.get([])).rejects.toMatchObject({
      fault: 'misconfigured',
      message: expect.stringContaining('grant'),
    })
    for (const name of [table, `${table}_log`]) await pool.query(`grant select on app.${name} to ${user}@'127.0.0.1'`)
    const first = sampleRecord()
    await store.commit({ puts: [{ record: first, replaces: null }], log: null })
    expect(await app.get([first.id])).toEqual([first])
    await expect(app.commit(create('t'))).rejects.toMatchObject({ fault: 'misconfigured' })
    await pool.query(`grant insert, update on app.${table} to ${user}@'127.0.0.1'`)
    await pool.query(`grant insert on app.${table}_log to ${user}@'127.0.0.1'`)
    const puts = [{ record: nextRevision(first, { state: 'suspended' }), replaces: 1 }]
    expect(await app.commit({ puts, log: sampleEntry(1) })).toEqual({ written: true })
    await expect(own.query(`delete from ${table}`)).rejects.toThrow('denied')
    await expect(own.query(`update ${table}_log set action = ''`)).rejects.toThrow('denied')
    await own.end()
  })

  test('reports a lock that another holds for too long as `locked`, and writes nothing', async () => {
    const { table, store } = await made()
    const record = sampleRecord()
    await store.commit({ puts: [{ record, replaces: null }], log: null })
    const holder = await pool.getConnection()
    await holder.query('start transaction')
    await holder.query(`select * from ${table} for update`)
    const hasty = mysqlKeyStore({ pool, table, lockTimeoutMs: 1000 })
    const commit = { puts: [{ record: nextRevision(record), replaces: 1 }], log: sampleEntry(1) }
    await expect(hasty.commit(commit)).rejects.toMatchObject({ fault: 'locked', retryable: true })
    await holder.query('rollback')
    holder.release()
    expect(await store.log(0, 10)).toEqual([])
    expect(await hasty.commit(commit)).toEqual({ written: true })
  })

  test('loses a deadlock, and tries again until it wins', async () => {
    const { table, store } = await made()
    const [a, b] = [sampleRecord({ scope: 'a' }), sampleRecord({ scope: 'b' })].sort((x, y) => (x.id < y.id ? -1 : 1))
    await store.commit({
      puts: [a, b].map((record) => ({ record: record as typeof a & object, replaces: null })),
      log: null,
    })
    const holder = await pool.getConnection()
    await holder.query('start transaction')
    await holder.query(`select * from ${table} where id = '${b?.id}' for update`)
    for (let at = 0; at < 3; at++) await holder.query(`update ${table}_log set action = 'x' where seq = 99`)
    const puts = [a, b].map((record) => ({ record: nextRevision(record as NonNullable<typeof a>), replaces: 1 }))
    const committing = store.commit({ puts, log: null })
    await new Promise((resolve) => setTimeout(resolve, 300))
    // Now each waits for a row of the other; the server ends one of both.
    const theirs = holder.query(`select * from ${table} where id = '${a?.id}' for update`).then(
      () => 'waited',
      (error) => error.code,
    )
    await theirs
    await holder.query('rollback')
    holder.release()
    expect(await committing).toEqual({ written: true })
  })

  test('leaves nothing when the server cuts the connection during a commit, and the next commit works', async () => {
    const { table, store } = await made()
    const cutting = {
      getConnection: async () => {
        const client = await pool.getConnection()
        return {
          release: () => client.release(),
          destroy: () => client.destroy(),
          execute: (statement: MysqlStatement) => client.execute(statement as never),
          query: async (statement: MysqlStatement) => {
            if (statement.sql.startsWith('commit')) await pool.query(`kill ${client.threadId}`)
            return client.query(statement)
          },
        }
      },
    }
    await expect(mysqlKeyStore({ pool: cutting, table }).commit(create('s'))).rejects.toMatchObject({
      fault: 'unavailable',
    })
    expect(await store.list({ limit: 10 })).toEqual([])
    expect(await store.commit(create('s'))).toEqual({ written: true })
  })

  test('writes commits that are larger than a packet of the server', async () => {
    const { table } = await made()
    await pool.query('set global max_allowed_packet = 65536')
    try {
      const small = mysql.createPool({ uri: server.connectionString, charset: 'utf8mb4' })
      const store = mysqlKeyStore({ pool: small, table })
      const puts = Array.from({ length: 500 }, (_, at) => ({
        record: sampleRecord({ scope: `tenant=${at}`, reason: '東'.repeat(100) }),
        replaces: null,
      }))
      expect(await store.commit({ puts, log: null })).toEqual({ written: true })
      const wrap = {
        provider: 'memory',
        keyId: 'm',
        ciphertext: 'x'.repeat(16_384),
        wrappedAt: '2026-01-02T03:04:05.678Z',
      }
      const huge = sampleRecord({ scope: 'huge', wraps: Array.from({ length: 5 }, () => wrap) })
      await expect(store.commit({ puts: [{ record: huge, replaces: null }], log: null })).rejects.toMatchObject({
        code: 'ERR_KEY_STORE',
        message: expect.stringContaining('max_allowed_packet'),
      })
      expect(await store.list({ limit: 1000 })).toHaveLength(500)
      await small.end()
    } finally {
      await pool.query('set global max_allowed_packet = 16777216')
    }
  })

  test(`takes 10,000 more into ${LARGE} keys in one commit, and lists them in pages by an index`, async () => {
    const { table, store } = await made()
    const columns = 'commitment, store, purpose, parent, created_at, wraps, state, state_at, rev, mac'
    const first = sampleRecord({ scope: 'first', parent: 'a'.repeat(32) })
    await store.commit({ puts: [{ record: first, replaces: null }], log: null })
    await pool.query(`insert into ${table} (id, scope, generation, ${columns})
      select md5(seq), concat('subject=', seq), 1, ${columns} from ${table} join seq_1_to_${LARGE - 1}`)
    await pool.query(`analyze table ${table}`)
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
    console.log(`mysql store: 10,000 into ${LARGE} in ${ms[0]} ms, changed in ${ms[1]} ms, all listed in ${ms[2]} ms`)
    expect(ms[0]).toBeLessThan(20_000)
    const explained: Record<string, unknown>[] = []
    const watched = {
      getConnection: async () => {
        const client = await pool.getConnection()
        return {
          query: (statement: MysqlStatement) => client.query(statement),
          release: () => client.release(),
          destroy: () => client.destroy(),
          execute: async (statement: MysqlStatement) => {
            if (statement.sql.includes(` ${'`'}${table}${'`'} `)) {
              const [plan] = await client.execute({ ...statement, sql: `explain ${statement.sql}` } as never)
              explained.push(...(plan as unknown as Record<string, unknown>[]).filter((row) => row.table === 'k'))
            }
            return client.execute(statement as never)
          },
        }
      },
    }
    const planned = mysqlKeyStore({ pool: watched, table })
    await planned.list({ purpose: 'data', state: 'active', after: '8', limit: 1000 })
    await planned.list({ parent: 'b'.repeat(32), limit: 1000 })
    await planned.findActive('data', ['subject=1', 'subject=2'])
    await planned.get([first.id])
    expect(explained.map((row) => row.key)).toEqual([
      'strongroom_state',
      'strongroom_parent',
      'strongroom_active',
      'PRIMARY',
    ])
    expect(JSON.stringify(explained)).not.toContain('filesort')
  }, 120_000)
})
