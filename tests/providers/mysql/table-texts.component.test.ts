import mysql from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mysqlTable } from '../../../providers/mysql/index.ts'
import { describeComponent } from '../../components/component.ts'
import { MARIADB_MISSING, startMariadb, type TestMariadb } from '../../fixtures/mariadb.ts'

/** What a column of a type holds, as SQL, and how it is read. */
interface Case {
  readonly type: string
  readonly cells: Readonly<Record<string, string | Uint8Array>>
  /** A text that is another value, however like it looks. */
  readonly like?: string
}

const CASES: readonly Case[] = [
  { type: 'bigint unsigned', cells: { '18446744073709551615': '18446744073709551615', '0': '0' } },
  { type: 'int(5) unsigned zerofill', cells: { '42': '00042' }, like: '42' },
  { type: 'decimal(30,10)', cells: { '12345678901234567890.0123456789': '12345678901234567890.0123456789' } },
  {
    type: 'double',
    cells: {
      '0.1e0': '0.1',
      '3e-1': '0.3',
      '0.1e0 + 0.2e0': '0.30000000000000004',
      '1.7976931348623157e308': '1.7976931348623157e308',
    },
    like: '0.10000000000000002',
  },
  {
    type: 'float',
    cells: { '0.1': '0.1', '16777216': '16777216', '3.4028235e38': '3.4028235e+38', '1.00000011920929': '1.0000001' },
    like: '0.10000002',
  },
  { type: 'bit(10)', cells: { "b'1000000001'": '513', "b'0'": '0' } },
  { type: 'bit(64)', cells: { '18446744073709551615': '18446744073709551615' } },
  { type: 'year', cells: { '2026': '2026' } },
  { type: "enum('2', '1', 'ü''x')", cells: { "'1'": '1', "'ü''x'": "ü'x" }, like: '2' },
  { type: "set('a', 'b')", cells: { "'b,a'": 'a,b', "''": '' } },
  { type: 'datetime(6)', cells: { "'2026-03-29 02:30:00.000001'": '2026-03-29 02:30:00.000001' } },
  { type: 'datetime', cells: { "'0000-00-00'": '0000-00-00 00:00:00', "'2026-02-00'": '2026-02-00 00:00:00' } },
  { type: 'date', cells: { "'0000-00-00'": '0000-00-00', "'9999-12-31'": '9999-12-31' } },
  { type: 'time(3)', cells: { "'-838:59:59.5'": '-838:59:59.500' } },
  { type: 'uuid', cells: { "'123E4567-e89b-12d3-a456-426655440000'": '123e4567-e89b-12d3-a456-426655440000' } },
  { type: 'json', cells: { "'[1.0, 1e2, true]'": '[1.0, 1e2, true]' }, like: '[1, 1e2, true]' },
  { type: 'varchar(20) character set latin1', cells: { "'Straße '": 'Straße ', '0x8081': '€\u0081' }, like: 'STRASSE' },
  { type: 'varchar(20) character set utf16', cells: { "'𝄞'": '𝄞' } },
  { type: 'char(10) character set utf8mb4', cells: { "'a '": 'a' }, like: 'a ' },
  { type: 'varchar(20) character set sjis', cells: { "'東京'": '東京' } },
  { type: 'binary(4)', cells: { "'ab'": Buffer.from('ab\0\0'), '0xff00': Buffer.from([255, 0, 0, 0]) } },
  { type: 'varbinary(4)', cells: { "'ab'": Buffer.from('ab') } },
]

