import { execFile } from 'node:child_process'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { createKeyStoreFile, fileKeyStore } from '../../../providers/file/index.ts'
import { thisProcess } from '../../../providers/file/process-identity.ts'
import { encodeStore } from '../../../providers/file/store-file.ts'
import { keyStoreConformance } from '../../../providers/testing/index.ts'
import { nextRevision, sampleEntry, sampleRecord } from '../../../providers/testing/sample-records.ts'
import type { KeyStore } from '../../../src/key-store.ts'
import { childProgram } from '../../child-program.ts'

const run = promisify(execFile)
const LARGE = process.env.STRONGROOM_SLOW === '1' ? 100_000 : 20_000
const folders: string[] = []
const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'strongroom-file-'))
  folders.push(path)
  return path
}
const stores: KeyStore[] = []
const open = (path: string, lockTimeoutMs = 10_000) => {
  const store = fileKeyStore({ path, lockTimeoutMs })
  stores.push(store)
  return store
}
const made = async () => {
  const path = join(folder(), 'keys.store')
  await createKeyStoreFile({ path })
  return path
}
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close?.()
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true })
})
const create = (store: KeyStore, scope = '') =>
  store.commit({ puts: [{ record: sampleRecord({ scope }), replaces: null }], log: null })

describe('a key store in one file', () => {
  const cases = keyStoreConformance(async () => {
    const path = await made()
    const [store, second] = [fileKeyStore({ path }), fileKeyStore({ path })]
    return { store, second, close: async () => void (await Promise.all([store.close?.(), second.close?.()])) }
  })
  for (const { name, run } of cases) test(name, run)

  test('that is missing is refused, with what to do, and is not made', async () => {
    const path = join(folder(), 'keys.store')
    const store = open(path)
    await expect(store.get([])).rejects.toMatchObject({
      fault: 'misconfigured',
      message: expect.stringContaining('strongroom init'),
    })
    await expect(create(store)).rejects.toMatchObject({ fault: 'misconfigured' })
    expect(readdirSync(join(path, '..'))).toEqual([])
  })

  test('is made once, for its owner alone', async () => {
    const path = await made()
    await create(open(path))
    const before = readFileSync(path)
    expect(await createKeyStoreFile({ path })).toBe(false)
    expect(readFileSync(path)).toEqual(before)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(path, '..'))).toEqual(['keys.store'])
  })

  test('is found again by another process, and by one that opens it through a link', async () => {
    const path = await made()
    const record = sampleRecord()
    await open(path).commit({ puts: [{ record, replaces: null }], log: sampleEntry(1) })
    const alias = join(path, '..', 'alias')
    symlinkSync(path, alias)
    const linked = open(alias)
    expect(await linked.get([record.id])).toEqual([record])
    await create(linked, 'more')
    expect(await open(path).list({ limit: 10 })).toHaveLength(2)
  })

  test('leaves no other file behind, also when a commit is refused', async () => {
    const path = await made()
    const store = open(path)
    await create(store)
    await create(store)
    expect(readdirSync(join(path, '..'))).toEqual(['keys.store'])
  })

  test('refuses a record that it could not read again, before it writes', async () => {
    const path = await made()
    const store = open(path)
    const before = readFileSync(path)
    for (const bad of [{ rev: 0 }, { id: 'x' }, { scope: 7 }, { wraps: [{}] }, { state: 'lost' }]) {
      const record = { ...sampleRecord(), ...bad } as never
      await expect(store.commit({ puts: [{ record, replaces: null }], log: null })).rejects.toThrow(TypeError)
    }
    expect(readFileSync(path)).toEqual(before)
  })

  test('that was closed is closed', async () => {
    const store = open(await made())
    await store.close?.()
    await expect(store.get([])).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })
})

