import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../src/cli/program.ts'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import { capture } from './capture.ts'

let database: TestDatabase
let client: pg.Client
let folder: string
let config: string

beforeAll(async () => {
  database = await createDatabase()
  client = new pg.Client({ connectionString: database.connectionString })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await database.drop()
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-tables-'))
  config = join(folder, 'strongroom.config.ts')
  return () => rmSync(folder, { recursive: true })
})

async function strongroom(...args: string[]) {
  const { streams, written } = capture()
  return { code: await run(args, streams), ...written }
}
const withConfig = (...args: string[]) => strongroom(...args, '--config', config)
const configure = (schema: string) =>
  writeFileSync(
    config,
    `import { defineStrongroom } from 'strongroom'
import { postgresKeyStore } from 'strongroom/postgres'
import { rawAes } from 'strongroom/raw'
export default defineStrongroom({
  name: 'billing',
  kms: rawAes({ namespace: 'test', name: 'root', key: Buffer.alloc(32, 7) }),
  store: postgresKeyStore({ connectionString: '${database.connectionString}', schema: '${schema}' }),
})
`,
  )
const schemaNamed = async (name: string) =>
  (await client.query('select to_regnamespace($1)::text as found', [name])).rows[0].found

describe('strongroom keys tables', () => {
  test('makes nothing by looking, prints SQL that runs, and the first root key goes in', async () => {
    configure('by_hand')
    const early = await withConfig('keys', 'list')
    expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('strongroom keys tables --create')])
    const printed = await withConfig('keys', 'tables')
    expect([printed.code, printed.stderr]).toEqual([0, ''])
    expect(await schemaNamed('by_hand')).toBeNull()
    await client.query(printed.stdout)
    expect((await withConfig('keys', 'init')).stdout).toContain('made the first root key')
    expect(JSON.parse((await withConfig('status', '--json')).stdout).counts).toEqual([
      { purpose: 'root', state: 'active', keys: 1 },
    ])
  })

  test('--create makes them once', async () => {
    configure('by_command')
    expect((await withConfig('keys', 'tables', '--create')).stdout).toContain('made the tables')
    expect((await withConfig('keys', 'tables', '--create')).stdout).toContain('exist already')
    expect((await withConfig('keys', 'list')).code).toBe(1)
    expect((await withConfig('keys', 'init')).code).toBe(0)
    expect((await withConfig('keys', 'list')).stdout).toMatch(/root +the empty scope +1 +active/)
  })
})

describe('strongroom init, where a configuration names a key store in a database', () => {
  test('makes its tables and the first root key, and none of the files that it does not use', async () => {
    configure('by_init')
    const { code, stdout, stderr } = await strongroom('init', '--dir', folder)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(
      /^made +tables +postgres by_init\.strongroom_keys\nexists +configuration .*\nmade +root key +[0-9a-f]{32}\n$/,
    )
    expect(readdirSync(folder)).toEqual(['strongroom.config.ts'])
    expect((await withConfig('keys', 'list')).stdout).toMatch(/root +the empty scope +1 +active/)
  })

  test('run again says what exists, and changes nothing', async () => {
    configure('again')
    await strongroom('init', '--dir', folder)
    const keys = async () => (await client.query('select * from again.strongroom_keys')).rows
    const before = await keys()
    const { code, stdout } = await strongroom('init', '--dir', folder)
    expect([code, stdout.match(/^exists /gm)?.length]).toEqual([0, 3])
    expect(await keys()).toEqual(before)
  })

  test('takes the configuration that --config names', async () => {
    config = join(folder, 'other.config.ts')
    configure('named')
    const { code, stdout } = await strongroom('init', '--dir', folder, '--config', config, '--json')
    expect([code, JSON.parse(stdout).made]).toEqual([
      0,
      [
        { what: 'tables', name: 'postgres named.strongroom_keys', made: true },
        { what: 'configuration', path: config, made: false },
        { what: 'root key', id: expect.stringMatching(/^[0-9a-f]{32}$/), made: true },
      ],
    ])
    expect(readdirSync(folder)).toEqual(['other.config.ts'])
  })

  test('--print prints the SQL that makes them, and changes nothing', async () => {
    configure('printed')
    const printed = await strongroom('init', '--print', '--dir', folder)
    expect([printed.code, printed.stderr]).toEqual([0, ''])
    expect(await schemaNamed('printed')).toBeNull()
    await client.query(printed.stdout)
    const { stdout } = await strongroom('init', '--dir', folder)
    expect(stdout).toMatch(/^exists +tables .*\nexists +configuration .*\nmade +root key/)
  })

  test('--print without such a key store makes nothing, and says why', async () => {
    expect(await strongroom('init', '--print', '--dir', folder)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('names a key store'),
    })
    expect(readdirSync(folder)).toEqual([])
    await strongroom('init', '--no-passphrase', '--dir', folder)
    expect(await strongroom('init', '--print', '--dir', folder)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('the key store (file) has no tables'),
    })
  })

  test('--force is refused beside --print and --config, and nothing is written anew', async () => {
    configure('forced')
    for (const args of [['--print'], ['--config', config]]) {
      expect((await strongroom('init', '--force', '--dir', folder, ...args)).code).toBe(2)
    }
    expect(readdirSync(folder)).toEqual(['strongroom.config.ts'])
    expect(await schemaNamed('forced')).toBeNull()
  })
})
