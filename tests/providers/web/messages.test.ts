import { Buffer } from 'node:buffer'
import { privateDecrypt } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { readFileSync } from 'node:fs'
import {
  AlgorithmSuiteIdentifier,
  buildClient,
  CommitmentPolicy,
  type KeyringNode,
  RawAesKeyringNode,
  RawAesWrappingSuiteIdentifier,
  RawRsaKeyringNode,
} from '@aws-crypto/client-node'
import * as node from 'strongroom/raw'
import { openMessage, openStream, rawAes, rawRsa, sealMessage, sealStream } from 'strongroom/web'
import { describe, expect, it, vi } from 'vitest'
import { DecryptionError, InvalidInputError, KmsError } from '../../../src/errors.ts'
import type { KmsProvider } from '../../../src/kms.ts'
import { Gather } from '../../../src/messages/gather.ts'
import * as server from '../../../src/messages/message.ts'
import { pattern, rsaPair, watched } from '../../messages/fixtures.ts'
import { collect, streamOf } from '../../messages/streams.ts'

interface Vector {
  readonly comment: string
  readonly keys: readonly ('aes-256' | 'rsa-2048')[]
  readonly context?: Record<string, string>
  readonly given?: Record<string, string>
  readonly legacySuites?: boolean
  readonly message: string
  readonly recipients?: string
  readonly plaintext: string | null
}

const file = JSON.parse(readFileSync(new URL('../../vectors/messages.json', import.meta.url), 'utf8')) as {
  keys: { 'aes-256': string; 'rsa-2048': string }
  vectors: Vector[]
}
const providers = {
  'aes-256': rawAes({ namespace: 'vectors', name: 'aes-256', key: Buffer.from(file.keys['aes-256'], 'base64') }),
  'rsa-2048': rawRsa({ namespace: 'vectors', name: 'rsa-2048', privateKey: file.keys['rsa-2048'] }),
}

const key = Buffer.alloc(32, 7)
const names = { namespace: 'tests', name: 'ada' }
const [here, there] = [rawAes({ ...names, key }), node.rawAes({ ...names, key })]
const pem = {
  publicKey: rsaPair.publicKey.export({ type: 'spki', format: 'pem' }) as string,
  privateKey: rsaPair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
}
const intake = { namespace: 'tests', name: 'rsa' }
const page = rawRsa({ ...intake, publicKey: pem.publicKey })
const vault = node.rawRsa({ ...intake, privateKey: pem.privateKey })

describe('in a browser, a frozen message', () => {
  it.each(file.vectors.map((vector) => [vector.comment, vector] as const))('%s', async (_comment, vector) => {
    const kms = vector.keys.map((name) => providers[name])
    const message = Buffer.from(vector.message, 'base64')
    const options = {
      context: vector.given ?? {},
      legacySuites: vector.legacySuites ?? false,
      ...(vector.recipients !== undefined && { recipients: Buffer.from(vector.recipients, 'base64') }),
    }
    const streamed = () => collect(streamOf(message, 13).pipeThrough(openStream(kms, options)))
    if (vector.plaintext === null) {
      await expect(openMessage(kms, message, options)).rejects.toThrow(DecryptionError)
      await expect(streamed()).rejects.toThrow(/^decryption failed$|WebCrypto signs/)
      return
    }
    const opened = await openMessage(kms, message, options)
    expect(Buffer.from(opened.plaintext).toString('base64')).toBe(vector.plaintext)
    expect({ ...opened.context }).toEqual(vector.context ?? {})
    const signed = [0x0578, 0x0378, 0x0346, 0x0214].includes(opened.suite)
    if (signed) await expect(streamed()).rejects.toThrow(InvalidInputError)
    else expect((await streamed()).toString('base64')).toBe(vector.plaintext)
  })
})

/** None to three frames, exact multiples, and more than are in work at once. */
const shapes: readonly (readonly [frameLength: number, size: number])[] = [
  [1, 0],
  [1, 3],
  [7, 20],
  [16, 48],
  [16, 1000],
  [4096, 4096],
  [65_536, 200_000],
]
const contexts = [{}, { a: '1' }, { tenant_id: '1', tenantId: '2', Tenant: '3', ä: '日本', '🌍': '' }]

