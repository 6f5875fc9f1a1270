import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createKeyStoreFile, fileKeyStore } from '../../providers/file/index.ts'
import { memoryKeyStore, memoryKms } from '../../providers/testing/index.ts'
import type { StrongroomConfig } from '../../src/config.ts'
import { type DoctorOptions, type DoctorReport, doctor } from '../../src/doctor/doctor.ts'
import { KeyStoreError, KmsError, type KmsErrorKind } from '../../src/errors.ts'
import type { KeyRecord, KeyStore } from '../../src/key-store.ts'
import type { KmsProvider } from '../../src/kms.ts'
import { openStrongroom } from '../../src/strongroom.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A Strongroom with a root, a data and a pepper key, set up and closed again. */
async function setUp(config: Partial<StrongroomConfig> = {}): Promise<StrongroomConfig> {
  const whole = { name: 'billing', kms: memoryKms(), store: memoryKeyStore(), ...config }
  const room = await openStrongroom(keptOpen(whole), { init: true })
  await room.unlock([{}, { tenant: 'acme' }])
  await room.keys.ensureActive('index', [''])
  await room.close()
  return whole
}

/** `close` of a room closes its parts, which the doctor is to find open. */
function keptOpen(config: StrongroomConfig): StrongroomConfig {
  const kept = <Part extends object>(part: Part): Part => Object.create(part, { close: { value: async () => {} } })
  const { kms, store } = config
  return { ...config, kms: Array.isArray(kms) ? kms.map(kept) : kept(kms as KmsProvider), store: kept(store) }
}

async function fileStore(path: string): Promise<KeyStore> {
  await createKeyStoreFile({ path })
  return fileKeyStore({ path })
}

const problems = ({ findings }: DoctorReport) =>
  findings.filter(({ status }) => status === 'problem').map(({ check, message }) => `${check}: ${message}`)
const examine = (config: StrongroomConfig, options: DoctorOptions = {}) => doctor(config, options)
const changed = <Part extends object>(part: Part, changes: Partial<Part>): Part =>
  Object.assign(Object.create(part), changes)
const records = (store: KeyStore) => store.list({ limit: 1000 })

describe('a Strongroom in order', () => {
  test('is healthy, with everything looked at', async () => {
    const report = await examine(await setUp({ kms: [memoryKms({ name: 'a' }), memoryKms({ name: 'b' })] }))
    expect(problems(report)).toEqual([])
    expect(report.healthy).toBe(true)
    expect(new Set(report.findings.map(({ check }) => check))).toEqual(
      new Set([
        'keys.recovery',
        'kms.wrap',
        'kms.unwrap',
        'kms.context',
        'store.read',
        'store.compare-and-set',
        'store.write',
        'keys.root',
        'keys.wraps',
        'keys.sentinel',
        'keys.age',
        'clock',
      ]),
    )
    const notOk = report.findings.filter(({ status }) => status !== 'ok').map(({ check }) => check)
    expect(notOk).toEqual(['keys.recovery'])
  })

  for (const kind of ['memory', 'file'] as const) {
    test(`is left exactly as it was, in a ${kind} store`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'strongroom-doctor-'))
      folders.push(folder)
      const store = kind === 'memory' ? memoryKeyStore() : await fileStore(join(folder, 'keys'))
      const config = await setUp({ store })
      const before = [await records(store), await store.log(0, 1000)]
      expect((await examine(config)).healthy).toBe(true)
      expect([await records(store), await store.log(0, 1000)]).toEqual(before)
    })
  }

  test('its report holds no secret and survives JSON', async () => {
    const report = await examine(await setUp())
    expect(JSON.parse(JSON.stringify(report))).toEqual(report)
  })
})

