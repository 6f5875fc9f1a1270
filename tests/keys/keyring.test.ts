import { describe, expect, test } from 'vitest'
import { ClosedError, KeyNotResidentError, KeyStoreError, KeyUnavailableError, KmsError } from '../../src/errors.ts'
import { DataKey } from '../../src/keys/data-key.ts'
import { newKey } from '../../src/keys/new-key.ts'
import type { KmsProvider } from '../../src/kms.ts'
import { freshKeys, settled } from './fixtures.ts'

const TTL = 300_000

/** A service that a test can take down or turn against us. */
function moody(kms: KmsProvider) {
  const mood: { error: KmsError | undefined } = { error: undefined }
  const obey = <Answer>(work: () => Answer) => {
    if (mood.error !== undefined) throw mood.error
    return work()
  }
  const provider: KmsProvider = {
    ...kms,
    wrap: async (key, call) => obey(() => kms.wrap(key, call)),
    unwrap: async (wrapped, call) => obey(() => kms.unwrap(wrapped, call)),
  }
  return { mood, provider }
}

const outage = new KmsError('memory', 'unavailable', 'down')
const denial = new KmsError('memory', 'denied', 'no longer yours')

describe('loading keys', () => {
  test('3,000 requests for a key at once read the store once, and the KMS is asked once per process', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('data', ['tenant=a'])
    const id = w.keyring.active('data', 'tenant=a').id
    const { keyring, kms, store } = await w.again({ init: false })
    const unwraps = kms.calls.unwrap
    const reads = { ...store.calls }
    await Promise.all(Array.from({ length: 3000 }, () => keyring.load([id])))
    expect(keyring.find(id)).toBeInstanceOf(DataKey)
    expect(kms.calls.unwrap - unwraps).toBe(0)
    expect(store.calls.get - reads.get).toBe(1)
    expect(store.calls.log).toBe(reads.log)
  })

  test('3,000 requests for the active key of a scope read the store once', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('data', ['tenant=a'])
    const { keyring, store } = await w.again({ init: false })
    const reads = { ...store.calls }
    await Promise.all(Array.from({ length: 3000 }, () => keyring.loadActive('data', ['tenant=a'])))
    expect(keyring.active('data', 'tenant=a').scope).toBe('tenant=a')
    expect(store.calls.findActive - reads.findActive).toBe(1)
  })

  test('a scope with more keys than one page of the store is loaded whole', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('data', ['tenant=a'])
    const first = w.keyring.active('data', 'tenant=a').id
    const root = await w.keyring.activeRoot()
    const base = { store: w.keyring.name, purpose: 'data', scope: 'tenant=a', state: 'pending' } as const
    const waiting = Array.from({ length: 1000 }, (_, at) => {
      return newKey(root, { ...base, at: w.clock.date(), generation: at + 2, reason: null, expiresAt: null })
    })
    const puts = waiting.map((record) => ({ record, replaces: null }))
    await w.store.commit({ puts: puts.slice(0, 500), log: null })
    await w.store.commit({ puts: puts.slice(500), log: null })
    const last = waiting.map(({ id }) => id).sort()[999] as string
    await w.manager.promote(last)
    const { keyring } = await w.again({ init: false })
    await keyring.loadScope('data', 'tenant=a')
    expect(keyring.active('data', 'tenant=a').id).toBe(last)
    expect(keyring.find(first)).toBeInstanceOf(DataKey)
  })

  test('3,000 keyring openings on a lapsed lease make one KMS call', async () => {
    const w = await freshKeys({ ttl: 1000 })
    await w.manager.ensureActive('data', ['tenant=a'])
    const id = w.keyring.active('data', 'tenant=a').id
    const { provider, mood } = moody(w.kms)
    const { keyring } = await w.again({ init: false, kms: provider, ttl: 1000 })
    mood.error = outage
    await w.clock.forward(2000)
    expect(keyring.find(id)).toBeUndefined()
    mood.error = undefined
    const unwraps = w.kms.calls.unwrap
    await Promise.all(Array.from({ length: 3000 }, () => keyring.load([id])))
    expect(w.kms.calls.unwrap - unwraps).toBe(1)
  })

  test('keys for many scopes come in one read', async () => {
    const w = await freshKeys()
    const scopes = Array.from({ length: 500 }, (_, i) => `tenant=${i}`)
    await w.manager.ensureActive('data', scopes)
    const { keyring, store } = await w.again({ init: false })
    const reads = store.calls.findActive
    expect(await keyring.loadActive('data', scopes)).toEqual([])
    expect(store.calls.findActive - reads).toBe(1)
  })

  test('a failure is given to everybody who waits and then forgotten', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('data', ['tenant=a'])
    const id = w.keyring.active('data', 'tenant=a').id
    const { keyring, store } = await w.again({ init: false })
    store.before = (call) => {
      if (call === 'get') throw new KeyStoreError('unavailable', 'down')
    }
    const failed = await Promise.allSettled([keyring.load([id]), keyring.load([id])])
    expect(failed.map((result) => result.status)).toEqual(['rejected', 'rejected'])
    store.before = () => {}
    await keyring.load([id])
    expect(keyring.find(id)?.id).toBe(id)
  })

  test('an id that does not exist is looked up once a second at most, and is no error', async () => {
    const { keyring, store } = await freshKeys()
    const reads = store.calls.get
    await keyring.load(['0'.repeat(32)])
    await keyring.load(['0'.repeat(32)])
    expect(store.calls.get - reads).toBe(1)
    expect(keyring.find('0'.repeat(32))).toBeUndefined()
  })

  test('a keyring smaller than the batch loads all the same, and makes no second key', async () => {
    const w = await freshKeys({ maxKeys: 3 })
    const scopes = Array.from({ length: 20 }, (_, i) => `tenant=${i}`)
    await w.manager.ensureActive('data', scopes)
    const keys = w.store.records.size
    const commits = w.store.calls.commit
    await w.manager.ensureActive('data', scopes)
    expect(w.store.records.size).toBe(keys)
    expect(w.store.calls.commit).toBe(commits)
    expect(w.heard.filter((event) => event.type === 'key.evicted' && event.why === 'capacity').length).toBeGreaterThan(
      10,
    )
  })

  test('an evicted key is wiped and cannot be used by who still holds it', async () => {
    const w = await freshKeys({ maxKeys: 1 })
    await w.manager.ensureActive('data', ['tenant=a'])
    const key = w.keyring.active('data', 'tenant=a')
    await w.manager.ensureActive('data', ['tenant=b'])
    expect(() => w.keyring.active('data', 'tenant=a')).toThrow(KeyNotResidentError)
    expect(() => key.encryptText(new Uint8Array(4), Buffer.alloc(100))).toThrow('wiped')
  })
})

