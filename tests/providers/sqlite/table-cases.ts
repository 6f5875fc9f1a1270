import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SqliteDatabase, sqliteTable } from '../../../providers/sqlite/index.ts'
import { type SampleRow, tableConformance } from '../../../providers/testing/index.ts'

/** What a table in SQLite promises, whichever driver opens the file. */
export function testTable(openFile: (path: string) => SqliteDatabase): void {
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
    const database = openFile(path)
    databases.push(database)
    return { database, path }
  }
  function made(...statements: readonly string[]) {
    const { database } = opened()
    for (const statement of statements) database.exec(statement)
    return { database, table: (name: string) => sqliteTable({ database, table: name }) }
  }
  const rowsOf = (database: SqliteDatabase, sql: string) =>
    (database.prepare(sql).all() as object[]).map((row) => ({ ...row }) as Record<string, unknown>)

  const cases = tableConformance(async () => {
    const { database, path } = opened()
    database.exec(`pragma journal_mode = wal; create table "People" (id text not null collate nocase, note text collate nocase,
      raw blob, born date, tenant integer not null, primary key (tenant, id collate binary))`)
    const table = sqliteTable({ database, table: 'People' })
    const second = sqliteTable({ database: opened(path).database, table: 'people' })
    return {
      table,
      second,
      insert: async (rows) => {
        const statement = database.prepare('insert into People (id, note, raw, born, tenant) values (?, ?, ?, ?, ?)')
        database.exec('begin')
        for (const { id, note, raw, born, tenant } of rows) statement.run(id, note, raw, born, tenant)
        database.exec('commit')
      },
      rows: async () =>
        rowsOf(database, 'select * from People order by tenant, id collate binary') as unknown as SampleRow[],
    }
  })
  for (const { name, run } of cases) test(name, run)

  test('refuses a table that does not exist, has no primary key, or rows without one', async () => {
    const { table } = made(
      'create table keyless (note text)',
      'create table empty (id text primary key, note text); insert into empty values (null, 1)',
      'create view seen as select 1 as id',
    )
    for (const name of ['nowhere', 'keyless', 'empty', 'seen']) {
      await expect(table(name).describe(), name).rejects.toMatchObject({ code: 'ERR_TABLE', fault: 'misconfigured' })
    }
    expect(() => table('a.b.c')).toThrow(TypeError)
    expect(() => sqliteTable({ table: 'people' })).toThrow(TypeError)
  })

  test('refuses a key of another type than that of its column, which no text would find again', async () => {
    const { table } = made(
      'create table mixed (id blob primary key, note text)',
      `insert into mixed values (x'00ff', 'bytes'), ('00FF', 'text')`,
      'create table real (id real primary key, note text); insert into real values (0.1, 1)',
    )
    for (const name of ['mixed', 'real']) {
      const page = table(name).page({ columns: ['note'], limit: 5 })
      await expect(page, name).rejects.toMatchObject({ code: 'ERR_TABLE', fault: 'misconfigured' })
    }
  })

  test('keeps names safe that hold quotes, and tables of an attached database apart', async () => {
    const { database, table } = made(
      `create table "we""ird" (id blob primary key, "n""ote" text) without rowid`,
      `insert into "we""ird" values (x'8d5a', 'x')`,
      `attach ':memory:' as other`,
      'create table other.people (id integer primary key, note text)',
      `insert into other.people values (1, 'theirs')`,
    )
    const change = { key: ['8D5A'], expected: { 'n"ote': 'x' }, set: { 'n"ote': `'"` } }
    expect(await table('we"ird').page({ columns: ['n"ote'], limit: 5 })).toEqual([
      { key: ['8D5A'], values: { 'n"ote': 'x' } },
    ])
    expect(await table('we"ird').write([change])).toEqual([true])
    const people = table('other.people')
    await people.jobs.create()
    expect(await people.page({ columns: ['note'], limit: 5 })).toEqual([{ key: ['1'], values: { note: 'theirs' } }])
    expect(rowsOf(database, `select name from other.sqlite_master where type = 'table' order by name`)).toEqual([
      { name: 'people' },
      { name: 'strongroom_jobs' },
    ])
  })

  test('pages and writes by numbers beyond 2^53', async () => {
    const ids = ['-9223372036854775808', '-1', '9007199254740993', '9223372036854775807']
    const { table } = made(
      'create table large (id integer primary key, note text)',
      `insert into large values ${ids.map((id) => `(${id}, 'old')`).join(', ')}`,
    )
    const large = table('large')
    const seen: string[] = []
    for (let after: readonly string[] | undefined; ; ) {
      const [row] = await large.page({ columns: ['note', 'id'], limit: 1, ...(after && { after }) })
      if (row === undefined) break
      seen.push(row.key[0] as string)
      expect(row.values.id).toBe(row.key[0])
      after = row.key
    }
    expect(seen).toEqual(ids)
    const changes = ids.map((id) => ({ key: [id], expected: { note: 'old' }, set: { note: 'new' } }))
    expect(await large.write(changes)).toEqual(ids.map(() => true))
  })

  test('compares values by type and byte for byte, and writes any text and bytes unchanged', async () => {
    const texts = ['', ' ', `"\\'\u0001\u007f`, '東京 🔑 e\u0301', '123', '1e3', 'null']
    const { database, table } = made('create table odd (id integer primary key, note text, raw blob)')
    database.exec(`insert into odd (id) values ${texts.map((_, at) => `(${at})`).join(', ')}`)
    const odd = table('odd')
    const raw = (at: number) => Buffer.from([...Array(at)].map((_, byte) => (byte * 37) % 256))
    const made_ = await odd.write(
      texts.map((note, at) => ({
        key: [String(at)],
        expected: { note: null, raw: null },
        set: { note, raw: raw(at) },
      })),
    )
    expect(made_).not.toContain(false)
    const page = await odd.page({ columns: ['note', 'raw'], limit: 50 })
    expect(page.map(({ values }) => values.note)).toEqual(texts)
    expect(page.map(({ values }) => Buffer.from(values.raw as Uint8Array))).toEqual(texts.map((_, at) => raw(at)))
    database.exec(`update odd set note = x'313233' where id = 4`)
    expect(await odd.write([{ key: ['4'], expected: { note: '123' }, set: { note: 'x' } }])).toEqual([false])
    await expect(odd.write([{ key: ['1'], expected: {}, set: { note: '\ud800' } }])).rejects.toThrow(TypeError)
    const counts = await odd.countHeads({ column: 'note', prefix: '1', length: 2 })
    expect(new Map(counts.map(({ head, rows }) => [head, rows]))).toEqual(
      new Map([
        ['1e', 1],
        ['', 6],
      ]),
    )
  })

  test('says of its columns what they hold, and knows no widths', async () => {
    const { table } = made(
      'create table typed (id integer primary key, a varchar(3), b blob, c varbinary(9), d date, e, f text not null)',
      'create unique index part on typed (a) where b is null; create unique index whole on typed (a, f)',
    )
    const { columns, indexes, bytes } = await table('typed').describe()
    expect(columns.map(({ holds, width, nullable }) => [holds, width, nullable])).toEqual([
      ['other', null, false],
      ['text', null, true],
      ['bytes', null, true],
      ['bytes', null, true],
      ['other', null, true],
      ['other', null, true],
      ['text', null, false],
    ])
    expect(indexes).toContainEqual({ name: 'part', columns: ['a'], unique: false })
    expect(indexes).toContainEqual({ name: 'whole', columns: ['a', 'f'], unique: true })
    expect(bytes).toBeGreaterThan(0)
  })

  test('finds the rows that hold a value, and maybe others', async () => {
    const id = '8d5a7c3e-0000-4000-8000-00000000000a'
    const { table } = made(
      'create table holding (id integer primary key, number integer, name text, raw blob)',
      `insert into holding values (1, 7, upper('${id}'), x'00'), (2, 8, 'x', x'00')`,
    )
    const found = async (equals: Record<string, string>) =>
      (await table('holding').page({ columns: [], equals, limit: 10 })).map(({ key }) => key[0])
    expect(await found({ number: '7' })).toEqual(['1'])
    expect(await found({ name: id, number: '7' })).toEqual(['1'])
    expect(await found({ name: 'X' })).toEqual([])
    expect(await found({ raw: id })).toEqual(['1', '2'])
  })

  test('gives up on a file that another holds, and writes nothing', async () => {
    const { database, path } = opened()
    database.exec(`create table held (id integer primary key, note text); insert into held values (1, 'a'), (2, 'b')`)
    const { database: other } = opened(path)
    other.exec('begin immediate')
    const table = sqliteTable({ database, table: 'held', lockTimeoutMs: 50 })
    const write = table.write([1, 2].map((id) => ({ key: [String(id)], expected: {}, set: { note: 'ours' } })))
    await expect(write).rejects.toMatchObject({ code: 'ERR_TABLE', fault: 'locked', retryable: true })
    other.exec('rollback')
    expect(rowsOf(database, 'select note from held')).toEqual([{ note: 'a' }, { note: 'b' }])
  })

  test('reads a page of a key of two columns by its index, and finds the rows of a batch by it', async () => {
    const { database } = made(
      'create table wide (a integer, b text, note text, primary key (a, b))',
      `insert into wide with recursive n(n) as (select 1 union all select n + 1 from n where n < 5000)
        select n % 7, 'b' || n, 'x' from n`,
    )
    const plans: string[] = []
    const watched: SqliteDatabase = {
      exec: (sql) => database.exec(sql),
      close: () => {},
      prepare: (sql) => {
        if (/^(select "?t|select case|update "wide")/.test(sql)) {
          const values = Array.from({ length: (sql.match(/\?/g) ?? []).length }, () => '1')
          plans.push(JSON.stringify(database.prepare(`explain query plan ${sql}`).all(...values)))
        }
        return database.prepare(sql)
      },
    }
    const table = sqliteTable({ database: watched, table: 'wide' })
    const [first] = await table.page({ columns: ['note'], after: ['3', 'b4'], until: ['5', 'b0'], limit: 20 })
    await table.write([{ key: first?.key as string[], expected: { note: 'x' }, set: { note: 'y' } }])
    expect(plans).toHaveLength(2)
    for (const plan of plans) expect(plan).toMatch(/SEARCH t USING INDEX/)
    expect(plans.join()).not.toContain('TEMP B-TREE')
  })
}
