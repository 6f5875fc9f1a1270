import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../../src/cli/program.ts'
import { capture } from '../cli/capture.ts'
import { projectRoot } from '../docs/markdown.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'

const EXAMPLE = `${projectRoot}docs/examples/customer-service`
const CONFIG = ['--config', `${EXAMPLE}/strongroom.config.ts`]
const PASSWORD = 'correct horse battery staple'
const WRONG = { status: 401, body: { fault: 'wrong e-mail or password' } }
/** Twice what the configuration says that a process may not know of a rotation. */
const REFRESH_MS = 1000

const ada = { name: 'Canary Lovelace', email: 'Canary@Analytical.example', notes: 'canary: calls in the evening' }
const alan = { name: 'Canary Turing', email: 'turing@bombe.example', notes: null }

let database: TestDatabase
let pool: pg.Pool
let folder: string
let app: ChildProcess
let url: string
let acme: string
let globex: string
let adaId: string

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString })
  await pool.query(readFileSync(`${EXAMPLE}/schema.sql`, 'utf8'))
  folder = mkdtempSync(join(tmpdir(), 'strongroom-example-'))
  Object.assign(process.env, environment())
  expect(await strongroom('init', '--dir', folder, '--no-passphrase')).toMatchObject({ code: 0 })
  app = spawn(process.execPath, ['--import', 'tsx', `${EXAMPLE}/main.ts`], {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface({ input: app.stdout as NonNullable<ChildProcess['stdout']> }), 'line')
  url = String(line).replace('listening on ', '')
  ;[acme, globex] = await Promise.all([signedUp('boss@acme.example'), signedUp('boss@globex.example')])
  adaId = await added(acme, ada)
  await added(globex, alan)
})
afterAll(async () => {
  app.kill('SIGKILL')
  for (const name of Object.keys(environment())) delete process.env[name]
  await pool.end()
  await database.drop()
  rmSync(folder, { recursive: true, force: true })
})

const environment = () => ({
  DATABASE_URL: database.connectionString,
  STRONGROOM_KEY_FILE: join(folder, 'strongroom.key'),
  PORT: '0',
})

/** The command line, in another process than the service. */
async function strongroom(...args: string[]) {
  const { streams, written } = capture()
  return { code: await run([...args, ...CONFIG], streams), ...written }
}

async function call(method: string, path: string, { token, body }: { token?: string; body?: unknown } = {}) {
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}
const login = (email: string, password: string) => call('POST', '/login', { body: { email, password } })
const search = (token: string, email: string) =>
  call('GET', `/customers?email=${encodeURIComponent(email)}`, { token }).then(({ body }) => body)

async function signedUp(email: string): Promise<string> {
  expect(await call('POST', '/sign-up', { body: { email, password: PASSWORD } })).toMatchObject({ status: 201 })
  return (await login(email, PASSWORD)).body.token
}
async function added(token: string, customer: object): Promise<string> {
  const { status, body } = await call('POST', '/customers', { token, body: customer })
  expect(status).toBe(201)
  return body.id
}
/** A customer as the service has it. */
const theirs = (customer: object) => ({ id: expect.any(String), ...customer })

