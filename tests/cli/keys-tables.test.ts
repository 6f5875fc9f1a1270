import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { expect, test } from 'vitest'
import { run } from '../../src/cli/program.ts'
import { startPostgres } from '../fixtures/postgres.ts'
import { capture } from './capture.ts'

test('tables in PostgreSQL: nothing is made by looking, the printed SQL runs, and the first root key goes in', async () => {
  const server = await startPostgres()
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-tables-'))
  const config = join(folder, 'strongroom.config.ts')
  const strongroom = async (...args: string[]) => {
    const { streams, written } = capture()
    return { code: await run([...args, '--config', config], streams), ...written }
  }
  const configure = (schema: string) =>
    writeFileSync(
      config,
      `import { defineStrongroom } from 'strongroom'
import { postgresKeyStore } from 'strongroom/postgres'
import { rawAes } from 'strongroom/raw'
export default defineStrongroom({
  name: 'billing',
  kms: rawAes({ namespace: 'test', name: 'root', key: Buffer.alloc(32, 7) }),
  store: postgresKeyStore({ connectionString: '${server.connectionString}', schema: '${schema}' }),
})
`,
    )
  const client = new pg.Client({ connectionString: server.connectionString })
  await client.connect()
  try {
    configure('by_hand')
    const early = await strongroom('keys', 'list')
    expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('strongroom keys tables --create')])
    const printed = await strongroom('keys', 'tables')
    expect([printed.code, printed.stderr]).toEqual([0, ''])
    expect((await client.query(`select to_regnamespace('by_hand') as found`)).rows).toEqual([{ found: null }])
    await client.query(printed.stdout)
    expect((await strongroom('keys', 'init')).stdout).toContain('made the first root key')
    expect(JSON.parse((await strongroom('status', '--json')).stdout).counts).toEqual([
      { purpose: 'root', state: 'active', keys: 1 },
    ])

    configure('by_command')
    expect((await strongroom('keys', 'tables', '--create')).stdout).toContain('made the tables')
    expect((await strongroom('keys', 'tables', '--create')).stdout).toContain('exist already')
    expect((await strongroom('keys', 'list')).code).toBe(1)
    expect((await strongroom('keys', 'init')).code).toBe(0)
    expect((await strongroom('keys', 'list')).stdout).toMatch(/root +the empty scope +1 +active/)
  } finally {
    await client.end()
    rmSync(folder, { recursive: true })
    await server.stop()
  }
})
