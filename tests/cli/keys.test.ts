import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createKeyStoreFile, fileKeyStore } from '../../providers/file/index.ts'
import { rawAes } from '../../providers/raw/index.ts'
import { run } from '../../src/cli/program.ts'
import type { KeyInfo } from '../../src/keys/key-info.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import { capture } from './capture.ts'

/** Twice the interval in which other processes hear of a rotation. */
const WRITERS_MS = 220
const FIRST = Buffer.alloc(32, 7)
const SECOND = Buffer.alloc(32, 8)
let folder: string
let config: string
const store = () => fileKeyStore({ path: join(folder, 'keys') })
const kms = (name: string, key: Buffer) => rawAes({ namespace: 'test', name, key })

function writeConfig(...services: [string, Buffer][]): void {
  const list = services.map(
    ([name, key]) =>
      `rawAes({ namespace: 'test', name: '${name}', key: Buffer.from('${key.toString('hex')}', 'hex') })`,
  )
  writeFileSync(
    config,
    `import { defineStrongroom } from 'strongroom'
import { fileKeyStore } from 'strongroom/file'
import { rawAes } from 'strongroom/raw'
export default defineStrongroom({
  name: 'billing',
  kms: [${list.join(', ')}],
  store: fileKeyStore({ path: ${JSON.stringify(join(folder, 'keys'))} }),
  keyring: { refreshInterval: 100 },
  quarantineDays: 0,
})
`,
  )
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-keys-'))
  config = join(folder, 'strongroom.config.ts')
  await createKeyStoreFile({ path: join(folder, 'keys') })
  writeConfig(['one', FIRST])
})
afterEach(() => rmSync(folder, { recursive: true }))

async function room() {
  return openStrongroom({ name: 'billing', kms: kms('one', FIRST), store: store() }, { init: true })
}

async function strongroom(args: string[], options: Parameters<typeof capture>[0] = {}) {
  const { streams, written } = capture(options)
  const code = await run([...args, '--config', config], streams)
  return { code, ...written }
}
async function json<Value>(...args: string[]): Promise<Value> {
  const { code, stdout, stderr } = await strongroom([...args, '--json'])
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}
async function dataKey(): Promise<KeyInfo> {
  const keys = await json<KeyInfo[]>('keys', 'list', '--purpose', 'data', '--state', 'active')
  return keys[0] as KeyInfo
}

describe('strongroom keys', () => {
  test('init makes the first root key once', async () => {
    expect(await json('keys', 'init')).toEqual({ made: true })
    expect(await json('keys', 'init')).toEqual({ made: false })
    expect((await strongroom(['keys', 'init'])).stdout).toContain('nothing was done')
    expect(await json('keys', 'list')).toMatchObject([{ purpose: 'root', state: 'active' }])
  })

  test('list finds keys by purpose, state and scope, in pages, and makes none', async () => {
    const opened = await room()
    await opened.unlock([{ tenant: 'acme' }, { tenant: 'b', subject: 'ada' }])
    await opened.close()
    expect(await json<KeyInfo[]>('keys', 'list')).toHaveLength(4)
    expect(await json('keys', 'list', '--tenant', 'acme')).toMatchObject([{ scope: 'tenant=acme' }])
    expect(await json('keys', 'list', '--tenant', 'b', '--subject', 'ada')).toHaveLength(1)
    expect(await json('keys', 'list', '--tenant', 'nobody')).toEqual([])
    const first = await strongroom(['keys', 'list', '--limit', '3'])
    const after = /--after ([0-9a-f]{32})/.exec(first.stderr)?.[1] as string
    expect(first.stdout).toMatch(/^id +purpose +scope +generation +state/)
    expect(await json<KeyInfo[]>('keys', 'list', '--after', after)).toHaveLength(1)
    for (const bad of [
      ['--purpose', 'x'],
      ['--state', 'x'],
      ['--limit', '0'],
      ['--limit', '1001'],
    ])
      expect((await strongroom(['keys', 'list', ...bad])).code).toBe(2)
  })

  test('show takes a unique beginning of an id, and says what is wrong with any other', async () => {
    await (await room()).close()
    const { id } = await dataKey()
    expect(await json('keys', 'show', id.slice(0, 6))).toMatchObject({ id })
    expect(await json('keys', 'show', id.slice(0, 31).toUpperCase())).toMatchObject({ id })
    const shown = await strongroom(['keys', 'show', id])
    expect(shown.stdout).toContain(`id:          ${id}`)
    expect(shown.stdout).toMatch(/state: +active since/)
    for (const bad of [id.slice(0, 5), 'zzzzzz', `${id}0`])
      expect((await strongroom(['keys', 'show', bad])).code, bad).toBe(2)
    for (const absent of ['000000', 'ffffff', '0'.repeat(32)])
      expect((await strongroom(['keys', 'show', absent])).code, absent).toBe(1)
  })

  test('a key goes through its whole life, and each step is in its record', async () => {
    await (await room()).close()
    const old = await dataKey()
    const begin = old.id.slice(0, 8)
    expect(await json('keys', 'suspend', begin, '--yes', '--reason', 'incident 7')).toMatchObject({
      state: 'suspended',
      reason: 'incident 7',
    })
    expect(await json('keys', 'resume', begin)).toMatchObject({ state: 'active' })
    const [rotation] = await json<{ created: KeyInfo; replaced: KeyInfo }[]>('rotate', '--reason', 'yearly')
    expect(rotation).toMatchObject({ replaced: { id: old.id, state: 'decrypt_only' }, created: { generation: 2 } })
    const early = await strongroom(['keys', 'destroy', begin, '--yes'])
    expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('cannot destroy key')])
    await delay(WRITERS_MS)
    const overridden = ['--override', 'uncounted', 'backups', '--reason', 'counted by hand', '--yes']
    expect(await json('keys', 'retire', begin, ...overridden)).toMatchObject({ done: { state: 'destroy_scheduled' } })
    expect(await json('keys', 'cancel-retire', begin)).toMatchObject({ state: 'decrypt_only' })
    expect(await json('keys', 'compromise', begin, '--yes')).toMatchObject({ state: 'compromised' })
    await delay(WRITERS_MS)
    await json('keys', 'retire', begin, ...overridden)
    const unseen = await strongroom(['keys', 'destroy', begin, '--yes'])
    expect([unseen.code, unseen.stderr]).toEqual([1, expect.stringContaining(`strongroom retire ${old.id} --destroy`)])
    await delay(WRITERS_MS)
    const { stdout } = await strongroom(['retire', begin, '--destroy', ...overridden])
    expect(stdout).toMatch(new RegExp(`${old.id} is destroyed\n$`))
    expect(await json('keys', 'show', old.id)).toMatchObject({
      state: 'destroyed',
      wraps: [],
      reason: 'counted by hand (overridden: uncounted, backups)',
    })
  })

  test('what cannot be taken back wants the whole id typed, or --yes', async () => {
    await (await room()).close()
    const { id } = await dataKey()
    const begin = id.slice(0, 8)
    for (const step of ['suspend', 'compromise', 'destroy']) {
      const piped = await strongroom(['keys', step, begin])
      expect([piped.code, piped.stderr]).toEqual([2, expect.stringContaining('--yes')])
      for (const input of ['y\n', `${begin}\n`, '']) {
        const typed = await strongroom(['keys', step, begin], { tty: true, input })
        expect([typed.code, typed.stderr], step).toEqual([1, expect.stringContaining('nothing was done')])
      }
    }
    expect(await dataKey()).toMatchObject({ id, rev: 1 })
    const typed = await strongroom(['keys', 'suspend', begin], { tty: true, input: `${id}\n` })
    expect(typed.code).toBe(0)
    expect(await json('keys', 'show', id)).toMatchObject({ state: 'suspended' })
  })

  test('a store that is no database has no tables', async () => {
    const { code, stderr } = await strongroom(['keys', 'tables'])
    expect([code, stderr]).toEqual([1, expect.stringContaining('has no tables')])
  })
})

