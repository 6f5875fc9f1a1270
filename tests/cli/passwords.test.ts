import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createKeyStoreFile, fileKeyStore } from '../../providers/file/index.ts'
import { rawAes } from '../../providers/raw/index.ts'
import { run } from '../../src/cli/program.ts'
import { argon2id } from '../../src/passwords/argon2id.ts'
import { rawDigest } from '../../src/passwords/legacy/raw-digest.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import { capture } from './capture.ts'

const hex = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('hex')
const ssha = (password: string) => `{SHA}${createHash('sha1').update(password).digest('base64')}`
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
beforeEach(async () => {
  await pool.query('drop table if exists users')
  await pool.query('create table users (id uuid primary key default gen_random_uuid(), name text, password_hash text)')
})

async function strongroom(...args: string[]) {
  const { streams, written } = capture({ env: { DATABASE_URL: database.connectionString } })
  const code = await run(['passwords', ...args], streams)
  return { code, ...written }
}
const insert = (name: string, stored: string | null) =>
  pool.query('insert into users (name, password_hash) values ($1, $2)', [name, stored])
const storedOf = async (name: string): Promise<string> =>
  (await pool.query('select password_hash from users where name = $1', [name])).rows[0].password_hash

async function fill() {
  const strong = await argon2id().hash('ada')
  await insert('ada', strong)
  await insert('bob', ssha('bob'))
  await insert('eve', ssha('eve'))
  await insert('cat', '$2b$04$abcdefghijklmnopqrstuu5s5/a/SjKXbNPcE0BbLZKO1jpKGUEgi')
  await insert('dan', '!unusable')
  await insert('fay', null)
  await insert('gil', 'nonsense')
  return strong
}

test('audit counts the stored passwords by scheme and cost, and writes nothing', async () => {
  await fill()
  const before = (await pool.query('select * from users order by id')).rows
  const { code, stdout } = await strongroom('audit', '--table', 'users', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    rows: 7,
    withoutPassword: 1,
    belowFloor: 3,
    wrapped: 0,
    peppered: 0,
    unusable: 1,
    unreadable: 1,
    schemes: expect.arrayContaining([
      { scheme: 'ldap-sha', cost: '', wrapped: false, belowFloor: true, count: 2 },
      { scheme: 'bcrypt', cost: 'cost=4', wrapped: false, belowFloor: true, count: 1 },
      { scheme: 'argon2id', cost: 'm=65536,t=3,p=1', wrapped: false, belowFloor: false, count: 1 },
    ]),
  })
  expect((await pool.query('select * from users order by id')).rows).toEqual(before)
})

test('audit prints a table for people, and with --check ends with 1 while any hash is weak', async () => {
  await fill()
  const weak = await strongroom('audit', '--table', 'public.users', '--check')
  expect(weak.code).toBe(1)
  expect(weak.stdout).toMatch(/ldap-sha +- +2 +below the minimum/)
  expect(weak.stdout).toContain('below the OWASP minimum: 3')
  expect(weak.stderr).toContain('hint: `strongroom passwords wrap`')
  await pool.query("delete from users where name not in ('ada', 'fay')")
  expect((await strongroom('audit', '--table', 'users', '--check')).code).toBe(0)
})

test('a dry run of wrap counts and writes nothing; wrap protects the weak hashes, which still verify', async () => {
  const strong = await fill()
  const dry = await strongroom('wrap', '--table', 'users', '--dry-run', '--json')
  expect(JSON.parse(dry.stdout)).toEqual({
    rows: 7,
    weak: 3,
    wrapped: 0,
    changedMeanwhile: 0,
    unreadable: 1,
    dryRun: true,
  })
  expect(await storedOf('bob')).toBe(ssha('bob'))

  const done = await strongroom('wrap', '--table', 'users')
  expect(done.code).toBe(0)
  expect(done.stdout).toContain('wrapped: 3')
  expect(done.stderr).toMatch(/wrap: 7\/7 rows \(100%\)/)
  const hasher = argon2id()
  for (const name of ['bob', 'eve']) {
    const stored = await storedOf(name)
    expect(stored).toMatch(/^\$strongroom-wrapped\$/)
    expect(stored).not.toContain(createHash('sha1').update(name).digest('base64').slice(0, 10))
    expect(await hasher.verify(name, stored)).toMatchObject({ valid: true })
    expect(await hasher.verify('wrong', stored)).toEqual({ valid: false })
  }
  expect(await storedOf('ada')).toBe(strong)
  expect(await storedOf('dan')).toBe('!unusable')

  const again = await strongroom('wrap', '--table', 'users', '--json')
  expect(JSON.parse(again.stdout)).toMatchObject({ rows: 7, weak: 0, wrapped: 0 })
  const audit = await strongroom('audit', '--table', 'users', '--json')
  expect(JSON.parse(audit.stdout)).toMatchObject({ belowFloor: 0, wrapped: 3 })
})