describe('a KMS', () => {
  const refusing = (kind: KmsErrorKind, message: string): KmsProvider => {
    const refuse = async (): Promise<never> => {
      throw new KmsError('memory', kind, message)
    }
    return changed(memoryKms() as KmsProvider, { wrap: refuse })
  }

  test('that denies is a problem in its own words, with what to do', async () => {
    const report = await examine({ ...(await setUp()), kms: refusing('denied', 'needs kms:Encrypt on key 1') })
    const [found] = report.findings
    expect(found).toMatchObject({ check: 'kms.wrap', status: 'problem', message: 'memory: needs kms:Encrypt on key 1' })
    expect(found?.hint).toContain('grant the permission')
  })

  test('that opens a key under any context is a problem', async () => {
    const kms = memoryKms()
    const careless = changed(kms as KmsProvider, {
      wrap: (key) => kms.wrap(key, { context: {} }),
      unwrap: (wrapped) => kms.unwrap(wrapped, { context: {} }),
    })
    const config = await setUp({ kms: careless })
    expect(problems(await examine(config))).toEqual([
      'kms.context: opened a key under a wrong context: the context is not bound',
    ])
  })

  test('that gives back another key is a problem', async () => {
    const kms = memoryKms()
    const forgetful = changed(kms as KmsProvider, { unwrap: async () => new Uint8Array(32) })
    const report = await examine({ ...(await setUp({ kms })), kms: forgetful })
    expect(problems(report)).toContain('kms.unwrap: gave back another key than it was given')
  })

  test('that cannot be asked for the context is no proof of binding', async () => {
    const kms = memoryKms()
    let calls = 0
    const tired = changed(kms as KmsProvider, {
      unwrap: (wrapped, call) => {
        if (++calls === 2) throw new KmsError('memory', 'throttled', 'slow down')
        return kms.unwrap(wrapped, call)
      },
    })
    const report = await examine({ ...(await setUp({ kms })), kms: tired })
    expect(report.findings.find(({ check }) => check === 'kms.context')?.status).toBe('skipped')
  })

  test('that was added and wraps no root key yet is a problem; one that was taken away is a warning', async () => {
    const [a, b] = [memoryKms({ name: 'a' }), memoryKms({ name: 'b' })]
    const config = await setUp({ kms: a })
    expect(problems(await examine({ ...config, kms: [a, b] })).join()).toMatch(
      /keys.wraps: root key \w+ is not wrapped under it/,
    )
    const both = await setUp({ kms: [a, b] })
    const report = await examine({ ...both, kms: a })
    expect(report.healthy).toBe(true)
    expect(report.findings.filter(({ status }) => status === 'warning').map(({ check }) => check)).toEqual([
      'keys.wraps',
    ])
  })
})

describe('a key store', () => {
  test('that is empty or cannot be reached is a problem, and nothing more is tried', async () => {
    const kms = memoryKms()
    const empty = await examine({ name: 'billing', kms, store: memoryKeyStore() })
    expect(problems(empty)).toEqual(['store.read: the store holds no keys'])
    const unavailable = async (): Promise<never> => {
      throw new KeyStoreError('unavailable', 'connection refused')
    }
    const away = changed(memoryKeyStore() as KeyStore, { findActive: unavailable, list: unavailable, log: unavailable })
    expect(problems(await examine({ name: 'billing', kms, store: away }))).toEqual(['store.read: connection refused'])
  })

  test('that ignores conditions is a problem, found without harm', async () => {
    const config = await setUp()
    const before = await records(config.store)
    const written: KeyRecord[] = []
    const careless = changed(config.store, {
      commit: async ({ puts }) => {
        written.push(...puts.map(({ record }) => record))
        return { written: true }
      },
    })
    const report = await examine({ ...config, store: careless })
    expect(problems(report)).toEqual(['store.compare-and-set: wrote a change to a revision that is not there'])
    for (const record of written) expect(before).toContainEqual(record)
  })

  test('that may only be read is a problem', async () => {
    const config = await setUp()
    const readOnly = changed(config.store, {
      commit: async () => {
        throw new KeyStoreError('misconfigured', 'permission denied for table strongroom_keys')
      },
    })
    expect(problems(await examine({ ...config, store: readOnly }))).toEqual([
      'store.compare-and-set: permission denied for table strongroom_keys',
    ])
  })
})

