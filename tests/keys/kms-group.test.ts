import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { rawAes } from '../../providers/raw/index.ts'
import { ConfigError, InvalidInputError, KmsError, type KmsErrorKind } from '../../src/errors.ts'
import { EventHub, type StrongroomEvent } from '../../src/events.ts'
import { type KmsGroupOptions, kmsGroup } from '../../src/keys/kms-group.ts'
import type { KmsProvider, WrappedKey } from '../../src/kms.ts'

const context = { purpose: 'root' }
const quick = { backoffMs: 1, maxBackoffMs: 2, maxAttempts: 3 }

interface Kms extends KmsProvider {
  calls: { wrap: number; unwrap: number }
  /** What the next calls do instead of their work. */
  fault: KmsErrorKind | 'hang' | 'different' | 'short' | undefined
  faults: number
}

/** A raw AES key that counts its calls and fails on demand. */
function kms(name: string): Kms {
  const inner = rawAes({ namespace: name, name: 'k', key: randomBytes(32) })
  const act = async <T>(work: () => Promise<T>): Promise<T> => {
    const { fault } = self
    if (fault === undefined || self.faults-- <= 0) return work()
    if (fault === 'hang') return new Promise(() => {})
    if (fault === 'different') return randomBytes(32) as T
    if (fault === 'short') return randomBytes(5) as T
    throw new KmsError(name, fault, fault)
  }
  const self: Kms = {
    ...inner,
    calls: { wrap: 0, unwrap: 0 },
    fault: undefined,
    faults: Number.POSITIVE_INFINITY,
    wrap: (key, call) => {
      self.calls.wrap++
      return act(() => inner.wrap(key, call))
    },
    unwrap: (wrapped, call) => {
      self.calls.unwrap++
      return act(() => inner.unwrap(wrapped, call))
    },
  }
  return self
}

async function wrapped(providers: Kms[], options: Partial<KmsGroupOptions> = {}) {
  const events = new EventHub()
  const seen: StrongroomEvent[] = []
  events.on('*', (event) => seen.push(event))
  const group = kmsGroup({ providers, events, ...quick, ...options })
  const key = randomBytes(32)
  const { wraps } = await group.wrap(key, { context })
  seen.length = 0
  return { group, key, wraps, seen, verify: (candidate: Uint8Array) => Buffer.compare(key, candidate) === 0 }
}

describe('wrap', () => {
  it('wraps under every provider, and any one of them opens it', async () => {
    const [a, b, c] = [kms('a'), kms('b'), kms('c')]
    const { wraps, key, verify } = await wrapped([a, b, c])
    expect(wraps.map(({ provider }) => provider)).toEqual(['a', 'b', 'c'])
    for (const one of [a, b, c]) {
      const alone = kmsGroup({ providers: [one], events: new EventHub() })
      expect(await alone.unwrap(wraps, { context }, verify)).toEqual(key)
    }
  })

  it('fails when one provider is down, because every provider must hold the key', async () => {
    const [a, b] = [kms('a'), kms('b')]
    b.fault = 'unavailable'
    const group = kmsGroup({ providers: [a, b], events: new EventHub(), ...quick })
    await expect(group.wrap(randomBytes(32), { context })).rejects.toMatchObject({ provider: 'b', kind: 'unavailable' })
  })

  it('goes on with minWraps when one is down, and says what is missing', async () => {
    const [a, b] = [kms('a'), kms('b')]
    b.fault = 'throttled'
    const group = kmsGroup({ providers: [a, b], events: new EventHub(), ...quick, minWraps: 1 })
    const { wraps, missing } = await group.wrap(randomBytes(32), { context })
    expect(wraps.map(({ provider }) => provider)).toEqual(['a'])
    expect(missing).toMatchObject([{ provider: 'b', keyId: 'k', error: { kind: 'throttled' } }])
  })

  it('does not count a recovery key, which opens nothing, for minWraps', async () => {
    const [a, b] = [kms('a'), kms('b')]
    const recovery = { ...kms('r'), recovery: { publicKey: new Uint8Array(32), open: () => kms('r') } }
    const group = kmsGroup({ providers: [a, b, recovery], events: new EventHub(), ...quick, minWraps: 1 })
    b.fault = 'unavailable'
    const { wraps } = await group.wrap(randomBytes(32), { context })
    expect(wraps.map(({ provider }) => provider)).toEqual(['a', 'r'])
    a.fault = 'unavailable'
    await expect(group.wrap(randomBytes(32), { context })).rejects.toMatchObject({ kind: 'unavailable' })
    for (const options of [{ providers: [recovery] }, { providers: [a, recovery], minWraps: 2 }]) {
      expect(() => kmsGroup({ events: new EventHub(), ...options })).toThrow(ConfigError)
    }
  })

  it('refuses a wrap that its own provider would not open', async () => {
    const a = kms('a')
    a.wrap = async () => ({ provider: 'a', keyId: 'other', ciphertext: new Uint8Array(60) })
    const group = kmsGroup({ providers: [a], events: new EventHub() })
    await expect(group.wrap(randomBytes(32), { context })).rejects.toMatchObject({ kind: 'misconfigured' })
  })

  it('passes on a mistake of the caller as such', async () => {
    const group = kmsGroup({ providers: [kms('a'), kms('b')], events: new EventHub(), minWraps: 1 })
    await expect(group.wrap(new Uint8Array(5), { context })).rejects.toThrow(InvalidInputError)
  })
})

