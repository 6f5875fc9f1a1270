import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { argon2id } from '../../src/passwords/argon2id.ts'
import { replaceHashSql, verifyAndUpgrade } from '../../src/passwords/upgrade.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import { small } from './fixtures.ts'

const OLD = '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=' // "password"
const column = { table: 'public.users', id: 'id', column: 'password "hash"' }
const sql = replaceHashSql(column)
const hasher = argon2id(small)
let database: TestDatabase
let pool: pg.Pool

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString, max: 8 })
  await pool.query('create table users (id bigint primary key, "password ""hash""" text not null)')
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const read = async (id: number) =>
  (await pool.query('select "password ""hash""" as hash from users where id = $1', [id])).rows[0]?.hash
const replace = (id: number) => async (next: string, previous: string) =>
  (await pool.query(sql, [next, id, previous])).rowCount === 1

test('an old hash is replaced at the login that proves it, once', async () => {
  await pool.query('insert into users values (1, $1)', [OLD])
  const attempt = { password: 'password', stored: OLD, replace: replace(1) }
  expect(await verifyAndUpgrade(hasher, attempt)).toEqual({ valid: true, upgrade: 'stored' })
  const stored = await read(1)
  expect(stored).toMatch(/^\$argon2id\$/)
  expect(await verifyAndUpgrade(hasher, attempt)).toEqual({ valid: true, upgrade: 'lost' })
  expect(await read(1)).toBe(stored)
  expect(await verifyAndUpgrade(hasher, { ...attempt, stored })).toEqual({ valid: true, upgrade: 'none' })
})

test('a wrong password and an unknown user replace nothing', async () => {
  const never = () => Promise.reject(new Error('not to be called'))
  expect(await verifyAndUpgrade(hasher, { password: 'x', stored: OLD, replace: never })).toEqual({
    valid: false,
    upgrade: 'none',
  })
  expect(await verifyAndUpgrade(hasher, { password: 'x', stored: undefined, replace: never })).toEqual({
    valid: false,
    upgrade: 'none',
  })
})

test('a login is good even if its upgrade cannot be written', async () => {
  const error = new Error('read-only replica')
  const attempt = { password: 'password', stored: OLD, replace: () => Promise.reject(error) }
  expect(await verifyAndUpgrade(hasher, attempt)).toEqual({ valid: true, upgrade: 'failed', error })
})

test('a password change and a rehash race, and the change wins in every order', async () => {
  const changed = await hasher.hash('the new password')
  for (let id = 100; id < 130; id++) {
    await pool.query('insert into users values ($1, $2)', [id, OLD])
    const stored = await read(id)
    const [login] = await Promise.all([
      verifyAndUpgrade(hasher, { password: 'password', stored, replace: replace(id) }),
      new Promise((resolve) => setTimeout(resolve, id % 12)).then(() =>
        pool.query('update users set "password ""hash""" = $1 where id = $2', [changed, id]),
      ),
    ])
    expect(login.valid).toBe(true)
    expect(await read(id)).toBe(changed)
  }
  // Held until after the change: the order in which a plain update would bring the old password back.
  await pool.query('insert into users values (99, $1)', [OLD])
  const late = await verifyAndUpgrade(hasher, {
    password: 'password',
    stored: OLD,
    replace: async (next, previous) => {
      await pool.query('update users set "password ""hash""" = $1 where id = 99', [changed])
      return replace(99)(next, previous)
    },
  })
  expect(late).toEqual({ valid: true, upgrade: 'lost' })
  expect(await read(99)).toBe(changed)
})

test('names are quoted, and unusable ones refused', () => {
  expect(sql).toBe('update "public"."users" set "password ""hash""" = $1 where "id" = $2 and "password ""hash""" = $3')
  for (const wrong of [
    { ...column, table: '' },
    { ...column, id: 'a\0b' },
    { ...column, table: 'a..b' },
  ]) {
    expect(() => replaceHashSql(wrong)).toThrow(/not usable/)
  }
})