describe('a message that a page sealed', () => {
  it('is opened by the server, in both suites, with every shape and context', async () => {
    for (const [index, [frameLength, size]] of shapes.entries()) {
      for (const suite of [0x0478, 0x0578] as const) {
        const context = contexts[index % 3] as Record<string, string>
        const message = await sealMessage(here, pattern(size), { suite, frameLength, context })
        const opened = await server.openMessage(there, message, { context })
        expect(opened.plaintext.equals(pattern(size))).toBe(true)
        expect({ ...opened.context }).toEqual(context)
        expect(opened.suite).toBe(suite)
      }
    }
  })

  it('with a public key is opened by who holds the private one, and not by the page', async () => {
    const message = await sealMessage(page, '4111 1111 1111 1111', { context: { order: '4711' } })
    expect((await server.openMessage(vault, message)).plaintext.toString()).toBe('4111 1111 1111 1111')
    await expect(openMessage(page, message)).rejects.toMatchObject({ code: 'ERR_KMS', kind: 'denied' })
  })

  it('with a public key is opened by a service that holds the private one and knows nothing of layouts', async () => {
    const service: KmsProvider = {
      name: 'tests',
      keyId: 'rsa',
      accepts: ({ provider, keyId }) => provider === 'tests' && keyId === 'rsa',
      wrap: () => Promise.reject(new KmsError('tests', 'denied', 'pages seal, the server opens')),
      unwrap: async ({ ciphertext }) => privateDecrypt({ key: rsaPair.privateKey, oaepHash: 'sha256' }, ciphertext),
    }
    const message = await sealMessage(page, 'x', { context: { order: '4711' } })
    expect((await server.openMessage(service, message)).plaintext.toString()).toBe('x')
  })

  it('has a data key, a message id and ciphertexts of its own, however often it is sealed', async () => {
    const messages = await Promise.all([1, 2, 3].map(() => sealMessage(here, 'the same')))
    expect(new Set(messages.map((message) => Buffer.from(message).subarray(3, 35).toString('hex'))).size).toBe(3)
    expect(new Set(messages.map((message) => Buffer.from(message).subarray(-40).toString('hex'))).size).toBe(3)
  })

  it('is bound to pairs that it does not hold', async () => {
    const options = { context: { clinic: '12', patient: '4711' }, unstored: ['patient'] }
    const message = await sealMessage(here, 'findings', options)
    expect(Buffer.from(message).includes('4711')).toBe(false)
    const { plaintext } = await server.openMessage(there, message, { context: { patient: '4711' } })
    expect(plaintext.toString()).toBe('findings')
    await expect(server.openMessage(there, message)).rejects.toThrow(DecryptionError)
  })

  it('for several recipients is opened by each', async () => {
    const message = await sealMessage([page, here], 'x')
    for (const kms of [vault, there]) expect((await server.openMessage(kms, message)).plaintext.toString()).toBe('x')
  })

  it.each([
    ['a suite of format 1', { suite: 0x0178 as 0x0478 }],
    ['frames of 0 bytes', { frameLength: 0 }],
    ['a context of the format', { context: { 'aws-crypto-public-key': 'x' } }],
    ['a context with a lone surrogate', { context: { a: '\ud800' } }],
    ['unstored pairs that are not there', { unstored: ['a'] }],
  ])('is refused with %s', async (_, options) => {
    await expect(sealMessage(here, 'x', options)).rejects.toThrow(InvalidInputError)
  })

  it('is not made when one of its recipients cannot wrap, nor when it is aborted', async () => {
    const broken = watched(here, { wrap: () => Promise.reject(new KmsError('tests', 'unavailable', 'away')) })
    await expect(sealMessage([here, broken], 'x')).rejects.toThrow(KmsError)
    await expect(sealMessage(here, 'x', { signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow('gone')
  })
})

describe('a message that the server sealed', () => {
  it('is opened by a page, in both suites, with every shape and context', async () => {
    for (const [index, [frameLength, size]] of shapes.entries()) {
      for (const suite of [0x0478, 0x0578] as const) {
        const context = contexts[(index + 1) % 3] as Record<string, string>
        const message = await server.sealMessage(there, pattern(size), { suite, frameLength, context })
        const opened = await openMessage(here, message, { context })
        expect(Buffer.from(opened.plaintext).equals(pattern(size))).toBe(true)
        expect({ ...opened.context }).toEqual(context)
      }
    }
  })

  it('does not open for another key, another context, or without the pairs that it does not hold', async () => {
    const options = { context: { a: '1', b: '2' }, unstored: ['b'] }
    const message = await server.sealMessage(there, 'x', options)
    const refused = async (kms = here, context: Record<string, string> = { b: '2' }) =>
      expect(openMessage(kms, message, { context })).rejects.toThrow(DecryptionError)
    await refused(rawAes({ ...names, key: Buffer.alloc(32, 8) }))
    await refused(rawAes({ ...names, name: 'bob', key }))
    await refused(here, {})
    await refused(here, { b: '3' })
    await refused(here, { a: '2', b: '2' })
    expect(Buffer.from((await openMessage(here, message, { context: { b: '2' } })).plaintext).toString()).toBe('x')
  })

  it('changed by one bit, or cut at any byte, never opens', async () => {
    const message = await server.sealMessage(there, 'xyz', { context: { a: '1' }, frameLength: 2, suite: 0x0478 })
    const signed = await server.sealMessage(there, 'x', { suite: 0x0578 })
    for (const [original, step] of [
      [message, 1],
      [signed, 11],
    ] as const) {
      for (let bit = 0; bit < original.length * 8; bit += step) {
        const bad = Buffer.from(original)
        bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7))
        await expect(openMessage(here, bad)).rejects.toThrow(DecryptionError)
      }
      for (let end = 0; end < original.length; end += step) {
        await expect(openMessage(here, original.subarray(0, end))).rejects.toThrow(DecryptionError)
      }
    }
    await expect(openMessage(here, Buffer.concat([message, Buffer.from([0])]))).rejects.toThrow(DecryptionError)
    await expect(openMessage(here, Buffer.concat([signed, Buffer.from([0])]))).rejects.toThrow(DecryptionError)
  })

  it('is checked before a key is asked for, and committed to its key before a cipher runs', async () => {
    const message = await server.sealMessage(there, 'x')
    const kms = watched(here)
    const many = Buffer.from(message)
    many.writeUInt16BE(65_535, 37)
    await expect(openMessage(kms, many)).rejects.toThrow(DecryptionError)
    const legacy = Buffer.from(file.vectors.find(({ legacySuites }) => legacySuites === true)?.message ?? '', 'base64')
    await expect(openMessage(providers['aes-256'], legacy)).rejects.toThrow(DecryptionError)
    expect(kms.unwraps).toBe(0)
    const deceived = watched(here, { unwrap: async () => new Uint8Array(32).fill(9) })
    await expect(openMessage(deceived, message)).rejects.toThrow(DecryptionError)
    const short = watched(here, { unwrap: async () => new Uint8Array(16) })
    await expect(openMessage(short, message)).rejects.toThrow(DecryptionError)
  })
})

describe('streams of strongroom/web', () => {
  it.each([1, 15, 16, 17, 5000])(
    'seal and open chunks of %i bytes, whichever side has the other half',
    async (chunk) => {
      for (const size of [0, 1, 16, 32, 1000]) {
        const sealed = await collect(streamOf(pattern(size), chunk).pipeThrough(sealStream(here, { frameLength: 16 })))
        expect((await server.openMessage(there, sealed)).plaintext.equals(pattern(size))).toBe(true)
        const opened = await collect(streamOf(sealed, chunk).pipeThrough(openStream(here)))
        expect(opened.equals(pattern(size))).toBe(true)
      }
    },
  )

  it('tell the header first, release no frame before its tag, and fail when the end is missing', async () => {
    const message = await server.sealMessage(there, pattern(64), { frameLength: 16, context: { a: '1' } })
    let told: unknown
    const released: number[] = []
    const read = async (bytes: Buffer) => {
      const stream = streamOf(bytes, 20).pipeThrough(
        openStream(here, { onHeader: ({ context }) => (told = context.a) }),
      )
      for await (const frame of stream) released.push(frame.length)
    }
    await read(message)
    expect(told).toBe('1')
    expect(released).toEqual([16, 16, 16, 16])
    released.length = 0
    const bad = Buffer.from(message)
    bad[bad.length - 60] = (bad[bad.length - 60] as number) ^ 1
    await expect(read(bad)).rejects.toThrow(DecryptionError)
    expect(released.length).toBeLessThanOrEqual(3)
    for (const cut of [1, 17, 60, 100]) {
      await expect(read(message.subarray(0, -cut))).rejects.toThrow(DecryptionError)
    }
    await expect(read(Buffer.concat([message, message]))).rejects.toThrow(DecryptionError)
  })

  it.each(['aborted', 'cancelled'])(
    'hold nothing and listen to nothing once they are %s while they wait',
    async (how) => {
      const controller = new AbortController()
      const wipe = vi.spyOn(Gather.prototype, 'wipe')
      const sealing = sealStream(here, { frameLength: 16, signal: controller.signal })
      const reader = sealing.readable.getReader()
      await reader.read()
      const next = reader.read().catch(() => undefined)
      const writer = sealing.writable.getWriter()
      writer.closed.catch(() => undefined)
      reader.closed.catch(() => undefined)
      await writer.write(Buffer.from('the last word'))
      expect(wipe).not.toHaveBeenCalled()
      expect(getEventListeners(controller.signal, 'abort').length).toBe(1)
      if (how === 'aborted') controller.abort()
      else await reader.cancel()
      expect(wipe).toHaveBeenCalled()
      expect(getEventListeners(controller.signal, 'abort')).toEqual([])
      wipe.mockRestore()
      await next
    },
  )

  it('end with the reason of the signal', async () => {
    const controller = new AbortController()
    const endless = new ReadableStream<Uint8Array>({
      pull(stream) {
        stream.enqueue(pattern(100))
        controller.abort(new Error('the page was left'))
      },
    })
    const sealing = sealStream(here, { frameLength: 16, signal: controller.signal })
    await expect(collect(endless.pipeThrough(sealing) as never)).rejects.toThrow('the page was left')
  })

  it('refuse signatures, which need the whole', () => {
    expect(() => sealStream(here, { suite: 0x0578 })).toThrow(InvalidInputError)
  })
})

describe('with the AWS Encryption SDK', () => {
  const any = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_ALLOW_DECRYPT)
  const old = buildClient(CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
  const aesKeyring = new RawAesKeyringNode({
    keyNamespace: 'tests',
    keyName: 'ada',
    unencryptedMasterKey: new Uint8Array(key),
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
    utf8Sorting: true,
  })
  const rsaKeyring = new RawRsaKeyringNode({ keyNamespace: 'tests', keyName: 'rsa', rsaKey: pem, oaepHash: 'sha256' })
  const both: readonly (readonly [string, typeof here, KeyringNode])[] = [
    ['AES', here, aesKeyring],
    ['RSA', rawRsa({ ...intake, ...pem }), rsaKeyring],
  ]

  it.each(both)('messages go both ways under %s keys, in every suite it has', async (_, ours, theirs) => {
    for (const [index, [frameLength, size]] of shapes.entries()) {
      for (const suite of [0x0478, 0x0578] as const) {
        const encryptionContext = contexts[index % 3] as Record<string, string>
        const message = await sealMessage(ours, pattern(size), { suite, frameLength, context: encryptionContext })
        expect((await any.decrypt(theirs, Buffer.from(message))).plaintext.equals(pattern(size))).toBe(true)
      }
    }
    const suites = Object.values(AlgorithmSuiteIdentifier).filter((id) => typeof id === 'number')
    expect(suites.length).toBe(11)
    for (const [index, suiteId] of suites.entries()) {
      const committed = suiteId === 0x0478 || suiteId === 0x0578
      const [frameLength, size] = shapes[index % shapes.length] as readonly [number, number]
      const encryptionContext = contexts[index % 3] as Record<string, string>
      const sealing = { suiteId: suiteId as AlgorithmSuiteIdentifier, frameLength, encryptionContext }
      const { result } = await (committed ? any : old).encrypt(theirs, pattern(size), sealing)
      const opened = await openMessage(ours, result, { context: encryptionContext, legacySuites: !committed })
      expect(Buffer.from(opened.plaintext).equals(pattern(size))).toBe(true)
    }
  })
})