describe('strongroom rotate', () => {
  test('rotates one scope, or every scope of a purpose', async () => {
    const opened = await room()
    await opened.unlock([{ tenant: 'a' }, { tenant: 'b' }])
    await opened.close()
    expect(await json('rotate', '--tenant', 'a')).toMatchObject([{ created: { scope: 'tenant=a', generation: 2 } }])
    const all = await json<{ created: KeyInfo }[]>('rotate', '--all')
    expect(all.map(({ created }) => [created.scope, created.generation]).sort()).toEqual([
      ['tenant=a', 3],
      ['tenant=b', 2],
      ['the empty scope', 2],
    ])
    expect((await strongroom(['rotate', '--all'])).stdout).toMatch(/rotated 3 keys\n$/)
  })

  test('refuses what makes no sense, and a scope that has no key', async () => {
    await (await room()).close()
    expect((await strongroom(['rotate', '--all', '--tenant', 'a'])).code).toBe(2)
    expect((await strongroom(['rotate', '--purpose', 'root', '--tenant', 'a'])).code).toBe(2)
    expect((await strongroom(['rotate', '--purpose', 'root', '--all'])).code).toBe(2)
    expect((await strongroom(['rotate', '--tenant', 'nobody'])).code).toBe(1)
  })
})

describe('strongroom rewrap', () => {
  test('moves keys under a new root key, and from one KMS to another; then the old one is not needed', async () => {
    const opened = await room()
    const value = opened.encrypt('kept', { context: { a: 'b' } })
    await opened.close()
    const rotated = await strongroom(['rotate', '--purpose', 'root'])
    expect(rotated.stderr).toContain('strongroom rewrap')
    expect(await json('rewrap')).toEqual({ roots: 2, keys: 1, missing: [] })
    expect(await json('rewrap')).toMatchObject({ keys: 0 })
    writeConfig(['two', SECOND], ['one', FIRST])
    await json('rewrap')
    writeConfig(['two', SECOND])
    expect(await json('rewrap')).toMatchObject({ missing: [] })
    const { wraps } = await json<{ wraps: { keyId: string }[] }>('status')
    expect(wraps.map(({ keyId }) => keyId)).not.toContain('one')
    const moved = await openStrongroom({ name: 'billing', kms: kms('two', SECOND), store: store() })
    expect(moved.decrypt(value, { context: { a: 'b' } })).toBe('kept')
    await moved.close()
  })
})

describe('strongroom status', () => {
  test('counts keys by purpose and state, and what wraps them', async () => {
    await (await room()).close()
    await strongroom(['rotate'])
    const [root] = await json<KeyInfo[]>('keys', 'list', '--purpose', 'root')
    expect(await json('status')).toEqual({
      jobs: [],
      counts: [
        { purpose: 'data', state: 'active', keys: 1 },
        { purpose: 'data', state: 'decrypt_only', keys: 1 },
        { purpose: 'root', state: 'active', keys: 1 },
      ],
      ages: [
        { purpose: 'data', oldestDays: 0, maxDays: 90, overdue: 0, oldestId: expect.any(String) },
        { purpose: 'root', oldestDays: 0, maxDays: 30, overdue: 0, oldestId: root?.id },
      ],
      wraps: [
        { provider: 'root', keyId: root?.id, keys: 2 },
        { provider: 'test', keyId: 'one', keys: 1 },
      ],
    })
    const { stdout } = await strongroom(['status'])
    expect(stdout).toMatch(/data +decrypt_only +1/)
  })
})
