import pg from 'pg'
import { postgresTable } from 'strongroom/postgres'
import { type SampleRow, tableConformance } from 'strongroom/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../fixtures/postgres-database.ts'

let database: TestDatabase
let pool: pg.Pool

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

let made = 0

describe('postgresTable', () => {
  const cases = tableConformance(async () => {
    const schema = `s${++made}`
    await pool.query(`create schema ${schema}; create table ${schema}."People" (
      id text not null, note text, raw bytea, born date, tenant integer not null, primary key (tenant, id))`)
    const open = () => postgresTable({ connectionString: database.connectionString, table: `${schema}.People` })
    const [table, second] = [open(), open()]
    return {
      table,
      second,
      insert: async (rows) => {
        await pool.query(
          `insert into ${schema}."People" select * from unnest($1::text[], $2::text[], $3::bytea[], $4::date[], $5::int[])`,
          [
            rows.map((r) => r.id),
            rows.map((r) => r.note),
            rows.map((r) => r.raw),
            rows.map((r) => r.born),
            rows.map((r) => r.tenant),
          ],
        )
      },
      rows: async () => {
        const { rows } = await pool.query(
          `select tenant, id, note, raw, born::text as born from ${schema}."People" order by tenant, id`,
        )
        return rows as SampleRow[]
      },
      close: async () => {
        await Promise.all([table.close?.(), second.close?.()])
      },
    }
  })
  for (const { name, run } of cases) test(name, run)

  test('refuses a table whose policies hide rows, because what it cannot see would count as done', async () => {
    await pool.query(`create role policed login; create table policed (id int primary key, note text);
      insert into policed values (1, 'a'); alter table policed owner to policed; alter table policed enable row level security;
      alter table policed force row level security`)
    const url = new URL(database.connectionString)
    url.username = 'policed'
    const table = postgresTable({ connectionString: url.href, table: 'policed' })
    const refused = {
      code: 'ERR_TABLE',
      fault: 'misconfigured',
      message: expect.stringContaining('row level security'),
    }
    await expect(table.describe()).rejects.toMatchObject(refused)
    await expect(table.page({ columns: ['note'], limit: 10 })).rejects.toMatchObject(refused)
    await table.close?.()
  })

  test('compares by bytes where the collation of a column takes two texts for one', async () => {
    await pool.query(`create collation folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table named (id int primary key, name text collate folded, sealed text);
      insert into named values (1, 'Bob', 'x'), (2, 'Bob', 'x')`)
    const table = postgresTable({ pool, table: 'named' })
    const change = { key: ['1'], set: { sealed: 'y' } }
    expect(await table.write([{ ...change, expected: { name: 'bob' } }])).toEqual([false])
    expect(await table.write([{ ...change, expected: {}, expectedTexts: { name: 'bob' } }])).toEqual([false])
    expect(await table.write([{ ...change, expected: { name: 'Bob' } }])).toEqual([true])
    const guard = { name: 'named_guard', watched: [{ source: 'name', derived: ['sealed'] }] }
    await table.run(await table.changeSql({ kind: 'guard', guard }))
    await pool.query(`update named set name = 'bob' where id = 2`)
    expect((await pool.query('select sealed from named where id = 2')).rows).toEqual([{ sealed: null }])
  })

  test('refuses a table that does not exist, or has no primary key', async () => {
    await pool.query('create table keyless (note text)')
    const table = (name: string) => postgresTable({ pool, table: name })
    await expect(table('nowhere').describe()).rejects.toMatchObject({ code: 'ERR_TABLE', fault: 'misconfigured' })
    await expect(table('keyless').describe()).rejects.toMatchObject({ code: 'ERR_TABLE', fault: 'misconfigured' })
    expect(() => table('a.b.c')).toThrow(TypeError)
    expect(() => postgresTable({ table: 'people' })).toThrow(TypeError)
  })

  test('keeps names safe that hold quotes', async () => {
    await pool.query('create table "we""ird" (id uuid primary key, "n""ote" text)')
    await pool.query(`insert into "we""ird" values ('8d5a7c3e-0000-4000-8000-000000000001', 'x')`)
    const table = postgresTable({ pool, table: 'we"ird' })
    expect(await table.page({ columns: ['n"ote'], limit: 5 })).toEqual([
      { key: ['8d5a7c3e-0000-4000-8000-000000000001'], values: { 'n"ote': 'x' } },
    ])
    expect((await table.describe()).columns.map(({ type }) => type)).toEqual(['uuid', 'text'])
  })

  test('says which columns have a width, and does not cut keys to one', async () => {
    await pool.query('create table narrow (id varchar(3) primary key, note varchar(10), code char(4))')
    await pool.query(`insert into narrow values ('abc', 'x', 'y')`)
    const table = postgresTable({ pool, table: 'narrow' })
    expect((await table.describe()).columns.map(({ width }) => width)).toEqual([3, 10, 4])
    expect(await table.page({ columns: ['note'], after: ['abcd'], limit: 5 })).toEqual([])
    expect(await table.write([{ key: ['abcd'], expected: {}, set: { note: 'z' } }])).toEqual([false])
    const tooLong = table.write([{ key: ['abc'], expected: { note: 'x' }, set: { note: 'longer than ten' } }])
    await expect(tooLong).rejects.toMatchObject({ code: 'ERR_TABLE', fault: 'misconfigured' })
    expect(await table.page({ columns: ['note'], limit: 5 })).toEqual([{ key: ['abc'], values: { note: 'x' } }])
  })

  test('finds rows by a key of one column, of any type, and of an array', async () => {
    await pool.query(
      `create domain positive as int check (value > 0); create type mood as enum ('happy', 'sad, and "quoted"')`,
    )
    const keys: Readonly<Record<string, readonly string[]>> = {
      bigint: ['-9223372036854775808', '7'],
      numeric: ['1.50', '-0.000001'],
      uuid: ['8d5a7c3e-0000-4000-8000-000000000001', '8d5a7c3e-0000-4000-8000-000000000002'],
      'varchar(5)': ['a,b', '{"\\}'],
      'char(3)': ['a', 'ü'],
      bytea: ['\\x00ff', '\\x'],
      date: ['2026-11-27', '0001-01-01 BC'],
      timestamptz: ['2026-11-27 10:00:00.123456+00', 'infinity'],
      positive: ['1', '2'],
      mood: ['happy', 'sad, and "quoted"'],
      'int[]': ['{1,2}', '{}'],
      boolean: ['true', 'false'],
    }
    for (const [type, texts] of Object.entries(keys)) {
      await pool.query(`drop table if exists keyed; create table keyed (id ${type} primary key, note text)`)
      for (const text of texts) await pool.query('insert into keyed values ($1, $2)', [text, text])
      const table = postgresTable({ pool, table: 'keyed' })
      const page = await table.page({ columns: ['note'], limit: 10 })
      const changes = page.map(({ key, values }) => ({ key, expected: { note: values.note }, set: { note: 'seen' } }))
      const [first, second] = changes as [(typeof changes)[number], (typeof changes)[number]]
      const other = { ...first, expected: { note: 'something else' } }
      expect({ type, made: await table.write([other, second]) }).toEqual({ type, made: [false, true] })
      expect({ type, made: await table.write([second, first]) }).toEqual({ type, made: [false, true] })
    }
  })

  test('gives up on rows that others hold, and writes nothing', async () => {
    await pool.query(`create table held (id int primary key, note text); insert into held values (1, 'a'), (2, 'b')`)
    const other = await pool.connect()
    try {
      await other.query('begin')
      await other.query(`update held set note = 'theirs' where id = 2`)
      const table = postgresTable({ pool, table: 'held', lockTimeoutMs: 50 })
      const write = table.write([1, 2].map((id) => ({ key: [String(id)], expected: {}, set: { note: 'ours' } })))
      await expect(write).rejects.toMatchObject({ code: 'ERR_TABLE', fault: 'locked', retryable: true })
      await other.query('rollback')
    } finally {
      other.release()
    }
    expect((await pool.query('select note from held order by id')).rows).toEqual([{ note: 'a' }, { note: 'b' }])
  })
})
