import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SqliteDatabase, sqliteTable } from '../../../providers/sqlite/index.ts'
import { type SampleRow, tableConformance } from '../../../providers/testing/index.ts'
import type { TableChange } from '../../../src/table.ts'

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

  test('reads a cell of any type as what it is, finds it again, and writes it back', async () => {
    const { database, table } = made('create table cells (id integer primary key, a any, b real, c numeric, d text)')
    const insert = database.prepare('insert into cells (id, a, b, c, d) values (?, ?, ?, ?, ?)')
    const numbers = [0.1, 0.1 + 0.2, 1e300 * 1e10, 5e-324, 4, 2 ** 53, 1 / 3]
    for (const [at, number] of numbers.entries()) insert.run(at, number, number, number, 'x')
    insert.run(10, Buffer.from([0xff, 0xfe]), null, null, Buffer.from('bytes'))
    database.exec(`insert into cells values (11, 9223372036854775807, 9223372036854775807, '1.50', '1.50');
      insert into cells values (12, cast(x'6661c3' as text), 'text', '0x10', '')`)
    const cells = table('cells')
    const texts = ['a', 'b', 'c', 'd']
    const page = await cells.page({ columns: [], texts, limit: 50 })
    const read = new Map(page.map(({ key, values }) => [key[0], Object.values(values)]))
    expect(read.get('0')).toEqual(['0.1', '0.1', '0.1', 'x'])
    expect(read.get('1')).toEqual(['0.30000000000000004', '0.30000000000000004', '0.30000000000000004', 'x'])
    expect(read.get('2')).toEqual(['Infinity', 'Infinity', 'Infinity', 'x'])
    expect(read.get('3')).toEqual(['5e-324', '5e-324', '5e-324', 'x'])
    expect(read.get('4')).toEqual(['4', '4', '4', 'x'])
    expect(read.get('10')?.map((cell) => cell && Buffer.from(cell as Uint8Array))).toEqual([
      Buffer.from([0xff, 0xfe]),
      null,
      null,
      Buffer.from('bytes'),
    ])
    expect(read.get('11')).toEqual(['9223372036854775807', '9223372036854776000', '1.5', '1.50'])
    // What is no text is not mended, and is no bytes of a blob either.
    expect(read.get('12')).toEqual([Buffer.from('6661c3', 'hex'), 'text', '0x10', ''])
    const same = page.filter(({ key }) => key[0] !== '12')
    const change = ({ key, values }: (typeof page)[number]) => ({
      key,
      expected: {},
      expectedTexts: values as Record<string, string>,
      set: Object.fromEntries(Object.entries(values).filter(([, cell]) => !(cell instanceof Uint8Array))),
    })
    const before = rowsOf(database, 'select id, typeof(b) as b, typeof(c) as c, typeof(d) as d, b as number from cells')
    expect(await cells.write(same.map(change))).not.toContain(false)
    expect(await cells.page({ columns: [], texts, limit: 50 })).toEqual(page)
    expect(
      rowsOf(database, 'select id, typeof(b) as b, typeof(c) as c, typeof(d) as d, b as number from cells'),
    ).toEqual(before)
    const near = { key: ['0'], expected: {}, expectedTexts: { b: '0.10000000000000002' }, set: { d: 'y' } }
    const blob = { key: ['10'], expected: {}, expectedTexts: { d: 'bytes' }, set: { d: 'y' } }
    const mended = { key: ['12'], expected: {}, expectedTexts: { a: 'fa\ufffd' }, set: { d: 'y' } }
    expect(await cells.write([near, blob, mended])).toEqual([false, false, false])
  })

  test('makes a table anew where a constraint of its declaration is about a column, and loses nothing else', async () => {
    const { database, table } = made(
      'create table parent (id integer primary key)',
      `create table anew (id integer primary key autoincrement, -- the number
        email text not null collate nocase unique, phone text not null default '-' check (phone <> ''),
        parent int references parent (id), twice int generated always as (id * 2), unique (email, phone), check (length(email) > 1))`,
      'create table child (id integer primary key, of int references anew (id) on delete cascade)',
      'create index anew_phone on anew (phone) where phone > 1',
      'create table log (text)',
      'create trigger logged after delete on anew begin insert into log values (old.phone); end',
      'create view seen as select id, phone from anew',
      `insert into parent values (1); insert into anew (id, email, phone, parent) values (3, 'a@b', '1', 1), (9, 'b@b', '2', 1)`,
      'delete from anew where id = 9',
      'insert into child values (1, 3)',
    )
    const anew = table('anew')
    const before = rowsOf(database, 'select id, phone, parent, twice from anew')
    const run = async (change: TableChange) => anew.run(await anew.changeSql(change))
    await run({ kind: 'drop-column', column: 'email' })
    await run({ kind: 'drop-column', column: 'email' })
    expect(rowsOf(database, 'select id, phone, parent, twice from anew')).toEqual(before)
    expect(rowsOf(database, 'select * from child')).toEqual([{ id: 1, of: 3 }])
    expect(rowsOf(database, 'select * from seen')).toEqual([{ id: 3, phone: '1' }])
    expect(rowsOf(database, 'pragma foreign_key_check')).toEqual([])
    const kept = rowsOf(
      database,
      `select name from sqlite_master where tbl_name = 'anew' and name not like 'sqlite_%' order by 1`,
    )
    expect(kept.map(({ name }) => name)).toEqual(['anew', 'anew_phone', 'logged'])
    database.exec(`insert into anew (phone, parent) values ('3', 1)`)
    expect(rowsOf(database, 'select max(id) as id from anew')).toEqual([{ id: 10 }])
    database.exec('delete from anew where id = 10')
    expect(rowsOf(database, 'select * from log')).toEqual([{ text: '2' }, { text: '3' }])
    expect(rowsOf(database, 'pragma foreign_keys')).toEqual(rowsOf(opened().database, 'pragma foreign_keys'))
    expect(rowsOf(database, 'pragma legacy_alter_table')).toEqual([{ legacy_alter_table: 0 }])
    await run({ kind: 'drop-column', column: 'parent' })
    expect((await anew.describe()).columns.map(({ name }) => name)).toEqual(['id', 'phone', 'twice'])
  })

  test('lets a column be null, or not, also where SQLite cannot by itself', async () => {
    const { database } = made(
      `create table "we""ird" (id text primary key, a int not null, b text) without rowid`,
      `insert into "we""ird" values ('x', 1, 'y')`,
    )
    // As the driver of an older SQLite would say.
    const older: SqliteDatabase = {
      exec: (sql) => database.exec(sql),
      close: () => {},
      prepare: (sql) => database.prepare(sql.replace('sqlite_version()', `'3.37.0'`)),
    }
    const weird = sqliteTable({ database: older, table: 'WE"ird' })
    const nullable = async () => (await weird.describe()).columns.map((column) => column.nullable)
    await weird.run(await weird.changeSql({ kind: 'allow-null', column: 'a' }))
    expect(await nullable()).toEqual([false, true, true])
    await weird.run(await weird.changeSql({ kind: 'refuse-null', column: 'b' }))
    expect(await nullable()).toEqual([false, true, false])
    expect(await weird.changeSql({ kind: 'refuse-null', column: 'b' })).toEqual([])
    expect(rowsOf(database, 'select * from "we""ird"')).toEqual([{ id: 'x', a: 1, b: 'y' }])
    const [made_] = rowsOf(database, `select name from sqlite_master where type = 'table'`)
    expect(made_).toEqual({ name: 'we"ird' })
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
