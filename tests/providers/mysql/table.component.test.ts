import mysql from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MysqlStatement, mysqlTable } from '../../../providers/mysql/index.ts'
import { type SampleRow, tableConformance } from '../../../providers/testing/index.ts'
import { describeComponent } from '../../components/component.ts'
import { MARIADB_MISSING, startMariadb, type TestMariadb } from '../../fixtures/mariadb.ts'

describeComponent('mysqlTable on MariaDB', MARIADB_MISSING, () => {
  let server: TestMariadb
  let pool: mysql.Pool
  beforeAll(async () => {
    server = await startMariadb(['--max-allowed-packet=1M'])
    pool = mysql.createPool({ uri: server.connectionString, charset: 'utf8mb4', dateStrings: true })
  }, 60_000)
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  const rows = async (sql: string) => (await pool.query(sql))[0] as Record<string, unknown>[]
  let made = 0

  const cases = tableConformance(async () => {
    const database = `s${++made}`
    await pool.query(`create database ${database}`)
    await pool.query(`create table ${database}.People (id varchar(190) character set utf8mb4 collate utf8mb4_nopad_bin not null,
      note text character set utf8mb4 collate utf8mb4_general_ci, raw blob, born date, tenant int not null, primary key (tenant, id))`)
    const open = () => mysqlTable({ connectionString: server.connectionString, table: `${database}.People` })
    const [table, second] = [open(), open()]
    return {
      table,
      second,
      insert: async (all) => {
        for (let at = 0; at < all.length; at += 1000) {
          const values = all
            .slice(at, at + 1000)
            .map((r) => [r.id, r.note, r.raw && Buffer.from(r.raw), r.born, r.tenant])
          await pool.query(`insert into ${database}.People (id, note, raw, born, tenant) values ?`, [values])
        }
      },
      rows: async () =>
        (await rows(
          `select tenant, id, note, raw, born from ${database}.People order by tenant, id`,
        )) as unknown as SampleRow[],
      close: async () => {
        await Promise.all([table.close?.(), second.close?.()])
      },
    }
  })
  for (const { name, run } of cases) test(name, run, 60_000)

  test('refuses a table that does not exist, has no primary key or no transactions', async () => {
    await pool.query('create table keyless (note text)')
    await pool.query('create table flat (id int primary key) engine=MyISAM')
    await pool.query('create table listed (id enum("b", "a") primary key)')
    const table = (name: string) => mysqlTable({ pool, table: name })
    for (const name of ['nowhere', 'keyless', 'flat', 'listed', 'KEYLESS']) {
      await expect(table(name).describe(), name).rejects.toMatchObject({ code: 'ERR_TABLE', fault: 'misconfigured' })
    }
    expect(() => table('a.b.c')).toThrow(TypeError)
    expect(() => mysqlTable({ table: 'people' })).toThrow(TypeError)
  })

  test('keeps names safe that hold quotes', async () => {
    await pool.query('create table `we``ird"` (id binary(16) primary key, `n``ote"` text, raw varbinary(20))')
    await pool.query('insert into `we``ird"` values (unhex("00112233445566778899aabbccddeeff"), "x", "y")')
    const table = mysqlTable({ pool, table: 'we`ird"' })
    const key = ['00112233445566778899AABBCCDDEEFF']
    expect(await table.page({ columns: ['n`ote"'], limit: 5 })).toEqual([{ key, values: { 'n`ote"': 'x' } }])
    expect(await table.write([{ key, expected: { 'n`ote"': 'x' }, set: { 'n`ote"': '\\"`' } }])).toEqual([true])
    expect(await table.page({ columns: ['n`ote"'], limit: 5 })).toEqual([{ key, values: { 'n`ote"': '\\"`' } }])
    const { columns } = await table.describe()
    expect(columns.map(({ holds, width }) => [holds, width])).toEqual([
      ['other', null],
      ['text', 65535],
      ['bytes', 20],
    ])
  })

  test('pages and writes by keys of every type that it takes', async () => {
    const types: Record<string, readonly string[]> = {
      'bigint unsigned': ['0', '9007199254740993', '18446744073709551615'],
      bigint: ['-9223372036854775808', '-1', '9007199254740993'],
      'decimal(30,10)': ['-1.5000000000', '0.0000000001', '12345678901234567890.0123456789'],
      'char(36) character set latin1': ['8d5a7c3e', 'Straße', 'z'],
      'varbinary(20)': ['00', '00FF', 'FF'],
      'datetime(3)': ['1999-12-31 23:59:59.999', '2026-03-29 02:30:00.000', '2026-03-29 02:30:00.001'],
      'timestamp(6)': ['2026-10-25 00:30:00.000001', '2026-10-25 01:30:00.000001', '2026-10-25 02:30:00.000001'],
      date: ['1000-01-01', '2000-02-29', '9999-12-31'],
      uuid: ['00000000-0000-0000-0000-000000000001', '123e4567-e89b-12d3-a456-426655440000'],
    }
    for (const [at, [type, ids]] of Object.entries(types).entries()) {
      const name = `typed${at}`
      await pool.query(`create table ${name} (a int, id ${type}, note text, primary key (a, id))`)
      const zoned = await pool.getConnection()
      await zoned.query(`set time_zone = '+00:00'`)
      for (const id of ids) {
        const value = type.startsWith('varbinary') ? 'unhex(?)' : '?'
        await zoned.query(`insert into ${name} values (1, ${value}, 'old')`, [id])
      }
      await zoned.query(`set time_zone = default`)
      zoned.release()
      const table = mysqlTable({ pool, table: name })
      const seen: string[] = []
      for (let after: readonly string[] | undefined; ; ) {
        const [row] = await table.page({ columns: ['note'], limit: 1, ...(after && { after }) })
        if (row === undefined) break
        seen.push(row.key[1] as string)
        after = row.key
      }
      expect(seen, type).toEqual(ids)
      const changes = ids.map((id) => ({ key: ['1', id], expected: { note: 'old' }, set: { note: `new ${id}` } }))
      expect(await table.write(changes), type).toEqual(ids.map(() => true))
      expect(await table.splits(2), type).toHaveLength(1)
    }
  })

  test('writes any text and any bytes unchanged, whatever the server would make of them', async () => {
    await pool.query('create table odd (id int primary key, note longtext character set utf8mb4, raw longblob)')
    const texts = [
      '',
      ' ',
      'plain',
      `"\\'\`\0\u0001\u001f\u007f`,
      '\\u0000',
      '東京 🔑 e\u0301 \u2028',
      '[]',
      'null',
      '\n\r\t',
    ]
    await pool.query('insert into odd (id) values ?', [texts.map((_, at) => [at])])
    const table = mysqlTable({ pool, table: 'odd' })
    const raw = (at: number) => Buffer.from([...Array(at)].map((_, byte) => (byte * 37) % 256))
    // One statement each, so that plain text travels as it is, and then all in one.
    for (const [at, note] of texts.entries()) {
      expect(await table.write([{ key: [String(at)], expected: { note: null }, set: { note, raw: raw(at) } }])).toEqual(
        [true],
      )
    }
    const read = async () => (await table.page({ columns: ['note', 'raw'], limit: 50 })).map(({ values }) => values)
    const expected = texts.map((note, at) => ({ note, raw: raw(at) }))
    expect(await read()).toEqual(expected)
    const swap = texts.map((note, at) => ({
      key: [String(at)],
      expected: { note, raw: raw(at) },
      set: { note: texts.at(-1 - at) as string },
    }))
    expect(await table.write(swap)).toEqual(texts.map(() => true))
    expect((await read()).map(({ note }) => note)).toEqual([...texts].reverse())
    const broken = table.write([{ key: ['1'], expected: {}, set: { note: '\ud800' } }])
    await expect(broken).rejects.toThrow(TypeError)
  })

  test('refuses what a column cannot hold instead of cutting or changing it', async () => {
    await pool.query(
      'create table narrow (id varchar(3) primary key, note varchar(10) character set latin1, tiny tinyint)',
    )
    await pool.query(`insert into narrow values ('abc', 'x', 1)`)
    const table = mysqlTable({ pool, table: 'narrow' })
    expect((await table.describe()).columns.map(({ width }) => width)).toEqual([3, 10, null])
    expect(await table.page({ columns: ['note'], after: ['abcd'], limit: 5 })).toEqual([])
    expect(await table.write([{ key: ['abcd'], expected: {}, set: { note: 'z' } }])).toEqual([false])
    for (const set of [{ note: 'longer than ten' }, { note: '東京' }, { tiny: '1000' }]) {
      const write = table.write([{ key: ['abc'], expected: {}, set }])
      await expect(write).rejects.toMatchObject({ code: 'ERR_TABLE', fault: 'misconfigured' })
    }
    expect(await rows('select * from narrow')).toEqual([{ id: 'abc', note: 'x', tiny: 1 }])
  })

  test('says which rows were written also where rows changed are counted instead of rows found', async () => {
    await pool.query(`create table counted (id int primary key, note text)`)
    await pool.query(`insert into counted values (1, 'same'), (2, 'old'), (3, 'theirs')`)
    const odd = mysql.createPool({ uri: server.connectionString, charset: 'utf8mb4', flags: ['-FOUND_ROWS'] })
    for (const by of [pool, odd]) {
      await pool.query(`update counted set note = 'old' where id = 2`)
      const table = mysqlTable({ pool: by, table: 'counted' })
      const made = await table.write([
        { key: ['1'], expected: { note: 'same' }, set: { note: 'same' } },
        { key: ['2'], expected: { note: 'old' }, set: { note: 'new' } },
        { key: ['3'], expected: { note: 'ours' }, set: { note: 'new' } },
      ])
      expect(made).toEqual([true, true, false])
    }
    await odd.end()
    expect((await rows('select note from counted order by id')).map(({ note }) => note)).toEqual([
      'same',
      'new',
      'theirs',
    ])
  })

  test('leaves the time of the last change to the application', async () => {
    await pool.query(`create table stamped (id int primary key, note text,
      changed timestamp(6) not null default '2020-01-01 00:00:00' on update current_timestamp(6))`)
    await pool.query(`insert into stamped (id, note) values (1, 'x')`)
    const before = await rows('select changed from stamped')
    const table = mysqlTable({ pool, table: 'stamped' })
    expect(await table.write([{ key: ['1'], expected: { note: 'x' }, set: { note: 'y' } }])).toEqual([true])
    expect(await rows('select changed from stamped')).toEqual(before)
  })

  test('gives up on rows that others hold, and writes nothing', async () => {
    await pool.query(`create table held (id int primary key, note text)`)
    await pool.query(`insert into held values (1, 'a'), (2, 'b')`)
    const other = await pool.getConnection()
    try {
      await other.query('start transaction')
      await other.query(`update held set note = 'theirs' where id = 2`)
      const table = mysqlTable({ pool, table: 'held', lockTimeoutMs: 1000 })
      const write = table.write([1, 2].map((id) => ({ key: [String(id)], expected: {}, set: { note: 'ours' } })))
      await expect(write).rejects.toMatchObject({ code: 'ERR_TABLE', fault: 'locked', retryable: true })
      await other.query('rollback')
    } finally {
      other.release()
    }
    expect(await rows('select note from held order by id')).toEqual([{ note: 'a' }, { note: 'b' }])
  })

  test('writes more than a packet of the server holds, and says when one row does not fit', async () => {
    await pool.query(`create table large (id int primary key, raw longblob)`)
    await pool.query('insert into large (id) values ?', [Array.from({ length: 40 }, (_, at) => [at])])
    const table = mysqlTable({ pool, table: 'large' })
    const change = (id: number, size: number) => ({
      key: [String(id)],
      expected: { raw: null },
      set: { raw: Buffer.alloc(size, id) },
    })
    expect(await table.write(Array.from({ length: 39 }, (_, at) => change(at, 200_000)))).not.toContain(false)
    await expect(table.write([change(39, 2_000_000)])).rejects.toMatchObject({
      code: 'ERR_TABLE',
      message: expect.stringContaining('max_allowed_packet'),
    })
    expect(await rows('select count(raw) as n from large')).toEqual([{ n: 39 }])
  })

  test('finds the rows that hold a value, in whatever type and case they hold it', async () => {
    const id = '8d5a7c3e-0000-4000-8000-00000000000a'
    await pool.query(`create table holding (id int primary key, number int, folded varchar(40), strict varchar(40) character set
      utf8mb4 collate utf8mb4_bin, raw binary(16), at datetime(3))`)
    await pool.query(
      `insert into holding values (1, 7, upper('${id}'), upper('${id}'), unhex('00'), '2026-01-01 00:00:00.500')`,
    )
    await pool.query(`insert into holding values (2, 8, 'x', 'x', unhex('00'), '2026-01-02')`)
    const table = mysqlTable({ pool, table: 'holding' })
    const found = async (equals: Record<string, string>) =>
      (await table.page({ columns: [], equals, limit: 10 })).map(({ key }) => key[0])
    expect(await found({ number: '7' })).toEqual(['1'])
    expect(await found({ folded: id })).toEqual(['1'])
    expect(await found({ strict: id, number: '7' })).toEqual(['1'])
    expect(await found({ at: '2026-01-01 00:00:00.500' })).toEqual(['1'])
    expect(await found({ strict: 'X' })).toEqual([])
    expect(await found({ raw: id })).toEqual(['1', '2'])
    expect(await found({ number: 'seven' })).not.toContain('1')
  })

  test('reads a page by the index of a key of three columns, and finds the rows of a batch by it', async () => {
    await pool.query(
      `create table wide (a int, b varchar(20) character set utf8mb4, c int, note text, primary key (a, b, c))`,
    )
    await pool.query(`insert into wide select seq % 7, concat('b', seq % 11), seq, 'x' from seq_1_to_20000`)
    await pool.query('analyze table wide')
    const plans: Record<string, unknown>[] = []
    const watched = {
      getConnection: async () => {
        const client = await pool.getConnection()
        return {
          query: (statement: MysqlStatement) => client.query(statement),
          release: () => client.release(),
          destroy: () => client.destroy(),
          execute: async (statement: MysqlStatement) => {
            if (/`wide`/.test(statement.sql)) {
              const [plan] = await client.execute({ ...statement, sql: `explain ${statement.sql}` } as never)
              plans.push(...(plan as unknown as Record<string, unknown>[]).filter((one) => one.table === 't'))
            }
            return client.execute(statement as never)
          },
        }
      },
    }
    const table = mysqlTable({ pool: watched, table: 'wide' })
    const [first, ...more] = await table.page({
      columns: ['note'],
      after: ['3', 'b4', '100'],
      until: ['5', 'b0', '1'],
      limit: 20,
    })
    expect(first?.key).toEqual(['3', 'b4', '136'])
    expect(more).toHaveLength(19)
    const change = { key: first?.key as string[], expected: { note: 'x' }, set: { note: 'y' } }
    expect(await table.write([change])).toEqual([true])
    expect(plans.map(({ type, key }) => [type, key])).toEqual([
      ['range', 'PRIMARY'],
      ['eq_ref', 'PRIMARY'],
    ])
    expect(JSON.stringify(plans)).not.toContain('filesort')
  })

  test('asks the replicas that it is told of how far they are behind, and no others', async () => {
    await pool.query('create table replicated (id int primary key)')
    const table = mysqlTable({ pool, table: 'replicated' })
    await expect(table.lag()).rejects.toMatchObject({ code: 'ERR_TABLE', message: expect.stringContaining('replicas') })
    const lonely = mysqlTable({ pool, table: 'replicated', replicas: [{ pool }] })
    await expect(lonely.lag()).rejects.toMatchObject({ fault: 'unavailable' })
  })
})
