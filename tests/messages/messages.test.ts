import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { ClosedError, ConfigError, DecryptionError, InvalidInputError, KmsError } from '../../src/errors.ts'
import type { OpenMaterials } from '../../src/messages/authenticate.ts'
import { DataKeyCache, DEFAULT_REUSE } from '../../src/messages/data-key-cache.ts'
import { parseHeader } from '../../src/messages/header.ts'
import { bytesSource } from '../../src/messages/inspect.ts'
import { openMessage, sealMessage } from '../../src/messages/message.ts'
import { createMessages } from '../../src/messages/messages.ts'
import { openHeader } from '../../src/messages/open.ts'
import { planOpen } from '../../src/messages/open-plan.ts'
import { suites } from '../../src/messages/suites.ts'
import { ada, bob, LIMITS, pattern, watched } from './fixtures.ts'
import { collect, streamOf } from './streams.ts'

describe('the messages of an application', () => {
  it('carry its name, and are refused by another that has the same key', async () => {
    const billing = createMessages({ kms: ada, name: 'billing' })
    const shop = createMessages({ kms: ada, name: 'shop' })
    const message = await billing.seal('x', { context: { a: '1' } })
    expect({ ...(await billing.open(message, { context: { a: '1' } })).context }).toEqual({ a: '1' })
    await expect(shop.open(message)).rejects.toThrow(DecryptionError)
    await expect(collect(streamOf(message, 9).pipeThrough(shop.openStream()))).rejects.toThrow(DecryptionError)
    await expect(shop.openRange(bytesSource(message), 0, 1)).rejects.toThrow(DecryptionError)
    expect((await openMessage(ada, message)).context).toMatchObject({ strongroom: 'billing', a: '1' })
  })

  it('of other programs, which name no application, are opened', async () => {
    const billing = createMessages({ kms: ada, name: 'billing' })
    expect((await billing.open(await sealMessage(ada, 'x'))).plaintext.toString()).toBe('x')
  })

  it('cannot be given the name of an application by their context', async () => {
    const billing = createMessages({ kms: ada, name: 'billing' })
    await expect(billing.seal('x', { context: { strongroom: 'shop' } })).rejects.toThrow(InvalidInputError)
  })

  it('work as streams, Node streams and ranges', async () => {
    const room = createMessages({ kms: ada, name: 'billing' })
    const sealed = await collect(streamOf(pattern(100), 30).pipeThrough(room.sealStream({ frameLength: 16 })))
    expect((await room.open(sealed)).plaintext.equals(pattern(100))).toBe(true)
    expect((await room.openRange(bytesSource(sealed), 20, 40)).equals(pattern(100).subarray(20, 40))).toBe(true)
    const parts: Buffer[] = []
    const node = room.sealNodeStream()
    node.end('text')
    for await (const part of node.pipe(room.openNodeStream())) parts.push(part as Buffer)
    expect(Buffer.concat(parts).toString()).toBe('text')
  })

  it('end with close', async () => {
    const room = createMessages({ kms: ada })
    const message = await room.seal('x')
    room.close()
    await expect(room.seal('x')).rejects.toThrow(ClosedError)
    await expect(room.open(message)).rejects.toThrow(ClosedError)
    expect(() => room.sealStream()).toThrow(ClosedError)
  })

  it('need one provider to ten, and limits that can be', () => {
    expect(() => createMessages({ kms: [] })).toThrow(ConfigError)
    expect(() => createMessages({ kms: Array(11).fill(ada) })).toThrow(ConfigError)
    expect(() => createMessages({ kms: ada, reuse: { messages: 0 } })).toThrow(InvalidInputError)
    expect(() => createMessages({ kms: ada, reuse: { messages: 2 ** 32 + 1 } })).toThrow(InvalidInputError)
    expect(() => createMessages({ kms: ada, name: '' })).toThrow(InvalidInputError)
  })
})

