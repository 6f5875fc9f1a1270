import { Buffer } from 'node:buffer'
import { inspect } from 'node:util'
import { memoryKms } from 'strongroom/memory'
import { rawAes } from 'strongroom/raw'
import { describe, expect, it } from 'vitest'
import { DecryptionError, InvalidInputError, KmsError } from '../../src/errors.ts'
import { openMessage, sealMessage } from '../../src/messages/message.ts'
import type { SealOptions } from '../../src/messages/seal-options.ts'
import { ada, bob, pattern, rsaBoth, rsaPublic, watched } from './fixtures.ts'

describe('a sealed message', () => {
  it.each([0, 1, 9, 10, 11, 19, 20, 21, 30, 100])(
    'of %i bytes opens to the same bytes, in frames of 10',
    async (size) => {
      const plaintext = pattern(size)
      for (const suite of [0x0478, 0x0578] as const) {
        const message = await sealMessage(ada, plaintext, { frameLength: 10, suite })
        const opened = await openMessage(ada, message)
        expect(opened.plaintext.equals(plaintext)).toBe(true)
        expect(opened.suite).toBe(suite)
      }
    },
  )

  it('takes text as UTF-8 and returns bytes', async () => {
    const message = await sealMessage(ada, 'Grüße, 🌍')
    expect((await openMessage(ada, message)).plaintext.toString()).toBe('Grüße, 🌍')
  })

  it('returns its context and who can open it, without the key of its signature', async () => {
    const message = await sealMessage([ada, rsaPublic], 'x', { context: { b: '2', ä: '1' }, suite: 0x0578 })
    const opened = await openMessage(ada, message)
    expect({ ...opened.context }).toEqual({ b: '2', ä: '1' })
    expect(opened.recipients).toEqual([
      { provider: 'tests', keyId: 'ada' },
      { provider: 'tests', keyId: 'rsa' },
    ])
  })

  it('is opened by any one of its recipients', async () => {
    const message = await sealMessage([ada, bob, rsaPublic], 'shared')
    for (const kms of [ada, bob, rsaBoth, [rsaBoth, ada]]) {
      expect((await openMessage(kms, message)).plaintext.toString()).toBe('shared')
    }
  })

  it('sealed with a public key alone cannot be opened with it', async () => {
    const message = await sealMessage(rsaPublic, 'for the vault')
    await expect(openMessage(rsaPublic, message)).rejects.toThrow(KmsError)
    expect((await openMessage(rsaBoth, message)).plaintext.toString()).toBe('for the vault')
  })

  it('does not open with another key, even one of the same name', async () => {
    const message = await sealMessage(ada, 'x')
    await expect(openMessage(bob, message)).rejects.toThrow(DecryptionError)
    const namesake = rawAes({ namespace: 'tests', name: 'ada', key: Buffer.alloc(32, 9) })
    await expect(openMessage(namesake, message)).rejects.toThrow(DecryptionError)
  })

  it('has the length that the format says', async () => {
    const context = { name: 'value' }
    const message = await sealMessage(ada, pattern(25), { frameLength: 10, context })
    const contextBytes = 2 + 2 + 4 + 2 + 5
    const recipient = 6 + 'tests'.length + 'ada'.length + 20 + 48
    expect(message.length).toBe(92 + contextBytes + recipient + 2 * 32 + 40 + 25)
  })

  it('never repeats a message id, a key or a byte of ciphertext', async () => {
    const messages = await Promise.all(Array.from({ length: 50 }, () => sealMessage(ada, pattern(64))))
    for (const cut of [
      [3, 35],
      [-16 - 64, -16],
    ] as const) {
      expect(new Set(messages.map((message) => message.subarray(...cut).toString('hex'))).size).toBe(50)
    }
  })

  it('does not change when the caller changes the context meanwhile', async () => {
    const plaintext = pattern(100)
    const context = { order: '1' }
    const slow = watched(ada, {
      wrap: async (key, call) => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        return ada.wrap(key, call)
      },
    })
    const sealing = sealMessage(slow, plaintext, { context })
    context.order = '2'
    expect({ ...(await openMessage(ada, await sealing)).context }).toEqual({ order: '1' })
  })
})