test('bare digests are named by --raw and --salt, and every page of a larger table is read', async () => {
  await pool.query(
    `insert into users (name, password_hash)
     select 'u' || n, md5('salt' || n || 'secret' || n) || ':' || 'salt' || n from generate_series(1, 4500) n`,
  )
  const blind = JSON.parse((await strongroom('audit', '--table', 'users', '--json')).stdout)
  expect(blind).toMatchObject({ rows: 4500, unreadable: 4500 })
  const options = ['--table', 'users', '--raw', 'md5', '--salt', 'before']
  const told = JSON.parse((await strongroom('audit', ...options, '--json')).stdout)
  expect(told).toMatchObject({ rows: 4500, belowFloor: 4500, unreadable: 0 })
  await pool.query("delete from users where name not in ('u1', 'u4500')")
  await strongroom('wrap', ...options)
  const hasher = argon2id({ legacy: [rawDigest({ algorithm: 'md5', salt: 'before' })] })
  expect(await hasher.verify('secret4500', await storedOf('u4500'))).toMatchObject({ valid: true })
  expect(hex('md5', 'salt1secret1').slice(0, 8)).not.toBe((await storedOf('u1')).slice(0, 8))
})

test('a password that is changed while wrap works stays changed', async () => {
  const changed = await argon2id().hash('changed')
  await insert('bob', ssha('bob'))
  // The change comes between the read and the write of wrap: a trigger makes it, once.
  await pool.query(`
    create or replace function change_first() returns trigger language plpgsql as $$
    begin return null; end $$;
    create trigger changing before update on users for each row
      when (new.password_hash like '$strongroom-wrapped$%') execute function change_first()`)
  const { code, stdout } = await strongroom('wrap', '--table', 'users', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ weak: 1, wrapped: 0, changedMeanwhile: 1 })
  await pool.query('drop trigger changing on users')
  await pool.query('update users set password_hash = $1', [changed])
  expect(JSON.parse((await strongroom('wrap', '--table', 'users', '--json')).stdout)).toMatchObject({ weak: 0 })
  expect(await storedOf('bob')).toBe(changed)
})

test('a row that asks for more memory than there is does not keep the others from being wrapped', async () => {
  const b64 = (bytes: number) => Buffer.alloc(bytes, 7).toString('base64').replaceAll('=', '')
  await insert('poisoned', `$scrypt$ln=19,r=8,p=1$${b64(16)}$${b64(32)}`) // 512 MiB
  await insert('bob', ssha('bob'))
  const { code, stdout } = await strongroom('wrap', '--table', 'users', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ weak: 2, wrapped: 1, unreadable: 1 })
  expect(await storedOf('bob')).toMatch(/^\$strongroom-wrapped\$/)
})

test('wrap that is stopped half-way goes on where it stopped', async () => {
  for (let n = 1; n <= 6; n++) await insert(`u${n}`, ssha(`password ${n}`))
  await pool.query(`
    create sequence writes;
    create or replace function fail_third() returns trigger language plpgsql as $$
    begin if nextval('writes') > 2 then raise exception 'the connection broke'; end if; return new; end $$;
    create trigger failing before update on users for each row execute function fail_third()`)
  const broken = await strongroom('wrap', '--table', 'users')
  expect(broken).toMatchObject({ code: 1, stderr: expect.stringContaining('PostgreSQL: the connection broke') })
  await pool.query('drop trigger failing on users; drop sequence writes')
  const rows = (await pool.query('select password_hash from users')).rows.map((row) => row.password_hash as string)
  expect(rows.filter((stored) => stored.startsWith('$strongroom-wrapped$')).length).toBe(2)

  const { stdout } = await strongroom('wrap', '--table', 'users', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ rows: 6, weak: 4, wrapped: 4 })
  const hasher = argon2id()
  for (let n = 1; n <= 6; n++) {
    expect((await hasher.verify(`password ${n}`, await storedOf(`u${n}`))).valid).toBe(true)
  }
})