describe('the example of a customer service', () => {
  test('refuses a weak password, an e-mail that is taken however it is written, and what fits no route', async () => {
    const signUp = (body: object) => call('POST', '/sign-up', { body })
    const email = 'new@acme.example'
    expect(await signUp({ email, password: 'short' })).toEqual({ status: 422, body: { fault: 'too-short' } })
    expect(await signUp({ email: 'Boss@ACME.example', password: PASSWORD })).toEqual({
      status: 422,
      body: { fault: 'taken' },
    })
    for (const body of [
      { email },
      { email, password: 7 },
      { email: 'x', password: PASSWORD },
      { email, password: PASSWORD, tenant: 'acme' },
    ])
      expect((await signUp(body)).status).toBe(400)
    expect((await call('POST', '/customers', { token: acme, body: { ...ada, name: '' } })).status).toBe(400)
    expect((await call('GET', '/customers/1', { token: acme })).status).toBe(400)
  })

  test('lets two who sign up with one e-mail at the same moment make one account', async () => {
    const body = { email: 'twice@acme.example', password: PASSWORD }
    const answers = await Promise.all([1, 2].map(() => call('POST', '/sign-up', { body })))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 422])
  })

  test('answers a wrong password and an unknown e-mail alike', async () => {
    expect(await login('boss@acme.example', 'a wrong password')).toEqual(WRONG)
    expect(await login('nobody@acme.example', PASSWORD)).toEqual(WRONG)
  })

  test('replaces an imported hash at the login, by one that is peppered', async () => {
    await signedUp('imported@acme.example')
    const newest = 'select id from accounts order by id desc limit 1'
    const password_hash = "'{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='" // of "password"
    const { rows } = await pool.query(
      `update accounts set password_hash = ${password_hash} where id = (${newest}) returning id`,
    )
    expect(await login('imported@acme.example', 'password')).toMatchObject({ status: 200 })
    const stored = await pool.query('select password_hash from accounts where id = $1', [rows[0].id])
    expect(stored.rows[0].password_hash).toMatch(/^sr1_/)
    expect(await login('imported@acme.example', 'password')).toMatchObject({ status: 200 })
  })

  test('lets nobody in without a token that was given out', async () => {
    const unknown = 'x'.repeat(43)
    for (const access of [{}, { token: unknown }])
      for (const path of [`/customers/${adaId}`, '/customers?email=a@b.example', '/export'])
        expect(await call('GET', path, access)).toEqual({ status: 401, body: { fault: 'log in first' } })
  })

  test('finds a customer by e-mail, however it is written, and by the new one once it is changed', async () => {
    const id = await added(acme, { ...ada, email: 'old@example.com' })
    expect(await search(acme, 'canary@ANALYTICAL.example')).toEqual([theirs(ada)])
    expect((await call('PATCH', `/customers/${id}`, { token: acme, body: { email: 'new@example.com' } })).status).toBe(
      204,
    )
    expect(await search(acme, 'old@example.com')).toEqual([])
    expect(await search(acme, 'new@example.com')).toEqual([{ ...ada, id, email: 'new@example.com' }])
  })

  test('lets no tenant read, find or change customers of another', async () => {
    const path = `/customers/${adaId}`
    expect(await call('GET', path, { token: acme })).toEqual({ status: 200, body: { id: adaId, ...ada } })
    expect((await call('GET', path, { token: globex })).status).toBe(404)
    expect((await call('PATCH', path, { token: globex, body: { name: 'x' } })).status).toBe(404)
    expect(await search(globex, ada.email)).toEqual([])
    expect(await search(globex, alan.email)).toEqual([theirs(alan)])
    expect(await call('GET', path, { token: acme })).toEqual({ status: 200, body: { id: adaId, ...ada } })
  })

  test('keeps nothing in the database that can be read there', async () => {
    const tables = ['accounts', 'sessions', 'customers', 'strongroom_keys', 'strongroom_keys_log']
    const dumps = await Promise.all(tables.map((name) => pool.query(`select t::text as row from ${name} as t`)))
    const dump = dumps.flatMap(({ rows }) => rows.map(({ row }) => row)).join('\n')
    expect(dump).toContain(adaId)
    expect(dump).not.toMatch(/canary|evening|turing|acme\.example|correct horse|argon2/i)
    for (const token of [acme, globex]) expect(dump).not.toContain(token)
  })

  test('exports the customers of one tenant, sealed under its name', async () => {
    const sealed = join(folder, 'customers.sr')
    const response = await fetch(`${url}/export`, { headers: { authorization: `Bearer ${globex}` } })
    writeFileSync(sealed, Buffer.from(await response.arrayBuffer()))
    expect(readFileSync(sealed, 'latin1')).not.toContain('Canary')
    const { rows } = await pool.query('select distinct tenant from customers')
    const opened = await Promise.all(
      rows.map(async ({ tenant }) => {
        const out = join(folder, `${tenant}.jsonl`)
        const { code } = await strongroom('open', sealed, '-o', out, '--context', 'kind=customers', `tenant=${tenant}`)
        return code === 0 ? [JSON.parse(readFileSync(out, 'utf8'))] : []
      }),
    )
    expect(opened.flat()).toEqual([theirs(alan)])
  })

  test('goes on serving while its keys rotate, and no row is left under an old one', { timeout: 60_000 }, async () => {
    const old = JSON.parse((await strongroom('keys', 'list', '--state', 'active', '--json')).stdout)
    const traffic = startTraffic()
    expect(await strongroom('rotate', '--all')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/rotated \d+ keys/),
    })
    expect(await strongroom('rotate', '--purpose', 'index', '--all')).toMatchObject({ code: 0 })
    await sleep(REFRESH_MS)
    expect(await strongroom('reencrypt')).toMatchObject({ code: 0 })
    const emails = await traffic.end()

    expect(emails.length).toBeGreaterThanOrEqual(ENOUGH)
    expect(await strongroom('census', '--check')).toMatchObject({ code: 0 })
    const [key] = old.filter(
      ({ purpose, scope }: Record<string, string>) => purpose === 'data' && scope !== 'the empty scope',
    )
    expect(await strongroom('retire', key.id, '--check')).toMatchObject({ code: 0 })
    const found = await Promise.all(emails.map((email) => search(acme, email)))
    expect(found).toEqual(emails.map((email) => [theirs({ ...ada, email })]))
    expect(await search(acme, ada.email)).toEqual([{ ...ada, id: adaId }])
    expect(await search(globex, alan.email)).toEqual([theirs(alan)])
    expect(await login('boss@acme.example', PASSWORD)).toMatchObject({ status: 200 })
  })

  test('stops when it is told to, behind what it was asked', async () => {
    app.kill('SIGTERM')
    expect(await once(app, 'exit')).toEqual([0, null])
  })
})

const ENOUGH = 10

/** Adds customers and finds them again, one after another, until it is told to end, and at least so many. */
function startTraffic() {
  const emails: string[] = []
  let going = true
  const work = async () => {
    while (going || emails.length < ENOUGH) {
      const email = `${emails.length}@traffic.example`
      await added(acme, { ...ada, email })
      expect(await search(acme, email)).toEqual([theirs({ ...ada, email })])
      emails.push(email)
      await sleep(50)
    }
    return emails
  }
  const done = work()
  return {
    end: () => {
      going = false
      return done
    },
  }
}
