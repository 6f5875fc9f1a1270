import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../src/cli/program.ts'
import { describeComponent } from '../components/component.ts'
import { MARIADB_MISSING, startMariadb, type TestMariadb } from '../fixtures/mariadb.ts'
import { BETTER_SQLITE3_MISSING } from '../fixtures/sqlite.ts'
import { capture } from './capture.ts'

async function strongroom(...args: string[]) {
  const { streams, written } = capture()
  return { code: await run(args, streams), ...written }
}

/** A folder with a configuration over this key store, for as long as the test takes. */
async function withConfig(provider: string, store: string, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-tables-'))
  writeFileSync(
    join(folder, 'strongroom.config.ts'),
    `import { defineStrongroom } from 'strongroom'
import { ${provider}KeyStore } from 'strongroom/${provider}'
import { rawAes } from 'strongroom/raw'
export default defineStrongroom({
  name: 'billing',
  kms: rawAes({ namespace: 'test', name: 'root', key: Buffer.alloc(32, 7) }),
  store: ${provider}KeyStore(${store.replace('FOLDER', folder)}),
})
`,
  )
  try {
    await work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** `--print` changes nothing, `init` makes the tables and the first root key, and a second one finds them. */
async function makesTables(folder: string): Promise<void> {
  const config = ['--config', join(folder, 'strongroom.config.ts')]
  const printed = await strongroom('init', '--print', '--dir', folder)
  expect(printed).toMatchObject({ code: 0, stdout: expect.stringMatching(/create table [\s\S]*strongroom_keys/i) })
  expect(readdirSync(folder)).toEqual(['strongroom.config.ts'])
  const early = await strongroom('keys', 'list', ...config)
  expect([early.code, early.stdout]).toEqual([1, ''])
  expect((await strongroom('init', '--dir', folder)).stdout).toMatch(
    /^made +tables +.*strongroom_keys.*\nexists +configuration .*\nmade +root key +[0-9a-f]{32}\n$/,
  )
  expect((await strongroom('init', '--dir', folder)).stdout.match(/^exists /gm)).toHaveLength(3)
  expect((await strongroom('keys', 'list', ...config)).stdout).toMatch(/root +the empty scope +1 +active/)
}

describeComponent('strongroom init with a key store in MariaDB', MARIADB_MISSING, () => {
  let server: TestMariadb
  beforeAll(async () => {
    server = await startMariadb()
  })
  afterAll(() => server.stop())

  test('makes its tables and the first root key', () =>
    withConfig('mysql', JSON.stringify({ connectionString: server.connectionString }), makesTables))
})

describeComponent('strongroom init with a key store in SQLite', BETTER_SQLITE3_MISSING, () => {
  test('makes its tables and the first root key', () =>
    withConfig('sqlite', JSON.stringify({ path: 'FOLDER/keys.db' }), makesTables))
})