test('what cannot be done is said in one line, with exit code 1 or 2', async () => {
  const { streams, written } = capture()
  expect(await run(['passwords', 'audit', '--table', 'users'], streams)).toBe(2)
  expect(written.stderr).toContain('no database is named')
  expect((await strongroom('audit')).code).toBe(2)
  expect((await strongroom('audit', '--table', 'users', '--salt', 'before')).code).toBe(2)
  expect((await strongroom('calibrate', '--target', 'soon')).code).toBe(2)
  const missing = await strongroom('audit', '--table', 'nobody')
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('relation "nobody" does not exist') })
  const gone = await strongroom('audit', '--table', 'users', '--database-url', 'postgres://nobody@127.0.0.1:1/x')
  expect(gone).toMatchObject({ code: 1, stderr: expect.stringMatching(/PostgreSQL: .*ECONNREFUSED/) })
})

test('calibrate prints a table, what it means in memory and logins, and the options to copy', async () => {
  const { code, stdout, stderr } = await strongroom('calibrate', '--target', '30ms', '--concurrency', '1', '--json')
  expect(code).toBe(0)
  const { targetMs, concurrency, rows } = JSON.parse(stdout)
  expect({ targetMs, concurrency }).toEqual({ targetMs: 30, concurrency: 1 })
  expect(rows.length).toBe(5)
  for (const row of rows) {
    expect(row.passes).toBeGreaterThanOrEqual(1)
    expect(row.ms).toBeGreaterThan(0)
    expect(row.memoryMiB).toBe(Math.ceil(row.memoryKiB / 1024))
    expect(row.loginsPerSecond).toBeGreaterThan(0)
  }
  expect(stderr).toContain('measuring 1 at once for a target of 30 ms')
})

test('with a configuration, wrap writes peppered, and reencrypt turns a pepper on, rotates it and takes it off', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-pepper-'))
  const keysAt = join(folder, 'keys')
  const config = (pepper: string) => {
    const path = join(folder, `${pepper}.config.mjs`)
    writeFileSync(
      path,
      `import { argon2id, defineStrongroom } from 'strongroom'
import { fileKeyStore } from 'strongroom/file'
import { rawAes } from 'strongroom/raw'
export default defineStrongroom({
  name: 'billing',
  kms: rawAes({ namespace: 'test', name: 'root', key: Buffer.alloc(32, 7) }),
  store: fileKeyStore({ path: ${JSON.stringify(keysAt)} }),
  passwords: argon2id(),
  pepper: '${pepper}',
})
`,
    )
    return path
  }
  const open = async () =>
    openStrongroom(
      {
        name: 'billing',
        kms: rawAes({ namespace: 'test', name: 'root', key: Buffer.alloc(32, 7) }),
        store: fileKeyStore({ path: keysAt }),
        passwords: argon2id(),
      },
      { init: true },
    )
  const call = async (command: string, pepper: string) => {
    const { streams, written } = capture({ env: { DATABASE_URL: database.connectionString } })
    const code = await run(['--config', config(pepper), 'passwords', command, '--table', 'users', '--json'], streams)
    return { code, ...JSON.parse(written.stdout) }
  }
  try {
    await createKeyStoreFile({ path: keysAt })
    const strong = await fill()
    const room = await open()

    expect(await call('wrap', 'on')).toMatchObject({ code: 0, weak: 3, wrapped: 3 })
    expect(await storedOf('bob')).toMatch(/^sr1_/)
    expect(await call('reencrypt', 'on')).toMatchObject({ code: 0, outdated: 1, written: 1, failed: 0 })
    expect(await storedOf('ada')).toMatch(/^sr1_/)
    expect(await storedOf('dan')).toBe('!unusable')
    expect(await call('reencrypt', 'on')).toMatchObject({ outdated: 0, written: 0 })
    expect(await call('audit', 'on')).toMatchObject({ peppered: 4, belowFloor: 0, unusable: 1, withoutPassword: 1 })

    const before = await storedOf('ada')
    await room.keys.rotate({ purpose: 'pepper' })
    expect(await call('reencrypt', 'on')).toMatchObject({ outdated: 4, written: 4 })
    expect(await storedOf('ada')).not.toBe(before)
    const userId = (await pool.query("select id::text as id from users where name = 'bob'")).rows[0].id
    expect(await room.passwords.verify('bob', await storedOf('bob'), { userId })).toMatchObject({ valid: true })

    await pool.query(
      "update users set password_hash = (select password_hash from users where name = 'ada') where name = 'eve'",
    )
    expect(await call('reencrypt', 'retire')).toMatchObject({ code: 1, written: 3, failed: 1 })
    expect(await storedOf('ada')).toBe(strong)
    await room.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('reencrypt without a configuration says what is missing', async () => {
  const answer = await strongroom('reencrypt', '--table', 'users')
  expect(answer).toMatchObject({ code: 2, stderr: expect.stringContaining('a pepper needs a configuration') })
})
