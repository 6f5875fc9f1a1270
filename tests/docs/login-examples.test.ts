import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accounts } from '../../docs/examples/accounts.ts'
import { createExpressApp } from '../../docs/examples/express.ts'
import { createFastifyApp } from '../../docs/examples/fastify.ts'
import { usersTable } from '../../docs/examples/users.ts'
import { memoryKeyStore, memoryKms } from '../../providers/memory/index.ts'
import { argon2id, commonPasswords, openStrongroom, passwordPolicy, type Strongroom } from '../../src/index.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import { small } from '../passwords/fixtures.ts'

const GOOD = 'correct horse battery staple'
let database: TestDatabase
let pool: pg.Pool
let room: Strongroom
let storedOf: (email: string) => Promise<string>

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString })
  await pool.query(
    'create table users (id bigint generated always as identity primary key, email text unique, password_hash text)',
  )
  storedOf = async (email) =>
    (await pool.query('select password_hash from users where email = $1', [email])).rows[0].password_hash
  room = await openStrongroom(
    { name: 'login', kms: memoryKms(), store: memoryKeyStore(), passwords: argon2id(small) },
    { init: true },
  )
})
afterAll(async () => {
  await room.close()
  await pool.end()
  await database.drop()
})

function listening(framework: 'express' | 'fastify', hasher = room.passwords as ReturnType<typeof argon2id>) {
  const policy = passwordPolicy({ blocklists: [commonPasswords()] })
  const service = accounts(usersTable(pool), hasher, policy)
  if (framework === 'fastify') {
    const app = createFastifyApp(service)
    return app.listen({ port: 0, host: '127.0.0.1' }).then((url) => ({ url, close: () => app.close() }))
  }
  return new Promise<{ url: string; close(): Promise<unknown> }>((resolve) => {
    const http = createExpressApp(service).listen(0, '127.0.0.1', () =>
      resolve({
        url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
        close: () => new Promise((done) => http.close(done)),
      }),
    )
  })
}

describe.each(['express', 'fastify'] as const)('the %s example', (framework) => {
  test('signs up, logs in, changes the password, and upgrades an imported one', async () => {
    const app = await listening(framework)
    const post = async (path: string, body: unknown) => {
      const response = await fetch(app.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    }
    const email = `ada@${framework}.example`
    try {
      expect(await post('/sign-up', { email, password: 'short' })).toEqual({
        status: 422,
        body: { fault: 'too-short' },
      })
      expect(await post('/sign-up', { email, password: email.toUpperCase() })).toMatchObject({ status: 422 })
      const { body } = await post('/sign-up', { email, password: GOOD })
      expect(await storedOf(email)).toMatch(/^sr1_/)
      expect((await post('/sign-up', { email, password: GOOD })).body).toEqual({ fault: 'taken' })

      expect(await post('/login', { email, password: GOOD })).toEqual({ status: 200, body })
      const wrong = await post('/login', { email, password: 'wrong' })
      const unknown = await post('/login', { email: 'nobody@example.com', password: GOOD })
      expect(wrong).toEqual({ status: 401, body: { fault: 'wrong e-mail or password' } })
      expect(unknown).toEqual(wrong)
      for (const password of [7, null, { length: 20 }, undefined]) {
        expect((await post('/login', { email, password })).status, String(password)).toBeOneOf([400, 401])
      }

      const next = 'a different long sentence'
      expect((await post('/password', { email, old: 'wrong', next })).body).toMatchObject({ fault: 'wrong-password' })
      expect(await post('/password', { email, old: GOOD, next })).toMatchObject({ status: 200 })
      expect((await post('/login', { email, password: GOOD })).status).toBe(401)
      expect((await post('/login', { email, password: next })).status).toBe(200)

      await pool.query('insert into users (email, password_hash) values ($1, $2)', [
        `old-${email}`,
        '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=',
      ])
      expect((await post('/login', { email: `old-${email}`, password: 'password' })).status).toBe(200)
      expect(await storedOf(`old-${email}`)).toMatch(/^sr1_/)
      expect((await post('/login', { email: `old-${email}`, password: 'password' })).status).toBe(200)
    } finally {
      await app.close()
    }
  })

  test('answers 503 with Retry-After when more log in than there is memory and patience for', async () => {
    const slow = argon2id({ preset: 'owasp-minimum', admission: { concurrency: 1, queue: 1 } })
    const app = await listening(framework, slow)
    try {
      const answers = await Promise.all(
        Array.from({ length: 12 }, () =>
          fetch(`${app.url}/login`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ email: 'nobody@example.com', password: GOOD }),
          }),
        ),
      )
      const busy = answers.filter(({ status }) => status === 503)
      expect(busy.length).toBeGreaterThan(0)
      expect(answers.every(({ status }) => status === 503 || status === 401)).toBe(true)
      expect(Number(busy[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    } finally {
      await app.close()
    }
  })
})