describe('a damaged key store file', () => {
  const refused = async (path: string) => {
    const before = readFileSync(path)
    const store = open(path)
    await expect(store.list({ limit: 1 })).rejects.toMatchObject({
      fault: 'corrupt',
      message: expect.stringContaining(path),
    })
    await expect(create(store)).rejects.toMatchObject({ fault: 'corrupt' })
    expect(readFileSync(path)).toEqual(before)
  }

  test('is refused at every length it can be cut to, and never overwritten', async () => {
    const path = await made()
    await create(open(path))
    const whole = readFileSync(path)
    for (let length = 0; length < whole.byteLength; length += 13) {
      writeFileSync(path, whole)
      truncateSync(path, length)
      await refused(path)
    }
  })

  test('is refused whichever byte changed', async () => {
    const path = await made()
    await create(open(path))
    const whole = readFileSync(path)
    for (let at = 0; at < whole.byteLength; at += 7) {
      const changed = Buffer.from(whole)
      changed[at] = (changed[at] as number) ^ (1 << (at % 8))
      writeFileSync(path, changed)
      await refused(path)
    }
  })

  test.each([
    '',
    'x',
    '{}\n',
    '[]\n{}\n',
    '{"strongroom-key-store":1,"records":1e308,"log":0}\n',
    '{"strongroom-key-store":2,"records":0,"log":0}\n',
    '\n'.repeat(1000),
  ])('is refused when it is something else: %j', async (text) => {
    const path = await made()
    writeFileSync(path, text)
    await refused(path)
  })
})

describe('the lock', () => {
  const lockOf = (path: string) => `${path}.lock`
  const claim = (changes: object) =>
    JSON.stringify({ ...thisProcess(), token: 'dead', since: '2026-01-01', ...changes })

  test('of a living process is waited for, then reported with its holder', async () => {
    const path = await made()
    writeFileSync(lockOf(path), claim({}))
    await expect(create(open(path, 50))).rejects.toMatchObject({
      fault: 'locked',
      retryable: true,
      message: expect.stringContaining(`process ${process.pid} on ${hostname()}`),
    })
    expect(readFileSync(lockOf(path), 'utf8')).toBe(claim({}))
    const store = open(path)
    const waiting = create(store)
    setTimeout(() => rmSync(lockOf(path)), 30)
    expect(await waiting).toEqual({ written: true })
  })

  test('of an ended process is taken over, also when its id is in use again', async () => {
    for (const holder of [{ pid: 2 ** 22 + 1 }, { started: 'long ago' }]) {
      const path = await made()
      writeFileSync(lockOf(path), claim(holder))
      expect(await create(open(path, 1000))).toEqual({ written: true })
      expect(readdirSync(join(path, '..'))).toEqual(['keys.store'])
    }
  })

  test('is taken over when its holder and those who took it over have all ended', async () => {
    const path = await made()
    writeFileSync(lockOf(path), claim({ started: 'a', token: 'a' }))
    writeFileSync(`${lockOf(path)}.heir.a`, claim({ started: 'b', token: 'b' }))
    writeFileSync(`${lockOf(path)}.heir.b`, claim({ started: 'c', token: 'c' }))
    writeFileSync(`${lockOf(path)}.heir.z`, claim({ started: 'z', token: 'y' }))
    expect(await create(open(path, 1000))).toEqual({ written: true })
    expect(readdirSync(join(path, '..'))).toEqual(['keys.store'])
  })

  test('of another machine is respected while it is young', async () => {
    const path = await made()
    writeFileSync(lockOf(path), claim({ place: 'elsewhere', pid: 2 ** 22 + 1 }))
    await expect(create(open(path, 50))).rejects.toMatchObject({ fault: 'locked' })
  })

  test('of another machine is taken over when it is old', async () => {
    const path = await made()
    writeFileSync(lockOf(path), claim({ place: 'elsewhere' }))
    utimesSync(lockOf(path), new Date(Date.now() - 61_000), new Date(Date.now() - 61_000))
    expect(await create(open(path, 1000))).toEqual({ written: true })
  })

  test('that is stale has one winner among many takers at once', async () => {
    for (let round = 0; round < 10; round++) {
      const path = await made()
      writeFileSync(lockOf(path), claim({ started: 'long ago' }))
      const results = await Promise.all(Array.from({ length: 10 }, (_, at) => create(open(path), `tenant=${at}`)))
      expect(results.every((result) => result.written)).toBe(true)
      expect(await open(path).list({ limit: 100 })).toHaveLength(10)
    }
  })

  test.each(['', '{', '[]', '{"token":"../../x","pid":1,"place":"","since":"","started":null}'])(
    'that a power failure left unreadable (%j) is waited for while young, and taken over when old',
    async (text) => {
      const path = await made()
      writeFileSync(lockOf(path), text)
      await expect(create(open(path, 50))).rejects.toMatchObject({ fault: 'locked' })
      utimesSync(lockOf(path), new Date(Date.now() - 61_000), new Date(Date.now() - 61_000))
      expect(await create(open(path, 1000))).toEqual({ written: true })
      expect(readdirSync(join(path, '..'))).toEqual(['keys.store'])
    },
  )

  test('leaves the claim of a process that is about to write it', async () => {
    const path = await made()
    writeFileSync(`${lockOf(path)}.fresh`, '')
    writeFileSync(lockOf(path), claim({ started: 'long ago' }))
    expect(await create(open(path, 1000))).toEqual({ written: true })
    expect(readdirSync(join(path, '..')).sort()).toEqual(['keys.store', 'keys.store.lock.fresh'])
  })
})

