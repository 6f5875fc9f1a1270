import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createKeyStoreFile, fileKeyStore } from '../../providers/file/index.ts'
import { sampleRecord } from '../../providers/testing/sample-records.ts'
import { childProgram } from '../child-program.ts'

const RANDOM_KILLS = process.env.STRONGROOM_SLOW === '1' ? 300 : 10
/** Every step of a commit, in order; `inherit` is there only when a dead holder's lock is taken over. */
const STEPS = ['claim', 'link', 'write', 'half-written', 'sync', 'rename', 'sync-directory', 'unlock', 'unlocked']

const program = childProgram('tests/crash/file-store-child.ts')
let path: string
beforeEach(async () => {
  path = join(mkdtempSync(join(tmpdir(), 'strongroom-crash-')), 'keys.store')
  await createKeyStoreFile({ path })
})
afterEach(() => rmSync(join(path, '..'), { recursive: true, force: true }))

/** Starts a process that rotates until it dies; resolves once it runs. */
async function start(dieAt = 'none', times = 1) {
  const child = spawn(process.execPath, [program.path, path, dieAt, String(times)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit').then(([, signal]) => signal)
  await once(child.stdout, 'data')
  return { child, ended }
}

/** Every rotation is there whole or not at all; then one more is written, which takes over any lock. */
async function assertWholeAndWritable(): Promise<number> {
  const store = fileKeyStore({ path, lockTimeoutMs: 5000 })
  const log = await store.log(0, 1_000_000)
  const active = await store.findActive('data', [''])
  const newest = log.at(-1)
  expect(log.map((entry) => entry.seq)).toEqual(log.map((_, at) => at + 1))
  expect(active.map((record) => record.id)).toEqual(
    newest === undefined ? [] : newest.changes.map((change) => change.id),
  )
  expect(active[0]?.generation ?? 0).toBe(log.length)
  let records = 0
  for (let after: string | undefined; ; ) {
    const page = await store.list({ purpose: 'data', limit: 1000, ...(after === undefined ? {} : { after }) })
    if (page.length === 0) break
    records += page.length
    after = page.at(-1)?.id
    for (const record of page)
      expect([record.state, record.rev]).toEqual(record.id === active[0]?.id ? ['active', 1] : ['decrypt_only', 2])
  }
  expect(records).toBe(log.length)
  const started = performance.now()
  const probe = sampleRecord({ scope: `probe=${log.length}`, purpose: 'index' })
  expect(await store.commit({ puts: [{ record: probe, replaces: null }], log: null })).toEqual({ written: true })
  expect(performance.now() - started, 'the lock of the dead process held others up').toBeLessThan(2000)
  const again = fileKeyStore({ path })
  expect(await again.get([probe.id])).toEqual([probe])
  await Promise.all([store.close?.(), again.close?.()])
  return log.length
}

/** A cheaper check: the newest rotation is there whole, nothing older was lost, and another may write. */
async function assertConsistent(atLeast: number): Promise<number> {
  const store = fileKeyStore({ path })
  const log = await store.log(0, 1_000_000)
  const [active] = await store.findActive('data', [''])
  expect(log.length).toBeGreaterThanOrEqual(atLeast)
  expect(active?.generation ?? 0).toBe(log.length)
  expect(active?.id).toBe(log.at(-1)?.changes[0]?.id)
  const probe = sampleRecord({ scope: crypto.randomUUID(), purpose: 'index' })
  expect(await store.commit({ puts: [{ record: probe, replaces: null }], log: null })).toEqual({ written: true })
  await store.close?.()
  return log.length
}

describe('a process that is killed while it writes the key store', () => {
  for (const step of STEPS) {
    test.each([1, 3])(
      `at step ${step}, time %i, leaves the state before or after, and its lock is taken over`,
      async (times) => {
        const { ended } = await start(step, times)
        expect(await ended).toBe('SIGKILL')
        const before = ['claim', 'link', 'write', 'half-written', 'sync', 'rename'].includes(step)
        expect(await assertWholeAndWritable()).toBe(before ? times - 1 : times)
      },
    )
  }

  test('while it takes over the lock of another that was killed', async () => {
    for (const step of ['inherit', 'write', 'unlock']) {
      await (await start('sync')).ended
      expect(await (await start(step)).ended).toBe('SIGKILL')
    }
    await assertConsistent(0)
    expect(readdirSync(join(path, '..')).filter((name) => name.includes('.heir.'))).toEqual([])
  })

  test(`at ${RANDOM_KILLS} random moments leaves a whole store each time`, {
    timeout: 30_000 + 1000 * RANDOM_KILLS,
  }, async () => {
    let rotations = 0
    let window = 40 // ms; longer where the machine is so slow that most children are killed before their first write
    // A kill before the first write proves nothing: more of them come, until enough did.
    for (let kill = 0; kill < RANDOM_KILLS || rotations <= RANDOM_KILLS / 2; kill++) {
      const { child, ended } = await start()
      await sleep(Math.random() * window)
      child.kill('SIGKILL')
      expect(await ended).toBe('SIGKILL')
      rotations = await assertConsistent(rotations)
      if (rotations <= kill) window = Math.min(window * 1.2, 1000)
    }
  })
})