describe('the lease of a root key', () => {
  test('is renewed ahead of its end, not by all processes at the same moment', async () => {
    const w = await freshKeys()
    const dues = new Set<number>()
    for (let i = 0; i < 20; i++) {
      const before = w.clock.waiting
      const { keyring } = await w.again({ init: false, refreshInterval: 3_600_000 })
      const due = w.clock.waiting.filter((at) => !before.includes(at) && at < TTL)
      for (const at of due) dues.add(at)
      keyring.close()
    }
    expect(dues.size).toBeGreaterThan(15)
    for (const at of dues) {
      expect(at).toBeGreaterThanOrEqual(0.7 * TTL)
      expect(at).toBeLessThanOrEqual(0.8 * TTL)
    }
  })

  test('keeps keys in use for as long as the KMS agrees', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('data', [''])
    const unwraps = w.kms.calls.unwrap
    for (let i = 0; i < 100; i++) {
      await w.clock.forward(TTL / 10)
      expect(w.keyring.active('data', '')).toBeInstanceOf(DataKey)
    }
    const calls = w.kms.calls.unwrap - unwraps
    expect(calls).toBeGreaterThanOrEqual(12)
    expect(calls).toBeLessThanOrEqual(15)
  })

  test('ends: without the KMS keys stop working at its end, and not before', async () => {
    const w = await freshKeys()
    const { provider, mood } = moody(w.kms)
    const { keyring, manager } = await w.again({ init: false, kms: provider })
    await manager.ensureActive('data', [''])
    const { id } = keyring.active('data', '')
    mood.error = outage
    await w.clock.forward(TTL - 1)
    expect(keyring.active('data', '').id).toBe(id)
    await w.clock.forward(1)
    expect(() => keyring.active('data', '')).toThrow(KeyNotResidentError)
    expect(keyring.find(id)).toBeUndefined()
    expect(keyring.holds('data', '')).toBe(false)
    await expect(keyring.load([id])).rejects.toThrow(KmsError)
    mood.error = undefined
    await keyring.load([id])
    expect(keyring.active('data', '').id).toBe(id)
  })

  test('has grace while the KMS is down, for the stated time and no longer', async () => {
    const w = await freshKeys()
    const { provider, mood } = moody(w.kms)
    const { keyring, manager, heard } = await w.again({ init: false, kms: provider, grace: 60_000 })
    await manager.ensureActive('data', [''])
    mood.error = outage
    await w.clock.forward(TTL + 59_999)
    expect(keyring.active('data', '')).toBeInstanceOf(DataKey)
    expect(heard.filter((event) => event.type === 'keyring.grace').length).toBeGreaterThan(0)
    await w.clock.forward(1)
    expect(() => keyring.active('data', '')).toThrow(KeyNotResidentError)
  })

  test('has no grace against a KMS that says no, and loses it when an outage ends in a no', async () => {
    const w = await freshKeys()
    const { provider, mood } = moody(w.kms)
    const { keyring, manager, heard } = await w.again({ init: false, kms: provider, grace: 600_000 })
    await manager.ensureActive('data', [''])
    mood.error = outage
    await w.clock.forward(TTL + 10_000)
    expect(keyring.active('data', '')).toBeInstanceOf(DataKey)
    mood.error = denial
    await w.clock.forward(10_000)
    expect(() => keyring.active('data', '')).toThrow(KeyNotResidentError)
    expect(heard.at(-1)).toMatchObject({ type: 'key.missed' })
  })

  test('a permission taken away stops all use within the lease', async () => {
    const w = await freshKeys()
    const { provider, mood } = moody(w.kms)
    const { keyring, manager } = await w.again({ init: false, kms: provider, grace: 600_000 })
    await manager.ensureActive('data', [''])
    mood.error = denial
    await w.clock.forward(TTL)
    expect(() => keyring.active('data', '')).toThrow(KeyNotResidentError)
    await expect(manager.ensureActive('data', [''])).rejects.toMatchObject({ kind: 'denied' })
  })

  test('recovers by itself when the KMS is back', async () => {
    const w = await freshKeys()
    const { provider, mood } = moody(w.kms)
    const { keyring, manager, heard } = await w.again({ init: false, kms: provider })
    await manager.ensureActive('data', [''])
    mood.error = outage
    await w.clock.forward(TTL + 100_000)
    mood.error = undefined
    await w.clock.forward(20_000) // the circuit breaker of the group asks again after its own time
    await settled()
    await keyring.loadActive('data', ['']).catch(() => undefined)
    expect(heard.some((event) => event.type === 'keyring.refresh-failed')).toBe(true)
  })
})