describe('several processes', () => {
  const program = childProgram('tests/providers/file/writer.ts')

  test('that write at once lose nothing: 4 writers, 50 commits each', async () => {
    const path = await made()
    await Promise.all([1, 2, 3, 4].map((writer) => run(process.execPath, [program.path, path, String(writer), '50'])))
    const store = open(path)
    const records = await store.list({ limit: 1000 })
    expect(new Set(records.map((record) => record.scope)).size).toBe(200)
    const log = await store.log(0, 1000)
    expect(log.map((entry) => entry.seq)).toEqual(Array.from({ length: 200 }, (_, at) => at + 1))
    expect(readdirSync(join(path, '..'))).toEqual(['keys.store'])
  })
})

describe('a large key store file', () => {
  test(`of ${LARGE} keys takes 10,000 more in one commit in seconds`, async () => {
    const path = await made()
    const sample = sampleRecord()
    const batch = (from: number, count: number) =>
      Array.from({ length: count }, (_, at) => ({
        record: { ...sample, id: (from + at).toString(16).padStart(32, '0'), scope: `subject=${from + at}` },
        replaces: null,
      }))
    const lines = batch(0, LARGE).map(({ record }) => JSON.stringify(record))
    writeFileSync(path, Buffer.concat(encodeStore(lines, [], lines.length)))
    const store = open(path)
    const reading = performance.now()
    await store.get([])
    const read = performance.now() - reading
    const started = performance.now()
    expect(await store.commit({ puts: batch(LARGE, 10_000), log: null })).toEqual({ written: true })
    const took = performance.now() - started
    const [found] = await store.findActive('data', [`subject=${LARGE - 1}`])
    console.log(`file store: 10,000 records into ${LARGE} in ${Math.round(took)} ms, opened in ${Math.round(read)} ms`)
    expect(found?.id).toBe((LARGE - 1).toString(16).padStart(32, '0'))
    expect(took).toBeLessThan(10_000)
  })

  test('is not read again while it has not changed', async () => {
    const path = await made()
    const store = open(path)
    const record = sampleRecord()
    await store.commit({ puts: [{ record, replaces: null }], log: null })
    chmodSync(path, 0o600)
    const started = performance.now()
    for (let at = 0; at < 2000; at++) await store.get([record.id])
    expect((performance.now() - started) / 2000).toBeLessThan(0.5)
    const changed = nextRevision(record, { state: 'suspended' })
    await open(path).commit({ puts: [{ record: changed, replaces: 1 }], log: null })
    expect(await store.get([record.id])).toEqual([changed])
  })
})
