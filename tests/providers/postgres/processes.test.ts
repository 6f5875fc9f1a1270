import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKeyTables, postgresKeyStore } from '../../../providers/postgres/index.ts'
import { rawAes } from '../../../providers/raw/index.ts'
import { openStrongroom } from '../../../src/strongroom.ts'
import { startPostgres, type TestPostgres } from '../../fixtures/postgres.ts'
import { bundleProgram } from './program.ts'

const PROCESSES = 20
const KILLS = process.env.STRONGROOM_SLOW === '1' ? 200 : 10
const KEYS_PER_COMMIT = 300

let server: TestPostgres
let unlocker: string
let writer: string
beforeAll(async () => {
  server = await startPostgres()
  unlocker = await bundleProgram('unlocker')
  writer = await bundleProgram('writer')
})
afterAll(async () => {
  for (const script of [unlocker, writer]) rmSync(join(script, '..'), { recursive: true, force: true })
  await server.stop()
})

async function start(script: string, ...args: string[]) {
  const child = spawn(process.execPath, [script, server.connectionString, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  return { child, ended }
}

test(`of ${PROCESSES} processes that make the key of one tenant at once, all use the one that won`, async () => {
  const { connectionString } = server
  await createKeyTables({ connectionString })
  const kms = rawAes({ namespace: 'test', name: 'root', key: Buffer.alloc(32, 7) })
  const store = postgresKeyStore({ connectionString })
  const room = await openStrongroom({ name: 'billing', kms, store }, { init: true })
  const all = await Promise.all(Array.from({ length: PROCESSES }, () => start(unlocker)))
  const answers = all.map(({ child }) => once(child.stdout, 'data').then(([text]) => String(text).trim()))
  for (const { child } of all) child.stdin.write('go\n')
  const ids = await Promise.all(answers)
  const keys = await room.keys.list({ purpose: 'data', scope: { tenant: 'acme' } })
  expect(keys.map(({ state, generation }) => [state, generation])).toEqual([['active', 1]])
  expect(new Set(ids)).toEqual(new Set(keys.map(({ id }) => id)))
  await Promise.all(all.map(({ ended }) => ended))
  await room.close()
}, 60_000)

test(`a writer killed at ${KILLS} random moments leaves every commit whole or absent`, async () => {
  const { connectionString } = server
  await createKeyTables({ connectionString, table: 'crash' })
  const pool = new pg.Pool({ connectionString, max: 1 })
  pool.on('error', () => undefined)
  const store = postgresKeyStore({ connectionString, table: 'crash' })
  let rotations = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const { child, ended } = await start(writer, String(KEYS_PER_COMMIT))
    await sleep(Math.random() * 800)
    child.kill('SIGKILL')
    expect((await ended)[1]).toBe('SIGKILL')
    // The server may still be finishing what it was told before: the next writer waits for it by its locks.
    const [row] =
      (
        (await pool.query(`lock table crash, crash_log in share mode; select (select count(*) from crash)::int
      as keys, (select count(*) from crash_log)::int as log`)) as unknown as { rows: { keys: number; log: number }[] }[]
      )[1]?.rows ?? []
    const [active] = await store.findActive('data', [''])
    expect(row?.log).toBeGreaterThanOrEqual(rotations)
    rotations = row?.log as number
    expect(row?.keys).toBe(rotations * (KEYS_PER_COMMIT + 1))
    expect(active?.generation ?? 0).toBe(rotations)
  }
  expect(rotations).toBeGreaterThan(0)
  await store.close?.()
  await pool.end()
}, 600_000)