describe('the expected context', () => {
  it('must be among the stored pairs with the same value', async () => {
    const message = await sealMessage(ada, 'x', { context: { tenant: 'acme', id: '7' } })
    await openMessage(ada, message, { context: { tenant: 'acme' } })
    await openMessage(ada, message, { context: { tenant: 'acme', id: '7' } })
    for (const context of [{ tenant: 'other' }, { tenant: 'acme', id: '8' }, { tenant: '' }, { more: 'x' }]) {
      await expect(openMessage(ada, message, { context })).rejects.toThrow(DecryptionError)
      const rsa = await sealMessage(rsaPublic, 'x', { context: { tenant: 'acme', id: '7' } })
      await expect(openMessage(rsaBoth, rsa, { context })).rejects.toThrow(DecryptionError)
    }
  })

  it('is bound without being stored when the writer says so, and must then be given', async () => {
    for (const kms of [ada, rsaBoth]) {
      const message = await sealMessage(kms, 'x', { context: { patient: '4711', kind: 'note' }, unstored: ['patient'] })
      expect(message.includes('4711')).toBe(false)
      const opened = await openMessage(kms, message, { context: { patient: '4711' } })
      expect({ ...opened.context }).toEqual({ patient: '4711', kind: 'note' })
      for (const context of [{}, { patient: '4712' }, { patient: '4711', kind: 'scan' }, { patient: '4711', x: 'y' }]) {
        await expect(openMessage(kms, message, { context })).rejects.toThrow(DecryptionError)
      }
    }
  })

  it('does not take the place of a stored pair: moving a pair between the two is noticed', async () => {
    const stored = await sealMessage(rsaPublic, 'x', { context: { a: '1' } })
    const unstored = await sealMessage(rsaPublic, 'x', { context: { a: '1' }, unstored: ['a'] })
    await expect(openMessage(rsaBoth, unstored)).rejects.toThrow(DecryptionError)
    await openMessage(rsaBoth, stored)
    await openMessage(rsaBoth, unstored, { context: { a: '1' } })
  })
})

describe('what is wrong with a call', () => {
  const refused: [string, SealOptions][] = [
    ['an older suite', { suite: 0x0178 as never }],
    ['no frame length', { frameLength: 0 }],
    ['a frame length that is too long', { frameLength: 67_108_865 }],
    ['a frame length that is no whole number', { frameLength: 1.5 }],
    ['a context with a number', { context: { a: 1 as never } }],
    ['a context with a lone surrogate', { context: { a: '\ud800' } }],
    ['a context with a reserved name', { context: { 'aws-crypto-x': 'y' } }],
    ['a context with the name of the public key', { context: { 'aws-crypto-public-key': 'y' } }],
    ['a context that is a list', { context: ['a'] as never }],
    ['a context of more than 8,192 bytes', { context: { a: 'x'.repeat(9000) } }],
    ['unstored names that are not in the context', { context: { a: '1' }, unstored: ['b'] }],
  ]
  it.each(refused)('is said before any work: %s', async (_what, options) => {
    const kms = watched(ada)
    await expect(sealMessage(kms, 'x', options)).rejects.toThrow(InvalidInputError)
    expect(kms.wraps).toBe(0)
  })

  it('names the type of a plaintext and never its content', async () => {
    const error = await sealMessage(ada, { secret: 'canary' } as never).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(InvalidInputError)
    expect(inspect(error)).not.toContain('canary')
  })

  it('ends when its signal says so', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(sealMessage(ada, 'x', { signal })).rejects.toThrow('enough')
    await expect(openMessage(ada, await sealMessage(ada, 'x'), { signal })).rejects.toThrow('enough')
  })
})

describe('a key management service', () => {
  it('that is away is reported as such, not as a message that is wrong', async () => {
    const away = new KmsError('tests', 'unavailable', 'no answer')
    const message = await sealMessage([ada, bob], 'x')
    const down = watched(ada, { unwrap: () => Promise.reject(away) })
    await expect(openMessage(down, message)).rejects.toBe(away)
    expect((await openMessage([down, bob], message)).plaintext.toString()).toBe('x')
  })

  it('that fails to wrap means no message at all', async () => {
    const broken = watched(bob, { wrap: () => Promise.reject(new KmsError('tests', 'denied', 'no')) })
    await expect(sealMessage([ada, broken], 'x')).rejects.toThrow(KmsError)
  })

  it('of any kind becomes a recipient under its own name', async () => {
    const kms = memoryKms()
    const message = await sealMessage(kms, 'x', { context: { a: '1' } })
    const opened = await openMessage(kms, message)
    expect(opened.recipients).toEqual([{ provider: 'memory', keyId: kms.keyId }])
  })
})

it('a name like a property of every object is an ordinary name', async () => {
  const context = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>
  const message = await sealMessage(ada, 'x', { context })
  const opened = await openMessage(ada, message)
  expect(Object.entries(opened.context)).toEqual([
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ])
  expect(Object.getPrototypeOf(opened.context)).toBe(null)
  expect(Buffer.isBuffer(opened.plaintext)).toBe(true)
})