describe('a data key', () => {
  const keyOf = (message: Buffer) => Buffer.from(parseHeader(message, LIMITS).keyMaterial).toString('hex')

  it('is used again for the same context, and each message still has its own key', async () => {
    const kms = watched(ada)
    const room = createMessages({ kms })
    const messages = await Promise.all(Array.from({ length: 100 }, () => room.seal('x', { context: { a: '1' } })))
    expect(kms.wraps).toBe(1)
    expect(new Set(messages.map(keyOf)).size).toBe(1)
    expect(new Set(messages.map((message) => message.subarray(3, 35).toString('hex'))).size).toBe(100)
    for (const message of messages) expect((await room.open(message)).plaintext.toString()).toBe('x')
    expect(kms.unwraps).toBe(1)
  })

  it('is never used for another context, another suite, or another choice of what is stored', async () => {
    const kms = watched(ada)
    const room = createMessages({ kms })
    const messages = [
      await room.seal('x'),
      await room.seal('x', { context: { a: '1' } }),
      await room.seal('x', { context: { a: '2' } }),
      await room.seal('x', { context: { a: '1' }, unstored: ['a'] }),
      await room.seal('x', { context: { a: '1', b: '' }, unstored: ['a'] }),
      await room.seal('x', { context: { a: '1' }, suite: 0x0578 }),
      await room.seal('x', { context: { a: '1' }, suite: 0x0578 }),
    ]
    expect(kms.wraps).toBe(7)
    expect(new Set(messages.map(keyOf)).size).toBe(7)
  })

  it('is used again for other frame lengths', async () => {
    const kms = watched(ada)
    const room = createMessages({ kms })
    for (const frameLength of [10, 20, 65_536]) {
      const message = await room.seal(pattern(30), { frameLength })
      expect((await room.open(message)).plaintext.equals(pattern(30))).toBe(true)
    }
    expect(kms.wraps).toBe(1)
  })

  it('is used for no more messages, bytes and time than stated', async () => {
    const kms = watched(ada)
    const byMessages = createMessages({ kms, reuse: { messages: 3 } })
    for (let i = 0; i < 7; i++) await byMessages.seal('x')
    expect(kms.wraps).toBe(3)
    const byBytes = createMessages({ kms: watched(ada), reuse: { bytes: 100 } })
    const sizes = [40, 40, 40, 500, 10]
    const keys = []
    for (const size of sizes) keys.push(keyOf(await byBytes.seal(pattern(size))))
    expect(keys[1]).toBe(keys[0])
    expect(new Set(keys).size).toBe(3)
    const aging = watched(ada)
    const byAge = createMessages({ kms: aging, reuse: { ageMs: 20 } })
    await byAge.seal('x')
    await new Promise((resolve) => setTimeout(resolve, 60))
    await byAge.seal('x')
    expect(aging.wraps).toBe(2)
  })

  it('is asked for every time when reuse is off', async () => {
    const kms = watched(ada)
    const room = createMessages({ kms, reuse: false })
    const message = await room.seal('x')
    await room.seal('x')
    await room.open(message)
    await room.open(message)
    expect([kms.wraps, kms.unwraps]).toEqual([2, 2])
  })

  it('that could not be had is asked for again, and a message that was wrong leaves nothing behind', async () => {
    let fail = true
    const kms = watched(ada, {
      wrap: (key, call) =>
        fail ? Promise.reject(new KmsError('tests', 'throttled', 'slow down')) : ada.wrap(key, call),
    })
    const room = createMessages({ kms })
    await expect(room.seal('x')).rejects.toThrow(KmsError)
    fail = false
    const message = await room.seal('x')
    const bad = Buffer.from(message)
    const tagAt = bad.length - 41 - 1
    bad[tagAt] = (bad[tagAt] as number) ^ 1
    await expect(room.open(bad)).rejects.toThrow(DecryptionError)
    await expect(room.open(bad)).rejects.toThrow(DecryptionError)
    expect(kms.unwraps).toBe(2)
  })

  it('is not found by another expected context', async () => {
    const room = createMessages({ kms: ada })
    const message = await room.seal('x', { context: { a: '1' }, unstored: ['a'] })
    await room.open(message, { context: { a: '1' } })
    await expect(room.open(message)).rejects.toThrow(DecryptionError)
    await expect(room.open(message, { context: { a: '2' } })).rejects.toThrow(DecryptionError)
  })

  it('is wiped when it leaves the cache', () => {
    const cache = new DataKeyCache<{ dataKey: Buffer }>({ ...DEFAULT_REUSE, entries: 1 })
    const dataKey = Buffer.alloc(32, 1)
    cache.put('a', { dataKey })
    cache.put('b', { dataKey: Buffer.alloc(32, 2) })
    expect(dataKey.equals(Buffer.alloc(32))).toBe(true)
  })

  it('that a cache holds for a weaker suite does not open a message (CVE-2026-6550)', async () => {
    const message = await sealMessage(ada, 'x')
    const header = parseHeader(message, LIMITS)
    const weaker = suites.get(0x0178)
    if (weaker === undefined) throw new Error('no such suite')
    const dataKey = await ada.unwrap(
      ada.recipient?.parse(header.recipients[0]?.info as Buffer, header.recipients[0]?.ciphertext as Buffer) as never,
      { context: {} },
    )
    class Poisoned extends DataKeyCache<OpenMaterials> {
      override take(): OpenMaterials {
        return { suite: weaker as never, dataKey }
      }
    }
    const cache = new Poisoned(DEFAULT_REUSE)
    await expect(openHeader(header, [ada], planOpen({}), cache)).rejects.toThrow(DecryptionError)
    await expect(openHeader(header, [ada], planOpen({ legacySuites: true }), cache)).rejects.toThrow(DecryptionError)
  })

  it('does not outlive a change of providers: each set has its own', async () => {
    const message = await createMessages({ kms: ada }).seal('x')
    await expect(createMessages({ kms: bob }).open(message)).rejects.toThrow(DecryptionError)
  })
})