describe('unwrap', () => {
  it('asks the first provider alone while it answers', async () => {
    const [a, b] = [kms('a'), kms('b')]
    const { group, wraps, key, verify, seen } = await wrapped([a, b])
    expect(await group.unwrap(wraps, { context }, verify)).toEqual(key)
    expect([a.calls.unwrap, b.calls.unwrap]).toEqual([1, 0])
    expect(seen).toMatchObject([{ type: 'kms.called', provider: 'a', operation: 'unwrap' }])
  })

  it('falls over to the next provider when the first is down, and then prefers the healthy one', async () => {
    const [a, b] = [kms('a'), kms('b')]
    const { group, wraps, key, verify } = await wrapped([a, b], { openAfter: 3 })
    a.fault = 'unavailable'
    expect(await group.unwrap(wraps, { context }, verify)).toEqual(key)
    const asked = a.calls.unwrap
    await expect(group.unwrap(wraps, { context }, verify)).resolves.toEqual(key)
    for (let i = 0; i < 5; i++) expect(await group.unwrap(wraps, { context }, verify)).toEqual(key)
    expect(a.calls.unwrap).toBe(asked)
  })

  it('comes back to the first provider by itself once that is up again', async () => {
    const [a, b] = [kms('a'), kms('b')]
    const { group, wraps, verify } = await wrapped([a, b], { openAfter: 1, probeAfterMs: 20 })
    a.fault = 'unavailable'
    await group.unwrap(wraps, { context }, verify)
    a.fault = undefined
    await delay(30)
    a.calls.unwrap = b.calls.unwrap = 0
    for (let i = 0; i < 3; i++) await group.unwrap(wraps, { context }, verify)
    expect([a.calls.unwrap, b.calls.unwrap]).toEqual([3, 0])
  })

  it('hedges: asks the next provider when the first has not answered in time', async () => {
    const [a, b] = [kms('a'), kms('b')]
    const { group, wraps, key, verify } = await wrapped([a, b], { hedgeAfterMs: 20 })
    a.fault = 'hang'
    const start = performance.now()
    expect(await group.unwrap(wraps, { context }, verify)).toEqual(key)
    expect(performance.now() - start).toBeGreaterThan(15)
    expect(performance.now() - start).toBeLessThan(1000)
  })

  it('makes no call for a wrap that names a key not configured', async () => {
    const a = kms('a')
    const { group, wraps, verify } = await wrapped([a])
    const foreign = wraps.flatMap((wrap): WrappedKey[] => [
      { ...wrap, keyId: 'evil' },
      { ...wrap, provider: 'aws-kms' },
    ])
    await expect(group.unwrap(foreign, { context }, verify)).rejects.toMatchObject({ kind: 'misconfigured' })
    await expect(group.unwrap([], { context }, verify)).rejects.toThrow('it is wrapped under nothing')
    expect(a.calls.unwrap).toBe(0)
  })

  it('looks at 10 wraps at most, however many a record holds', async () => {
    const a = kms('a')
    const { group, wraps, verify } = await wrapped([a])
    const bad = { ...(wraps[0] as WrappedKey), ciphertext: randomBytes(60) }
    const many = [...Array<WrappedKey>(65_535).fill(bad), ...wraps]
    await expect(group.unwrap(many, { context }, verify)).rejects.toMatchObject({ kind: 'invalid-ciphertext' })
    expect(a.calls.unwrap).toBeLessThanOrEqual(10)
  })

  it('sends no ciphertext that is longer than any service writes', async () => {
    const a = kms('a')
    const { group, wraps, verify } = await wrapped([a])
    const long = { ...(wraps[0] as WrappedKey), ciphertext: new Uint8Array(8193) }
    await expect(group.unwrap([long], { context }, verify)).rejects.toThrow(KmsError)
    expect(a.calls.unwrap).toBe(0)
  })

  it('never returns a different key: it is refused, and the refusal says so', async () => {
    const a = kms('a')
    const { group, wraps, verify, seen } = await wrapped([a])
    a.fault = 'different'
    await expect(group.unwrap(wraps, { context }, verify)).rejects.toMatchObject({
      kind: 'invalid-ciphertext',
      message: 'a: returned a different key',
    })
    expect(seen.filter(({ type }) => type === 'kms.failed')).toHaveLength(3)
  })

  it.each(['different', 'short'] as const)('gets over one %s key, and reports it', async (fault) => {
    const a = kms('a')
    const { group, wraps, key, verify, seen } = await wrapped([a])
    a.fault = fault
    a.faults = 1
    expect(await group.unwrap(wraps, { context }, verify)).toEqual(key)
    expect(seen).toContainEqual(expect.objectContaining({ type: 'kms.failed', kind: 'invalid-ciphertext' }))
  })

  it('two providers that hold different keys behind one record are caught', async () => {
    const [a, b] = [kms('a'), kms('b')]
    const { group, wraps, verify } = await wrapped([a, b])
    const other = await wrapped([a, b])
    const mixed = [other.wraps[0], other.wraps[1]] as WrappedKey[]
    await expect(group.unwrap(mixed, { context }, verify)).rejects.toThrow(/returned a different key$/)
    expect(await group.unwrap([other.wraps[0], wraps[1]] as WrappedKey[], { context }, verify)).toBeDefined()
  })

  it('says first what can be waited out when all fail', async () => {
    const [a, b] = [kms('a'), kms('b')]
    const { group, wraps, verify } = await wrapped([a, b])
    a.fault = 'denied'
    b.fault = 'unavailable'
    await expect(group.unwrap(wraps, { context }, verify)).rejects.toMatchObject({
      provider: 'b',
      kind: 'unavailable',
      message: expect.stringContaining('denied'),
    })
  })

  it('refuses another context', async () => {
    const { group, wraps, verify } = await wrapped([kms('a')])
    await expect(group.unwrap(wraps, { context: { purpose: 'data' } }, verify)).rejects.toThrow(KmsError)
  })

  it('rejects with the reason of a caller who aborts', async () => {
    const [a, b] = [kms('a'), kms('b')]
    const { group, wraps, verify } = await wrapped([a, b], { hedgeAfterMs: 5 })
    a.fault = b.fault = 'hang'
    const abort = new AbortController()
    const reason = new Error('enough')
    setTimeout(() => abort.abort(reason), 20)
    await expect(group.unwrap(wraps, { context, signal: abort.signal }, verify)).rejects.toBe(reason)
  })

  it('wipes keys that fail the check and keys that come too late', async () => {
    const [a, b] = [kms('a'), kms('b')]
    const { group, wraps, key } = await wrapped([a, b], { hedgeAfterMs: 5 })
    const given: Uint8Array[] = []
    const unwrap = a.unwrap
    a.unwrap = async (wrap, call) => {
      const late = await unwrap(wrap, call)
      await delay(40)
      given.push(late)
      return late
    }
    const seen: Uint8Array[] = []
    const verify = (candidate: Uint8Array) => seen.push(candidate) > 1
    expect(await group.unwrap(wraps, { context }, verify)).toEqual(key)
    await delay(80)
    expect(seen[0]?.every((byte) => byte === 0)).toBe(true)
    expect(given[0]?.every((byte) => byte === 0)).toBe(true)
  })
})

describe('options', () => {
  it.each([{ providers: [] }, { minWraps: 0 }, { minWraps: 2 }, { minWraps: 1.5 }])('refuses %j', (options) => {
    expect(() => kmsGroup({ providers: [kms('a')], events: new EventHub(), ...options })).toThrow(ConfigError)
  })

  it('closes every provider', async () => {
    let closed = 0
    const providers = [kms('a'), kms('b')].map((one) => ({ ...one, close: async () => void closed++ }))
    await kmsGroup({ providers, events: new EventHub() }).close()
    expect(closed).toBe(2)
  })
})
