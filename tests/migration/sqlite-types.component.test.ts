import { expect, test } from 'vitest'
import { cleanMigration, runMigration, switchMigration } from '../../src/migration/migrate.ts'
import { bigint, boolean, bytes, date, number, text } from '../../src/records/field.ts'
import { BETTER_SQLITE3_MISSING, openNodeSqlite } from '../fixtures/sqlite.ts'
import { sqliteApp } from './app-database.ts'
import { describeTypes, type EveryType, migrationOf, moving } from './types-suite.ts'

const missing = openNodeSqlite === undefined ? BETTER_SQLITE3_MISSING : undefined

const EVERY_TYPE: EveryType = {
  create: async (app) => {
    await app.query(`create table typed (id integer primary key, r real, n numeric, i integer, flag boolean, day date, born text not null,
      raw blob, loose, name text collate nocase not null unique check (name <> ''), unique (born, id))`)
    const insert = 'insert into typed values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)'
    await app.query(insert, [
      1,
      0.1 + 0.2,
      1 / 3,
      '9223372036854775807',
      1,
      '2026-11-30',
      '1.50',
      Buffer.from([255, 0]),
      5e-324,
      'Ada',
    ])
    await app.query(insert, [
      2,
      1e21,
      '12345678901234567000',
      0,
      0,
      '1999-12-31',
      'text',
      Buffer.alloc(0),
      1e300,
      'ada ',
    ])
    await app.query(insert, [3, null, null, null, null, null, '', null, null, 'x'])
  },
  migration: migrationOf('typed', {
    real: ['r', number({ nullable: true })],
    numeric: ['n', number({ nullable: true })],
    large: ['i', bigint({ nullable: true })],
    isSet: ['flag', boolean({ nullable: true })],
    moment: ['day', date({ nullable: true })],
    remark: ['born', text()],
    raw: ['raw', bytes({ nullable: true })],
    any: ['loose', number({ nullable: true })],
    name: ['name', text()],
  }),
  wanted: [
    {
      id: 1,
      real: 0.30000000000000004,
      numeric: 1 / 3,
      large: 9223372036854775807n,
      isSet: true,
      moment: new Date('2026-11-30'),
      remark: '1.50',
      raw: new Uint8Array([255, 0]),
      any: 5e-324,
      name: 'Ada',
    },
    {
      id: 2,
      real: 1e21,
      numeric: 12345678901234567000,
      large: 0n,
      isSet: false,
      moment: new Date('1999-12-31'),
      remark: 'text',
      raw: new Uint8Array(),
      any: 1e300,
      name: 'ada ',
    },
    {
      id: 3,
      real: null,
      numeric: null,
      large: null,
      isSet: null,
      moment: null,
      remark: '',
      raw: null,
      any: null,
      name: 'x',
    },
  ],
  after: async (app) => {
    expect(
      await app.query('select typeof(r) as r, typeof(i) as i, typeof(flag) as flag from typed where id = 1'),
    ).toEqual([{ r: 'real', i: 'integer', flag: 'integer' }])
  },
}

describeTypes('SQLite', missing, sqliteApp, EVERY_TYPE, (the) => {
  test('reads a blob in a column of text, and text in one of bytes, as what they are', async () => {
    await the().query('create table loose (id integer primary key, note text, raw blob)')
    await the().query('insert into loose values (1, $1, $2)', [Buffer.from('ü'), 'text'])
    await the().query('insert into loose values (2, $1, $2)', [Buffer.from([255]), 'text'])
    await the().query(
      `insert into loose values (3, cast(x'ff61' as text), 'text'), (4, 'a', 'text'), (5, 7, 'text'), (6, null, null)`,
    )
    const migration = migrationOf('loose', {
      remark: ['note', text({ nullable: true })],
      data: ['raw', text({ nullable: true })],
    })
    const { parts, decrypted, close } = await moving(the().url, migration)
    expect(await runMigration(parts)).toMatchObject({ complete: false, aside: [['2'], ['3']] })
    await the().query('delete from loose where id in (2, 3)')
    await runMigration(parts)
    await switchMigration(parts)
    expect(await decrypted()).toEqual([
      { id: 1, remark: 'ü', data: 'text' },
      { id: 4, remark: 'a', data: 'text' },
      { id: 5, remark: '7', data: 'text' },
      { id: 6, remark: null, data: null },
    ])
    await close()
  })

  test('deletes nothing that refers to the table, when it is made anew', async () => {
    await the().query(`create table owners (id integer primary key, email text not null unique)`)
    await the().query(
      `create table pets (id integer primary key, owner integer not null references owners (id) on delete cascade)`,
    )
    await the().query(`insert into owners values (1, 'a@example.com'), (2, 'b@example.com')`)
    await the().query('insert into pets values (1, 1), (2, 2)')
    const { parts, decrypted, close } = await moving(the().url, migrationOf('owners', { email: ['email', text()] }))
    await runMigration(parts)
    await switchMigration(parts)
    expect(await cleanMigration(parts)).toMatchObject({ complete: true })
    expect(await decrypted()).toHaveLength(2)
    expect(await the().query('select id, owner from pets order by id')).toEqual([
      { id: 1, owner: 1 },
      { id: 2, owner: 2 },
    ])
    await close()
  })
})