describe('keys', () => {
  const withRecords = (store: KeyStore, change: (record: KeyRecord) => KeyRecord): KeyStore =>
    changed(store, {
      get: async (ids) => (await store.get(ids)).map(change),
      list: async (query) => (await store.list(query)).map(change),
      findActive: async (purpose, scopes) => (await store.findActive(purpose, scopes)).map(change),
    })

  test('an active key that does not open is a problem that names it, and the others are still opened', async () => {
    const config = await setUp()
    const [victim] = await config.store.findActive('data', ['tenant=acme'])
    const store = withRecords(config.store, (record) =>
      record.id === victim?.id ? { ...record, scope: 'tenant=globex' } : record,
    )
    const report = await examine({ ...config, store })
    expect(problems(report).join()).toContain(`key record ${victim?.id} refused`)
    expect(report.findings.filter(({ check, status }) => check === 'keys.sentinel' && status === 'ok').length).toBe(2)
  })

  test('a root key that another KMS wrapped is a problem', async () => {
    const config = await setUp({ kms: memoryKms({ keyId: 'k' }) })
    const report = await examine({ ...config, kms: memoryKms({ keyId: 'k' }) })
    expect(problems(report).join()).toContain('keys.root: ')
  })

  test('a store of another application is a problem', async () => {
    const config = await setUp()
    expect(problems(await examine({ ...config, name: 'payroll' })).join()).toContain('belongs to "billing"')
  })

  test('keys beyond the policy are a problem, and near its end a warning', async () => {
    const config = await setUp()
    const inDays = (days: number) => ({ now: () => new Date(Date.now() + days * 86_400_000) })
    expect(problems(await examine(config, inDays(31))).join()).toMatch(
      /keys.age: 1 active root key is older than 30 days/,
    )
    expect(problems(await examine(config, inDays(91))).join()).toMatch(/2 active data keys are older than 90 days/)
    const near = await examine(config, inDays(28))
    expect([near.healthy, near.findings.find(({ status }) => status === 'warning')?.subject]).toEqual([true, 'root'])
    expect((await examine(config, { ...inDays(91), maxAgeDays: { root: 400, data: 400 } })).healthy).toBe(true)
  })

  test('active keys that end soon are a warning, and after their end a problem', async () => {
    const config = await setUp()
    const room = await openStrongroom(keptOpen(config))
    const expiresAt = new Date(Date.now() + 20 * 86_400_000)
    await room.keys.promote((await room.keys.add({ scope: { bucket: 'b' }, expiresAt })).id)
    await room.close()
    const statusIn = async (days: number) => {
      const now = (): Date => new Date(Date.now() + days * 86_400_000)
      return (await examine(config, { now })).findings.find(({ check }) => check === 'keys.expiry')?.status
    }
    expect([await statusIn(0), await statusIn(10), await statusIn(21)]).toEqual([undefined, 'warning', 'problem'])
  })

  test('with more keys than asked for, says that the others were not opened', async () => {
    const report = await examine(await setUp(), { maxKeys: 1 })
    expect(
      report.findings.find(({ check, subject }) => check === 'keys.sentinel' && subject === 'data')?.message,
    ).toContain('behind the first 1 were not opened')
  })
})

describe('what hangs', () => {
  const never = () => new Promise<never>(() => {})
  const keepAlive = () => setInterval(() => {}, 10)

  test('a KMS or a store that never answers is a problem after the time allowed', async () => {
    const timer = keepAlive()
    const config = await setUp()
    const deaf = changed(config.kms as KmsProvider, { wrap: never })
    expect(problems(await examine({ ...config, kms: deaf }, { timeoutMs: 30 }))).toContain(
      'kms.wrap: no answer in time',
    )
    const stuck = changed(config.store, { findActive: never })
    expect(problems(await examine({ ...config, store: stuck }, { timeoutMs: 30 }))).toEqual([
      'store.read: no answer in time',
    ])
    clearInterval(timer)
  })
})

describe('the clock', () => {
  const clockOf = async (options: DoctorOptions) =>
    (await examine(await setUp(), options)).findings
      .filter(({ check }) => check === 'clock')
      .map(({ status }) => status)

  test('that is behind the key log, or off from a reference, is noticed', async () => {
    expect(await clockOf({ now: () => new Date(Date.now() - 20_000) })).toEqual(['warning'])
    expect(await clockOf({ now: () => new Date(Date.now() - 120_000) })).toEqual(['problem'])
    expect(await clockOf({ reference: async () => new Date(Date.now() - 1000) })).toEqual(['ok', 'ok'])
    expect(await clockOf({ reference: async () => new Date(Date.now() - 120_000) })).toEqual(['ok', 'problem'])
    const broken = async (): Promise<never> => {
      throw new Error('no Date header')
    }
    expect(await clockOf({ reference: broken })).toEqual(['ok', 'skipped'])
  })
})
