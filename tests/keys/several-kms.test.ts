import { describe, expect, it } from 'vitest'
import { faulty, memoryKeyStore, memoryKms } from '../../providers/testing/index.ts'
import type { StrongroomConfig } from '../../src/config.ts'
import { InvalidInputError, KmsError } from '../../src/errors.ts'
import type { StrongroomEvent } from '../../src/events.ts'
import type { KeyStore } from '../../src/key-store.ts'
import type { KmsProvider } from '../../src/kms.ts'
import { openStrongroom } from '../../src/strongroom.ts'

const resilience = { backoffMs: 1, maxBackoffMs: 2, maxAttempts: 2, hedgeAfterMs: 50 }
const context = { purpose: 'test' }
/** A KMS that outlives the rooms that use it, as a real one does. */
const named = (name: string): KmsProvider => {
  const { close: _, ...kms } = memoryKms({ name, keyId: `${name}-1` })
  return kms
}
const down = (kms: KmsProvider) => faulty(kms, { outages: [[0, Number.POSITIVE_INFINITY]] })

const open = (store: KeyStore, kms: KmsProvider | KmsProvider[], more: Partial<StrongroomConfig> = {}, init = false) =>
  openStrongroom({ name: 'app', store, kms, resilience, ...more }, { init })

async function providersOf(store: KeyStore): Promise<string[]> {
  const roots = await store.list({ purpose: 'root', limit: 10 })
  return roots.flatMap(({ wraps }) => wraps.map(({ provider }) => provider))
}

describe('several KMS at once', () => {
  it('every root key is wrapped under all of them, and any one of them opens everything', async () => {
    const store = memoryKeyStore()
    const kms = [named('a'), named('b'), named('c')]
    const room = await open(store, kms, {}, true)
    const ciphertext = room.encrypt('hello', { context })
    await room.close()
    expect(await providersOf(store)).toEqual(['a', 'b', 'c'])
    for (const only of kms.map(({ name }) => name)) {
      const others = kms.map((one) => (one.name === only ? one : down(one)))
      const again = await open(store, others)
      expect(again.decrypt(ciphertext, { context })).toBe('hello')
      await again.close()
    }
  })

  it('with one down no root key is made, unless minWraps allows it; then the gap is told, and rewrap closes it', async () => {
    const [a, b] = [named('a'), named('b')]
    const store = memoryKeyStore()
    await expect(open(store, [a, down(b)], {}, true)).rejects.toThrow(KmsError)
    expect(store.size).toBe(0)

    const events: StrongroomEvent[] = []
    const options = {
      resilience: { ...resilience, minWraps: 1 },
      onEvent: (event: StrongroomEvent) => events.push(event),
    }
    const room = await open(store, [a, down(b)], options, true)
    const ciphertext = room.encrypt('hello', { context })
    await room.close()
    expect(await providersOf(store)).toEqual(['a'])
    expect(events).toContainEqual({ type: 'kms.missing', provider: 'b', keyId: 'b-1', kind: 'unavailable' })

    const whole = await open(store, [a, b])
    await whole.keys.rewrap()
    await whole.close()
    expect(await providersOf(store)).toEqual(['a', 'b'])
    const onB = await open(store, [down(a), b])
    expect(onB.decrypt(ciphertext, { context })).toBe('hello')
    await onB.close()
  })

  it('rewrap while one is down keeps what that one once wrapped', async () => {
    const [a, b] = [named('a'), named('b')]
    const store = memoryKeyStore()
    await (await open(store, [a, b], {}, true)).close()
    const room = await open(store, [a, down(b)], { resilience: { ...resilience, minWraps: 1 } })
    expect((await room.keys.rewrap()).missing).toEqual([{ provider: 'b', keyId: 'b-1' }])
    await room.close()
    expect((await providersOf(store)).sort()).toEqual(['a', 'b'])
    await (await open(store, [down(a), b])).close()
  })

  it('rewrap moves from one vendor to another without touching data', async () => {
    const [old, fresh] = [named('old'), named('fresh')]
    const store = memoryKeyStore()
    const first = await open(store, old, {}, true)
    const ciphertext = first.encrypt('hello', { context })
    await first.close()
    const between = await open(store, [fresh, old])
    await between.keys.rewrap()
    await between.close()
    const after = await open(store, fresh)
    expect(after.decrypt(ciphertext, { context })).toBe('hello')
    await after.keys.rewrap()
    await after.close()
    expect(await providersOf(store)).toEqual(['fresh'])
  })

  it('wraps of different keys behind one record are caught, whichever comes first', async () => {
    const [a, b] = [named('a'), named('b')]
    const [one, two] = [memoryKeyStore(), memoryKeyStore()]
    await (await open(one, [a, b], {}, true)).close()
    await (await open(two, [a, b], {}, true)).close()
    const [record] = await one.list({ purpose: 'root', limit: 1 })
    const [foreign] = await two.list({ purpose: 'root', limit: 1 })
    if (record === undefined || foreign === undefined) throw new Error('no root key')
    const mixed = memoryKeyStore({ records: [{ ...record, wraps: foreign.wraps }], log: await one.log(0, 10) })
    await expect(open(mixed, [a, b])).rejects.toThrow()
  })
})

describe('a store that takes few records at once', () => {
  it('is given no more, for making, rotating and rewrapping keys of many scopes', async () => {
    const inner = memoryKeyStore()
    let largest = 0
    const store: KeyStore = {
      ...inner,
      maxCommit: 7,
      commit: async (commit) => {
        largest = Math.max(largest, commit.puts.length)
        if (commit.puts.length > 7) throw new InvalidInputError('too many')
        return inner.commit(commit)
      },
    }
    const room = await open(store, named('a'), {}, true)
    const scopes = Array.from({ length: 40 }, (_, at) => ({ tenant: `t${at}` }))
    await room.unlock(scopes)
    expect(await room.keys.rotate({ scope: 'all' })).toHaveLength(41) // and the empty scope
    await room.keys.rotate({ purpose: 'root' })
    expect((await room.keys.rewrap()).keys).toBe(82)
    expect(largest).toBe(7)
    await room.close()
  })
})