describeComponent('the texts of columns on MariaDB', MARIADB_MISSING, () => {
  let server: TestMariadb
  let pool: mysql.Pool
  let made = 0
  beforeAll(async () => {
    server = await startMariadb()
    pool = mysql.createPool({ uri: server.connectionString, charset: 'utf8mb4' })
  }, 60_000)
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  test.each(CASES)('$type is read, found and written again without losing anything', async ({ type, cells, like }) => {
    const name = `texts${++made}`
    await pool.query(`create table ${name} (id int primary key, a ${type}, b ${type})`)
    for (const [at, sql] of Object.keys(cells).entries()) {
      await pool.query(`insert into ${name} (id, a) values (${at}, ${sql})`)
    }
    const table = mysqlTable({ pool, table: name })
    const wanted = Object.values(cells)
    const read = async (column: string) =>
      (await table.page({ columns: [], texts: [column], limit: 50 })).map(({ values }) => values[column])
    expect(await read('a')).toEqual(wanted)
    const change = (at: number, a: string | Uint8Array | null) => ({
      key: [String(at)],
      expected: {},
      expectedTexts: { a, b: null },
      set: { b: a },
    })
    for (const other of like === undefined ? [null] : [null, like]) {
      expect(await table.write(wanted.map((_, at) => change(at, other)))).toEqual(wanted.map(() => false))
    }
    expect(await table.write(wanted.map((text, at) => change(at, text)))).toEqual(wanted.map(() => true))
    expect(await read('b')).toEqual(wanted)
    const [same] = await pool.query(`select count(*) as n from ${name} where not (a <=> b)`)
    expect(same).toEqual([{ n: 0 }])
  })

  test('ten thousand numbers of any size are read as they are, in 64 and in 32 bits', async () => {
    await pool.query('create table many_numbers (id int primary key, d double, f float)')
    const random = new DataView(new ArrayBuffer(8))
    let state = 7
    const numbers = Array.from({ length: 10_000 }, () => {
      for (;;) {
        for (let at = 0; at < 8; at++) {
          state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
          random.setUint8(at, state >>> 24)
        }
        const [d, f] = [random.getFloat64(0), random.getFloat32(4)]
        if (Number.isFinite(d) && Number.isFinite(f) && Math.abs(f) > 1e-37 && Math.abs(f) < 3e38)
          return [d, f] as const
      }
    })
    await pool.query('insert into many_numbers values ?', [numbers.map(([d, f], at) => [at, String(d), String(f)])])
    const table = mysqlTable({ pool, table: 'many_numbers' })
    const page = await table.page({ columns: [], texts: ['d', 'f'], limit: 10_000 })
    expect(page.map(({ values }) => Number(values.d))).toEqual(numbers.map(([d]) => d))
    expect(page.map(({ values }) => Math.fround(Number(values.f)))).toEqual(numbers.map(([, f]) => f))
    const changes = page.map(({ key, values }) => ({
      key,
      expected: {},
      expectedTexts: values as Record<string, string>,
      set: values,
    }))
    expect(await table.write(changes)).not.toContain(false)
    expect(await table.page({ columns: [], texts: ['d', 'f'], limit: 10_000 })).toEqual(page)
  }, 60_000)

  test('text that is none in its character set is given as bytes, and found by them', async () => {
    await pool.query('create table broken (id int primary key, a varchar(20) character set cp1250)')
    await pool.query(`insert into broken values (1, 'ž'), (2, unhex('61819e'))`)
    const table = mysqlTable({ pool, table: 'broken' })
    const page = await table.page({ columns: [], texts: ['a'], limit: 5 })
    expect(page.map(({ values }) => values.a)).toEqual(['ž', Buffer.from('ff61819e', 'hex')])
    const change = (a: string | Uint8Array) => ({ key: ['2'], expected: {}, expectedTexts: { a }, set: { a: 'x' } })
    const [, broken] = page.map(({ values }) => values.a as string | Uint8Array)
    expect(await table.write([change('a?ž')])).toEqual([false])
    expect(await table.write([change(broken as Uint8Array)])).toEqual([true])
  })

  test('a type without a text is said to have none, and is not read as one', async () => {
    await pool.query('create table placed (id int primary key, a point)')
    const table = mysqlTable({ pool, table: 'placed' })
    const { columns } = await table.describe()
    expect(columns[1]).toMatchObject({ type: 'point', noText: expect.stringContaining('copy them') })
    await expect(table.page({ columns: [], texts: ['a'], limit: 1 })).rejects.toThrow(/has no text/)
  })
})
