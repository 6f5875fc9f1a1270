import { describe, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../providers/memory/index.ts'
import { KeyStateError, KeyStoreError, KeyUnavailableError, KmsError } from '../../src/errors.ts'
import type { KeyRecord, KeyStore } from '../../src/key-store.ts'
import { IndexKey } from '../../src/keys/index-key.ts'
import type { KmsProvider } from '../../src/kms.ts'
import { type EditableStore, FakeClock, freshKeys, openKeys } from './fixtures.ts'

const active = (records: Iterable<KeyRecord>, purpose: string, scope = '') =>
  [...records].filter((r) => r.purpose === purpose && r.scope === scope && r.state === 'active')

const PROCESSES = 20

/** Keyrings that share nothing but the store and the KMS, as processes do. */
async function processes(store: KeyStore, kms: KmsProvider, open = true) {
  return Promise.all(Array.from({ length: PROCESSES }, () => openKeys({ store, kms, clock: new FakeClock(), open })))
}

describe('many processes at once', () => {
  test('make one root key', async () => {
    const store = memoryKeyStore()
    await processes(store, memoryKms())
    expect(await store.list({ purpose: 'root', limit: 100 })).toHaveLength(1)
    expect(await store.log(0, 100)).toHaveLength(1)
  })

  test('make one active key for each of many scopes', async () => {
    const store = memoryKeyStore()
    const all = await processes(store, memoryKms())
    const scopes = Array.from({ length: 50 }, (_, i) => `tenant=${i}`)
    await Promise.all(all.map(({ manager }) => manager.ensureActive('data', scopes)))
    const records = await store.list({ purpose: 'data', limit: 1000 })
    expect(records).toHaveLength(50)
    for (const scope of scopes) {
      const ids = new Set(all.map(({ keyring }) => keyring.active('data', scope).id))
      expect(ids.size).toBe(1)
    }
  })

  test('rotate the same key and leave one active, with every older one still decrypting', async () => {
    const store = memoryKeyStore()
    const all = await processes(store, memoryKms())
    await all[0]?.manager.ensureActive('data', [''])
    const results = await Promise.allSettled(all.map(({ manager }) => manager.rotate()))
    const records = await store.list({ purpose: 'data', limit: 1000 })
    expect(active(records, 'data')).toHaveLength(1)
    for (const record of records) expect(['active', 'decrypt_only', 'pending']).toContain(record.state)
    expect(new Set(records.map((record) => record.generation)).size).toBe(records.length)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(KeyStoreError)
    }
    expect(results.filter((result) => result.status === 'fulfilled').length).toBeGreaterThan(0)
    const { manager } = await openKeys({ store, kms: all[0]?.kms as KmsProvider, init: false })
    expect(await manager.list({ limit: 1000 })).toHaveLength(records.length + 1)
  })

  test('rotate the root key: one wins, the log stays whole', async () => {
    const store = memoryKeyStore()
    const kms = memoryKms()
    const all = await processes(store, kms)
    const results = await Promise.allSettled(all.slice(0, 5).map(({ manager }) => manager.rotate({ purpose: 'root' })))
    expect(results.some((result) => result.status === 'fulfilled')).toBe(true)
    expect(active(await store.list({ purpose: 'root', limit: 1000 }), 'root')).toHaveLength(1)
    const { manager } = await openKeys({ store, kms, init: false })
    await manager.ensureActive('data', [''])
  })

  test('suspending one key from all sides at once happens once', async () => {
    const store = memoryKeyStore()
    const all = await processes(store, memoryKms())
    await all[0]?.manager.ensureActive('data', [''])
    const [record] = await store.list({ purpose: 'data', limit: 1 })
    const results = await Promise.allSettled(all.map(({ manager }) => manager.suspend(record?.id as string)))
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(KeyStateError)
    }
  })
})

