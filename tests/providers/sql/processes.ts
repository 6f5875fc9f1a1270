import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rawAes } from '../../../providers/raw/index.ts'
import { openStrongroom } from '../../../src/strongroom.ts'
import { storeAt } from './at.ts'
import { bundleProgram } from './program.ts'

const SLOW = process.env.STRONGROOM_SLOW === '1'
const PROCESSES = SLOW ? 20 : 8
const KILLS = SLOW ? 200 : 6
const KEYS_PER_COMMIT = 300

/** A database that processes share. */
export interface SharedDatabase {
  readonly url: string
  /** Rows of the tables `crash` and `crash_log`, once no dead writer holds them any more. */
  count(): Promise<{ keys: number; log: number }>
}

/** Tests of a key store by real processes: many at once, and one that is killed. */
export function testProcesses(databaseOf: () => SharedDatabase): void {
  let unlocker: string
  let writer: string
  beforeAll(async () => {
    unlocker = await bundleProgram('unlocker')
    writer = await bundleProgram('writer')
  })
  afterAll(() => {
    for (const script of [unlocker, writer]) rmSync(join(script, '..'), { recursive: true, force: true })
  })

  async function start(script: string, ...args: string[]) {
    const child = spawn(process.execPath, [script, databaseOf().url, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    const ended = once(child, 'exit')
    await once(child.stdout, 'data')
    return { child, ended }
  }

  test(`of ${PROCESSES} processes that make the key of one tenant at once, all use the one that won`, async () => {
    const store = storeAt(databaseOf().url)
    await store.tables?.create()
    const kms = rawAes({ namespace: 'test', name: 'root', key: Buffer.alloc(32, 7) })
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
    const store = storeAt(databaseOf().url, 'crash')
    await store.tables?.create()
    let rotations = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, ended } = await start(writer, String(KEYS_PER_COMMIT))
      await sleep(Math.random() * 800)
      child.kill('SIGKILL')
      expect((await ended)[1]).toBe('SIGKILL')
      const { keys, log } = await databaseOf().count()
      const [active] = await store.findActive('data', [''])
      expect(log).toBeGreaterThanOrEqual(rotations)
      rotations = log
      expect(keys).toBe(rotations * (KEYS_PER_COMMIT + 1))
      expect(active?.generation ?? 0).toBe(rotations)
    }
    expect(rotations).toBeGreaterThan(0)
    await store.close?.()
  }, 600_000)
}