describe('what other processes do', () => {
  const steps = {
    suspend: (w: Awaited<ReturnType<typeof freshKeys>>, id: string) => w.manager.suspend(id),
    destroy: (w: Awaited<ReturnType<typeof freshKeys>>, id: string) => w.manager.destroy(id),
    compromise: (w: Awaited<ReturnType<typeof freshKeys>>, id: string) => w.manager.compromise(id),
    rotate: (w: Awaited<ReturnType<typeof freshKeys>>) => w.manager.rotate(),
  }
  test.each(Object.entries(steps))('%s is seen within the refresh interval', async (what, step) => {
    const w = await freshKeys()
    const { keyring, manager } = await w.again({ init: false, refreshInterval: 30_000 })
    await manager.ensureActive('data', [''])
    const old = keyring.active('data', '')
    await step(w, old.id)
    expect(keyring.active('data', '').id).toBe(old.id)
    await w.clock.forward(33_000)
    if (what === 'suspend' || what === 'destroy') expect(() => keyring.active('data', '')).toThrow(KeyNotResidentError)
    else expect(keyring.active('data', '').id).not.toBe(old.id)
    const held = keyring.find(old.id)
    const expected = { suspend: 'suspended', destroy: undefined, compromise: 'compromised', rotate: 'decrypt_only' }
    expect(held?.state).toBe(expected[what as keyof typeof expected])
  })

  test('is followed at the next refresh when the store was down at this one', async () => {
    const w = await freshKeys()
    const { keyring, manager } = await w.again({ init: false })
    await manager.ensureActive('data', [''])
    const { id } = keyring.active('data', '')
    await w.manager.suspend(id)
    w.store.before = (call) => {
      if (call === 'get') throw new KeyStoreError('unavailable', 'down')
    }
    await expect(keyring.refresh()).rejects.toThrow(KeyStoreError)
    w.store.before = () => {}
    await keyring.refresh()
    expect(() => keyring.active('data', '')).toThrow(KeyNotResidentError)
    expect(keyring.find(id)?.state).toBe('suspended')
  })

  test('is followed also when another call read the log first', async () => {
    const w = await freshKeys()
    const { keyring, manager } = await w.again({ init: false })
    await manager.ensureActive('data', ['', 'tenant=b'])
    const { id } = keyring.active('data', '')
    await w.manager.suspend(id)
    await keyring.ledger.sync()
    await keyring.refresh()
    expect(() => keyring.active('data', '')).toThrow(KeyNotResidentError)
  })

  test('a key whose changed record is gone or damaged is dropped at once', async () => {
    for (const damage of ['gone', 'damaged'] as const) {
      const w = await freshKeys()
      const { keyring, manager, heard } = await w.again({ init: false })
      await manager.ensureActive('data', [''])
      const { id } = keyring.active('data', '')
      await w.manager.suspend(id)
      if (damage === 'gone') w.store.records.delete(id)
      else w.store.edit(id, { state: 'active' })
      await expect(keyring.refresh()).rejects.toMatchObject({ fault: damage === 'gone' ? 'rollback' : 'mac' })
      expect(keyring.find(id)).toBeUndefined()
      expect(heard.some((event) => event.type === 'key.refused' && event.keyId === id)).toBe(true)
    }
  })

  test('a suspended key that comes in as a record does not go on encrypting', async () => {
    const w = await freshKeys()
    const { keyring, manager } = await w.again({ init: false })
    await manager.ensureActive('data', [''])
    const { id } = keyring.active('data', '')
    await w.manager.suspend(id)
    await keyring.loadScope('data', '')
    expect(() => keyring.active('data', '')).toThrow(KeyNotResidentError)
    expect(keyring.holds('data', '')).toBe(false)
  })

  test('a destroyed root key leaves memory with the refresh', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('data', [''])
    const { keyring, manager } = await w.again({ init: false })
    const old = await keyring.activeRoot()
    await w.manager.rotate({ purpose: 'root' })
    await w.manager.rewrap()
    await w.manager.retire(old.id)
    await w.manager.destroy(old.id)
    await keyring.refresh()
    expect(keyring.roots.resident(old.id)).toBeUndefined()
    await manager.ensureActive('data', [''])
    expect(keyring.active('data', '').root.id).not.toBe(old.id)
  })

  test('an index rotation leaves both versions searchable, the new one first', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('index', [''])
    const { keyring } = await w.again({ init: false })
    await keyring.loadScope('index', '')
    await w.manager.rotate({ purpose: 'index' })
    await keyring.refresh()
    expect(keyring.searchable('').map((key) => key.version)).toEqual([2, 1])
  })
})