describe('a crash between the steps of a rotation', () => {
  const kinds = ['data', 'index', 'pepper', 'root'] as const
  test.each(kinds)('of a %s key is repaired by running it again', async (purpose) => {
    for (let deadly = 1; deadly <= 4; deadly++) {
      for (const moment of ['before', 'after'] as const) {
        const w = await freshKeys()
        if (purpose !== 'root') await w.manager.ensureActive(purpose, [''])
        await w.manager.ensureActive('data', [''])
        const dying = await w.again({ init: false })
        let commits = 0
        const die = () => {
          if (++commits === deadly) throw new KeyStoreError('unavailable', 'killed')
        }
        if (moment === 'after') w.store.after = die
        else w.store.before = (call) => (call === 'commit' ? die() : undefined)
        const died = await dying.manager.rotate({ purpose }).then(
          () => false,
          () => true,
        )
        w.store.after = () => {}
        w.store.before = () => {}
        const before = active(w.store.records.values(), purpose)
        expect(before).toHaveLength(1)
        const next = await w.again({ init: false })
        await next.manager.rotate({ purpose })
        const [now] = active(w.store.records.values(), purpose)
        expect(now?.id).not.toBe(before[0]?.id)
        expect([...w.store.records.values()].filter((record) => record.state === 'pending')).toEqual([])
        await next.manager.ensureActive('data', [''])
        expect(next.keyring.active('data', '').id).toBe(active(w.store.records.values(), 'data')[0]?.id)
        if (!died) return
      }
    }
  })

  test('a waiting key left behind is taken by the next rotation, not added to', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('data', [''])
    const waiting = await w.manager.add()
    const [rotation] = await w.manager.rotate()
    expect(rotation?.created.id).toBe(waiting.id)
    expect(w.store.records.size).toBe(3)
  })
})

describe('rotation', () => {
  test('of all scopes touches each once and reports both keys', async () => {
    const w = await freshKeys()
    const scopes = ['', 'tenant=a', 'tenant=b']
    await w.manager.ensureActive('data', scopes)
    const seen: number[] = []
    const rotations = await w.manager.rotate({ scope: 'all', reason: 'yearly', onProgress: (n) => seen.push(n) })
    expect(rotations).toHaveLength(3)
    for (const { created, replaced } of rotations) {
      expect([created.state, replaced?.state]).toEqual(['active', 'decrypt_only'])
      expect(created.generation).toBe((replaced?.generation ?? 0) + 1)
      expect(created.reason).toBe('yearly')
      expect(w.keyring.active('data', created.scope === 'the empty scope' ? '' : created.scope).id).toBe(created.id)
    }
    expect(seen).toEqual([3])
  })

  test('of a scope that has no active key says why', async () => {
    const w = await freshKeys()
    await expect(w.manager.rotate()).rejects.toMatchObject({ code: 'ERR_KEY_UNAVAILABLE', state: 'none' })
    await w.manager.ensureActive('data', [''])
    const { id } = w.keyring.active('data', '')
    await w.manager.suspend(id)
    await expect(w.manager.rotate()).rejects.toMatchObject({ state: 'suspended', keyId: id })
    await expect(w.manager.ensureActive('data', [''])).rejects.toThrow(KeyUnavailableError)
    await w.manager.resume(id)
    await w.manager.rotate()
  })

  test('does not bring a scope back that was suspended or destroyed meanwhile', async () => {
    for (const [verb, state] of [
      ['suspend', 'suspended'],
      ['destroy', 'destroyed'],
    ] as const) {
      const w = await freshKeys()
      await w.manager.ensureActive('data', [''])
      const { id } = w.keyring.active('data', '')
      const other = await w.again({ init: false })
      const commit = w.store.commit.bind(w.store)
      w.store.commit = async (step) => {
        // The waiting key is stored, the swap is not.
        w.store.commit = commit
        const result = await commit(step)
        await other.manager[verb](id)
        return result
      }
      await expect(w.manager.rotate()).rejects.toThrow(KeyUnavailableError)
      const records = [...w.store.records.values()].filter(({ purpose }) => purpose === 'data')
      expect(records.map((record) => record.state).sort()).toEqual(['pending', state].sort())
      const waiting = records.find((record) => record.state === 'pending')
      expect((await w.manager.promote(waiting?.id as string)).created.state).toBe('active')
    }
  })

  test('index versions are one byte: after 255 comes 1', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('index', [''])
    const root = await w.keyring.activeRoot()
    const record = w.store.records.get(w.keyring.active('index', '').id) as KeyRecord
    const versionOf = (generation: number) => new IndexKey(new Uint8Array(32), { ...record, generation }, root).version
    expect([1, 2, 254, 255, 256, 257, 510, 511].map(versionOf)).toEqual([1, 2, 254, 255, 1, 2, 255, 1])
    await w.manager.rotate({ purpose: 'index' })
    expect(w.keyring.active('index', '').version).toBe(2)
  })

  test('a compromised key that writes is rotated first', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('data', [''])
    const { id } = w.keyring.active('data', '')
    await w.manager.compromise(id, 'found in a log')
    expect((await w.manager.get(id)).reason).toBe('found in a log')
    expect(w.keyring.active('data', '').id).not.toBe(id)
  })
})

