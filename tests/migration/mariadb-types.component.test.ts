import { expect, test } from 'vitest'
import { rollbackMigration, runMigration, switchMigration } from '../../src/migration/migrate.ts'
import { planMigration } from '../../src/migration/plan.ts'
import { bigint, boolean, bytes, date, number, text } from '../../src/records/field.ts'
import { MARIADB_MISSING } from '../fixtures/mariadb.ts'
import { mariadbApp } from './app-database.ts'
import { describeTypes, type EveryType, migrationOf, moving } from './types-suite.ts'

const TYPED = migrationOf('typed', {
  single: ['f', number({ nullable: true })],
  double: ['d', number({ nullable: true })],
  large: ['big', bigint({ nullable: true })],
  isSet: ['flag', boolean({ nullable: true })],
  chosen: ['choice', text({ nullable: true })],
  hash: ['digest', bytes({ nullable: true, storage: 'binary' })],
  raw: ['raw', bytes({ nullable: true })],
  moment: ['at', date({ nullable: true })],
  seen: ['stamp', date({ nullable: true })],
  amount: ['price', text({ nullable: true })],
  code: ['padded', text({ nullable: true })],
  city: ['city', text({ nullable: true })],
})
const NOTHING = Object.fromEntries(Object.keys(TYPED.columns).map((field) => [field, null]))

const EVERY_TYPE: EveryType = {
  create: async (app) => {
    await app.query(`create table typed (id int primary key, tag varchar(9), f float, d double, big bigint unsigned, flag bit(1),
      choice enum('yes', 'no') character set utf8mb4, digest binary(4), raw varbinary(9), at datetime(3), stamp timestamp(3) null,
      price decimal(20,4), padded int(5) unsigned zerofill, city varchar(20) character set sjis, unique key pair (tag, f), key alone (d))`)
    await app.query(`insert into typed values
      (1, 'a', 0.1, 0.1e0 + 0.2e0, 18446744073709551615, b'1', 'no', 'ab', 0xff00, '2026-03-29 02:30:00.001', '2026-10-25 02:30:00.001', 1.5, 42, '東京'),
      (2, 'b', 16777216, 5e-324, 0, b'0', 'yes', 0xffffffff, '', '1000-01-01', null, -12345678901234.5678, 0, ' '),
      (3, 'c', null, null, null, null, null, null, null, null, null, null, null, null)`)
  },
  migration: TYPED,
  wanted: [
    {
      id: 1,
      single: 0.1,
      double: 0.30000000000000004,
      large: 18446744073709551615n,
      isSet: true,
      chosen: 'no',
      hash: new Uint8Array([97, 98, 0, 0]),
      raw: new Uint8Array([255, 0]),
      moment: new Date('2026-03-29T02:30:00.001Z'),
      // The application writes in the time zone of the server, +05:30.
      seen: new Date('2026-10-24T21:00:00.001Z'),
      amount: '1.5000',
      code: '00042',
      city: '東京',
    },
    {
      id: 2,
      single: 16777216,
      double: 5e-324,
      large: 0n,
      isSet: false,
      chosen: 'yes',
      hash: new Uint8Array([255, 255, 255, 255]),
      raw: new Uint8Array(),
      moment: new Date('1000-01-01T00:00:00Z'),
      seen: null,
      amount: '-12345678901234.5678',
      code: '00000',
      city: ' ',
    },
    { id: 3, ...NOTHING },
  ],
}

describeTypes('MariaDB', MARIADB_MISSING, mariadbApp, EVERY_TYPE, (the) => {
  test('sees a change that the collation takes for none, whenever it is made', async () => {
    await the().query(
      `create table named (id int primary key, name varchar(50) character set utf8mb4 collate utf8mb4_general_ci)`,
    )
    await the().query(`insert into named values (1, 'Straße'), (2, 'straße'), (3, 'Ada'), (4, 'ada'), (5, 'x')`)
    const migration = migrationOf('named', { secret: ['name', text({ nullable: true })] })
    const { parts, decrypted, close } = await moving(the().url, migration)
    const racing = {
      ...parts.table,
      write: async (...[changes, job]: Parameters<typeof parts.table.write>) => {
        await the().query(`update named set name = 'STRASSE' where id = 1`)
        await the().query(`update named set name = 'x ' where id = 5`)
        return parts.table.write(changes, job)
      },
    }
    expect(await runMigration({ ...parts, table: racing })).toMatchObject({ complete: true })
    await the().query(`update named set name = 'ADA' where id = 3`)
    expect(await the().query('select secret from named where id = 3')).toEqual([{ secret: null }])
    expect(await switchMigration(parts)).toMatchObject({ complete: true })
    expect(await decrypted()).toEqual([
      { id: 1, secret: 'STRASSE' },
      { id: 2, secret: 'straße' },
      { id: 3, secret: 'ADA' },
      { id: 4, secret: 'ada' },
      { id: 5, secret: 'x ' },
    ])
    await close()
  }, 60_000)

  test('sets aside what the old column would round, in a rollback, and keeps the encrypted value', async () => {
    await the().query('create table rounded (id int primary key, price decimal(10,2), at datetime, ratio float)')
    await the().query(
      `insert into rounded values (1, 1.5, '2026-01-01', 0.5), (2, 1.5, '2026-01-01', 0.5), (3, 1.5, '2026-01-01', 0.5), (4, 1.5, '2026-01-01', 0.5)`,
    )
    const migration = migrationOf('rounded', {
      amount: ['price', number({ nullable: true })],
      moment: ['at', date({ nullable: true })],
      share: ['ratio', number({ nullable: true })],
    })
    const { parts, cipher, decrypted, close } = await moving(the().url, migration)
    await runMigration(parts)
    await switchMigration(parts)
    const moment = new Date('2026-01-01T00:00:00.001Z')
    const changed = [
      { id: 1, amount: 1.005, moment: null, share: null },
      { id: 2, amount: 1.25, moment, share: null },
      { id: 3, amount: 1.25, moment: null, share: 0.123456789 },
    ]
    for (const row of changed) {
      const { amount, moment: at, share } = cipher.encrypt(row as never)
      await the().query('update rounded set amount = $1, moment = $2, share = $3 where id = $4', [
        amount,
        at,
        share,
        row.id,
      ])
    }
    expect(await rollbackMigration(parts)).toMatchObject({ complete: false, aside: [['1'], ['2'], ['3']] })
    expect((await decrypted()).slice(0, 3)).toEqual(changed)
    await close()
  }, 60_000)

  test('a type without an exact text is refused before anything is changed', async () => {
    await the().query('create table places (id int primary key, spot point)')
    const migration = migrationOf('places', { where: ['spot', text({ nullable: true })] })
    const { parts, close } = await moving(the().url, migration)
    const refused = {
      code: 'ERR_CONFIG',
      message: expect.stringMatching(/column spot \(point\) has no text.*copy them/),
    }
    await expect(planMigration(parts.table, migration)).rejects.toMatchObject(refused)
    await expect(runMigration(parts)).rejects.toMatchObject(refused)
    expect((await parts.table.describe()).columns).toHaveLength(2)
    await close()
  })
})