describe('the end of a key', () => {
  test('expiresAt stops encryption and decryption, also when the record is put back', async () => {
    const w = await freshKeys()
    const expiresAt = new Date(w.clock.date().getTime() + 3_600_000)
    const { id } = await w.manager.add({ expiresAt })
    await w.manager.promote(id)
    const backup = w.store.snapshot()
    expect(w.keyring.active('data', '').expired(w.clock)).toBe(false)
    await w.clock.forward(expiresAt.getTime() - w.clock.date().getTime())
    Object.assign(w.store, backup)
    const { keyring } = await w.again({ init: false })
    await keyring.load([id])
    expect(keyring.find(id)?.expired(w.clock)).toBe(true)
    expect(() => keyring.active('data', '')).toThrow(KeyUnavailableError)
    w.store.edit(id, { expiresAt: null })
    await expect((await w.again({ init: false })).keyring.load([id])).rejects.toMatchObject({ fault: 'wrap' })
  })

  test('close wipes every key and refuses everything after it', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('data', [''])
    await w.manager.ensureActive('index', [''])
    const key = w.keyring.active('data', '')
    const index = w.keyring.active('index', '')
    let wiped = 0
    index.derive('x', () => ({ wipe: () => wiped++ }))
    const root = await w.keyring.activeRoot()
    w.keyring.close()
    w.keyring.close()
    expect(() => w.keyring.active('data', '')).toThrow(ClosedError)
    await expect(w.keyring.load(['0'.repeat(32)])).rejects.toThrow(ClosedError)
    await expect(w.keyring.refresh()).rejects.toThrow(ClosedError)
    expect(() => key.encryptText(new Uint8Array(4), Buffer.alloc(100))).toThrow('wiped')
    expect(() => root.wrap(new Uint8Array(32), root.record)).toThrow('wiped')
    expect(wiped).toBe(1)
    expect(root.usable(w.clock.now())).toBe(false)
    expect(w.clock.waiting).toEqual([])
    expect(w.heard.filter((event) => event.type === 'key.evicted').map((event) => event.why)).toEqual([
      'closed',
      'closed',
    ])
  })
})