describe('the root key', () => {
  test('rotates, rewraps everything, and then the old one can be destroyed', async () => {
    const w = await freshKeys()
    const scopes = Array.from({ length: 30 }, (_, i) => `tenant=${i}`)
    await w.manager.ensureActive('data', scopes)
    await w.manager.destroy(w.keyring.active('data', 'tenant=29').id)
    const old = await w.keyring.activeRoot()
    const [{ created } = { created: undefined }] = await w.manager.rotate({ purpose: 'root' })
    await expect(w.manager.retire(old.id)).rejects.toThrow(KeyStateError)
    const report = await w.manager.rewrap()
    expect(report).toMatchObject({ roots: 2, keys: 30, missing: [] })
    for (const record of w.store.records.values()) {
      if (record.purpose !== 'root') expect(record.parent).toBe(created?.id)
    }
    await w.manager.retire(old.id)
    await w.manager.destroy(old.id)
    expect(w.store.records.get(old.id)).toMatchObject({ state: 'destroyed', wraps: [], parent: created?.id })
    const fresh = await w.again({ init: false })
    await fresh.keyring.loadActive('data', scopes.slice(0, 29))
    for (const scope of scopes.slice(0, 29)) {
      expect(fresh.keyring.active('data', scope).id).toBe(w.keyring.active('data', scope).id)
    }
    expect(await fresh.manager.list()).toHaveLength(32)
  })

  test('that is retired moves to another KMS with the others, and can be put back and destroyed there', async () => {
    const [one, two] = [memoryKms({ name: 'one' }), memoryKms({ name: 'two' })]
    const w = await openKeys({ kms: one })
    const { id } = await w.keyring.activeRoot()
    await w.manager.rotate({ purpose: 'root' })
    await w.manager.rewrap()
    await w.manager.retire(id)
    const both = await openKeys({ store: w.store, kms: [two, one], init: false })
    expect(await both.manager.rewrap()).toMatchObject({ roots: 2, missing: [] })
    const alone = await openKeys({ store: w.store, kms: two, init: false })
    expect((await alone.manager.list()).map(({ state }) => state).sort()).toEqual(['active', 'destroy_scheduled'])
    await alone.manager.cancelRetire(id)
    await alone.manager.retire(id)
    await alone.manager.destroy(id)
  })

  test('that is retired and opens no more does not keep the others from moving', async () => {
    const [one, two] = [memoryKms({ name: 'one' }), memoryKms({ name: 'two' })]
    const w = await openKeys({ kms: one })
    const { id } = await w.keyring.activeRoot()
    await w.manager.rotate({ purpose: 'root' })
    await w.manager.rewrap()
    await w.manager.retire(id)
    const store = w.store as EditableStore
    store.edit(id, { wraps: [{ ...store.records.get(id)?.wraps[0], keyId: 'gone' }] })
    const both = await openKeys({ store: w.store, kms: [two, one], init: false })
    await expect(both.manager.rewrap()).rejects.toThrow(KmsError)
    const alone = await openKeys({ store: w.store, kms: two, init: false })
    await alone.manager.ensureActive('data', [''])
  })

  test('cannot be taken away while others stand on it', async () => {
    const w = await freshKeys()
    const { id } = await w.keyring.activeRoot()
    await expect(w.manager.suspend(id)).rejects.toThrow(KeyStateError)
    await expect(w.manager.destroy(id)).rejects.toThrow(KeyStateError)
    await expect(w.manager.retire(id)).rejects.toThrow(KeyStateError)
    await w.again({ init: false })
  })

  test('that is compromised is replaced, and its children can be moved away', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('data', [''])
    const { id } = await w.keyring.activeRoot()
    await w.manager.compromise(id)
    await w.manager.rewrap()
    await w.manager.retire(id)
    await w.manager.destroy(id)
    const { keyring } = await w.again({ init: false })
    await keyring.loadActive('data', [''])
    expect(keyring.active('data', '').root.id).not.toBe(id)
  })

  test('a rewrap that is stopped goes on where it stopped', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive(
      'data',
      Array.from({ length: 600 }, (_, i) => `tenant=${i}`),
    )
    await w.manager.rotate({ purpose: 'root' })
    const stop = new AbortController()
    await expect(
      w.manager.rewrap({ signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) }),
    ).rejects.toThrow('enough')
    const { keys } = await (await w.again({ init: false })).manager.rewrap()
    expect(keys).toBeGreaterThan(0)
    expect(keys).toBeLessThan(600)
  })
})

describe('several key management services', () => {
  const down = (kms: KmsProvider): KmsProvider => ({
    ...kms,
    wrap: async () => Promise.reject(new KmsError(kms.name, 'unavailable', 'down')),
    unwrap: async () => Promise.reject(new KmsError(kms.name, 'unavailable', 'down')),
  })
  const one = memoryKms({ name: 'one' })
  const two = memoryKms({ name: 'two' })
  const rootOf = (store: KeyStore) => [...(store as EditableStore).records.values()].find((r) => r.purpose === 'root')
  const providersOf = (store: KeyStore) => rootOf(store)?.wraps.map((wrap) => wrap.provider)

  test('any of them opens the keys', async () => {
    const w = await openKeys({ kms: [one, two] })
    expect(providersOf(w.store)).toEqual(['one', 'two'])
    for (const kms of [one, two, [down(one), two], [one, down(two)]])
      await openKeys({ store: w.store, kms, init: false })
  })

  test('a wrap that was missing at creation is added by rewrap', async () => {
    const w = await openKeys({ kms: [one, down(two)], minWraps: 1 })
    expect(providersOf(w.store)).toEqual(['one'])
    const { manager } = await openKeys({ store: w.store, kms: [one, two], init: false })
    expect((await manager.rewrap()).missing).toEqual([])
    expect(providersOf(w.store)).toEqual(['one', 'two'])
    await openKeys({ store: w.store, kms: two, init: false })
  })

  test('a rewrap while one of them is down keeps the wrap that it made before', async () => {
    const w = await openKeys({ kms: [one, two] })
    const { manager } = await openKeys({ store: w.store, kms: [one, down(two)], minWraps: 1, init: false })
    const report = await manager.rewrap()
    expect(report.missing).toEqual([{ provider: 'two', keyId: two.keyId }])
    expect(providersOf(w.store)).toEqual(['one', 'two'])
    await openKeys({ store: w.store, kms: two, init: false })
  })

  test('keys move from one to another by rewrap, and the first is needed no more', async () => {
    const w = await openKeys({ kms: one })
    await w.manager.ensureActive('data', [''])
    const { id } = w.keyring.active('data', '')
    const moving = await openKeys({ store: w.store, kms: [two, one], init: false })
    await moving.manager.rewrap()
    const last = await openKeys({ store: w.store, kms: two, init: false })
    await last.manager.rewrap()
    expect(providersOf(w.store)).toEqual(['two'])
    await last.keyring.loadActive('data', [''])
    expect(last.keyring.active('data', '').id).toBe(id)
    await expect(openKeys({ store: w.store, kms: one, init: false })).rejects.toMatchObject({ kind: 'misconfigured' })
  })
})

describe('what the manager is given', () => {
  test('a scope too long for key stores is refused before anything is written', async () => {
    const w = await freshKeys()
    const before = w.store.snapshot()
    await expect(w.manager.add({ scope: { tenant: '鍵'.repeat(150) } })).rejects.toThrow(TypeError)
    expect(w.store.snapshot()).toEqual(before)
  })
})
