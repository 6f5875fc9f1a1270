import { Buffer } from 'node:buffer'
import { createCipheriv, createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { encodePairs } from '../../src/crypto/context-pairs.ts'
import { DecryptionError, KmsError } from '../../src/errors.ts'
import { deriveKeys } from '../../src/messages/derivation.ts'
import { frameAad } from '../../src/messages/frame-layout.ts'
import { frameCipher, headerTag } from '../../src/messages/frames.ts'
import { encodeHeader, ZERO_IV } from '../../src/messages/header.ts'
import { openMessage, sealMessage } from '../../src/messages/message.ts'
import type { OpenOptions } from '../../src/messages/open-plan.ts'
import { createSigningKey } from '../../src/messages/signature.ts'
import { openStream } from '../../src/messages/stream.ts'
import { suites } from '../../src/messages/suites.ts'
import { ada, begin, bob, frame, pattern, rsaBoth, rsaPublic, watched } from './fixtures.ts'
import { collect, streamOf } from './streams.ts'

/** Refused as a whole and as a stream, with the one error that tells nothing. */
async function refused(message: Uint8Array, options: OpenOptions = {}, kms = ada): Promise<void> {
  const error = await openMessage(kms, message, options).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(DecryptionError)
  expect((error as Error).message).toBe('decryption failed')
  expect((error as Error).cause).toBeUndefined()
  await expect(collect(streamOf(message, 7).pipeThrough(openStream(kms, options)))).rejects.toThrow(DecryptionError)
}

const changed = (message: Buffer, at: number, value: number): Buffer => {
  const copy = Buffer.from(message)
  copy[at] = value
  return copy
}

/** A header with a right tag around whatever the test puts in, under a data key that ada wraps. */
async function header(options: {
  suite?: number
  context?: Uint8Array
  recipients?: number
  frameLength?: number
  unstored?: Uint8Array
}): Promise<{ header: Buffer; cipher: ReturnType<typeof frameCipher> }> {
  const suite = suites.get(options.suite ?? 0x0478)
  if (suite === undefined) throw new Error('no such suite')
  const dataKey = Buffer.alloc(32, 1)
  const wrapped = await ada.wrap(dataKey, { context: {} })
  const layout = ada.recipient?.encode(wrapped)
  if (layout === undefined) throw new Error('no layout')
  const recipient = { provider: 'tests', ...layout }
  const body = encodeHeader(
    suite.id,
    options.context ?? Buffer.alloc(0),
    Array(options.recipients ?? 1).fill(recipient),
    options.frameLength ?? 10,
  )
  const { key, commitment } = deriveKeys(suite, dataKey, body.subarray(3, 35))
  commitment.copy(body, body.length - 32)
  const tag = headerTag(suite, key, ZERO_IV, body, options.unstored ?? Buffer.alloc(0))
  return { header: Buffer.concat([body, tag]), cipher: frameCipher(suite, key, body.subarray(3, 35)) }
}

const final = (started: { cipher: ReturnType<typeof frameCipher> }) => frame(started as never, 'final', 1, 'x')

describe('1. the bytes', () => {
  it('that are whole and right open: every refusal below differs from this in one thing', async () => {
    const started = await header({})
    expect((await openMessage(ada, Buffer.concat([started.header, final(started)]))).plaintext.toString()).toBe('x')
  })

  it('cut anywhere are refused', async () => {
    for (const suite of [0x0478, 0x0578] as const) {
      const message = await sealMessage(ada, pattern(25), { frameLength: 10, context: { a: '1' }, suite })
      for (let length = 0; length < message.length; length++) {
        await expect(openMessage(ada, message.subarray(0, length))).rejects.toThrow(DecryptionError)
      }
    }
  })

  it('of an unknown version, suite or content type are refused, each of the 255 other values', async () => {
    const started = await header({})
    const message = Buffer.concat([started.header, final(started)])
    const typeAt = started.header.length - 16 - 32 - 5
    for (const at of [0, 1, 2, typeAt]) {
      for (let value = 0; value < 256; value++) {
        if (value !== message[at]) {
          await expect(openMessage(ada, changed(message, at, value), { legacySuites: true })).rejects.toThrow(
            DecryptionError,
          )
        }
      }
    }
  })

  it('with more recipients than allowed are refused before any is read or tried', async () => {
    const eleven = await header({ recipients: 11 })
    const kms = watched(ada)
    const message = Buffer.concat([eleven.header, final(eleven)])
    await refused(message, {}, kms)
    expect(kms.unwraps).toBe(0)
    expect((await openMessage(ada, message, { maxRecipients: 11 })).plaintext.toString()).toBe('x')
    const many = Buffer.from(message)
    many.writeUInt16BE(65_535, 37)
    await refused(many)
    await refused(many, { maxRecipients: 65_535 })
  })

  it('without a recipient are refused', async () => {
    const none = await header({ recipients: 0 })
    await refused(Buffer.concat([none.header, final(none)]))
  })

  it('whose context is longer or shorter than it says, repeats a name, or is not UTF-8 are refused', async () => {
    const pair = (name: string, value = '1'): [Buffer, Buffer] => [Buffer.from(name), Buffer.from(value)]
    const good = encodePairs([pair('a'), pair('b')], 100)
    const cases = [
      Buffer.concat([good, Buffer.from([0])]),
      good.subarray(0, -1),
      Buffer.from([0, 0]),
      Buffer.from([0]),
      encodePairs([pair('a'), pair('a', '2')], 100),
      encodePairs([[Buffer.from([0xff]), Buffer.from('1')]], 100),
      encodePairs([[Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('1')]], 100),
    ]
    for (const context of cases) {
      const started = await header({ context })
      await refused(Buffer.concat([started.header, final(started)]))
    }
  })

  it('with a frame length of zero, or beyond the limit, are refused', async () => {
    for (const frameLength of [0, 67_108_865, 0xffffffff]) {
      const started = await header({ frameLength })
      await refused(Buffer.concat([started.header, final(started)]))
    }
    const started = await header({ frameLength: 4096 })
    await refused(Buffer.concat([started.header, final(started)]), { maxFrameLength: 4095 })
  })
})

describe('2. the policy', () => {
  it('refuses suites that do not commit to their key, and asks nobody, unless they are allowed', async () => {
    const kms = watched(ada)
    const message = await version1(0x0178)
    await refused(message, {}, kms)
    expect(kms.unwraps).toBe(0)
    expect((await openMessage(kms, message, { legacySuites: true })).plaintext.toString()).toBe('old')
  })
})

describe('3. the recipients', () => {
  it('that name another key or another provider are never tried', async () => {
    const kms = watched(ada)
    await refused(await sealMessage(bob, 'x'), {}, kms)
    await refused(
      await sealMessage(
        {
          ...ada,
          name: 'elsewhere',
          wrap: async (key, call) => ({ ...(await ada.wrap(key, call)), provider: 'elsewhere' }),
        },
        'x',
      ),
      {},
      kms,
    )
    expect(kms.unwraps).toBe(0)
  })

  it('are tried once each, the next when one does not open', async () => {
    let calls = 0
    const kms = watched(ada, {
      unwrap: (wrapped, call) =>
        ++calls === 1 ? Promise.reject(new KmsError('tests', 'invalid-ciphertext', 'no')) : ada.unwrap(wrapped, call),
    })
    const message = await sealMessage([ada, bob, ada, ada], 'x')
    expect((await openMessage(kms, message)).plaintext.toString()).toBe('x')
    expect(kms.unwraps).toBe(2)
  })

  it('whose data key has another length are refused', async () => {
    for (const length of [0, 16, 31, 33, 64]) {
      await refused(await sealMessage(ada, 'x'), {}, watched(ada, { unwrap: async () => Buffer.alloc(length) }))
    }
  })
})

describe('4. the header', () => {
  it('is refused by its commitment before any cipher runs when the data key is another', async () => {
    await refused(await sealMessage(ada, 'x'), {}, watched(ada, { unwrap: async () => Buffer.alloc(32) }))
  })

  it('is refused when its tag is right and its commitment is not: a message that opens to two plaintexts', async () => {
    // Whoever knows two data keys can make one ciphertext that each of them opens; the commitment names only one.
    const started = await begin({}, rsaPublic)
    const forged = Buffer.from(started.header)
    forged[forged.length - 17] = (forged[forged.length - 17] as number) ^ 1
    headerTag(started.cipher.suite, started.cipher.key, ZERO_IV, forged.subarray(0, -16)).copy(
      forged,
      forged.length - 16,
    )
    await refused(Buffer.concat([forged, frame(started, 'final', 1, 'x')]), {}, rsaBoth)
  })

  it('is refused when any of its bytes was changed', async () => {
    const message = await sealMessage(rsaPublic, 'x', { context: { a: '1' } })
    for (let at = 0; at < message.length; at++) {
      await expect(openMessage(rsaBoth, changed(message, at, (message[at] as number) ^ 0x40))).rejects.toThrow(
        DecryptionError,
      )
    }
  })

  it('hands out no context and no frame length before its tag is verified', async () => {
    const message = await sealMessage(ada, 'x', { context: { a: '1' } })
    const at = message.length - 41 - 1
    let told = false
    const stream = openStream(ada, {
      onHeader: () => {
        told = true
      },
    })
    await expect(
      collect(streamOf(changed(message, at, (message[at] as number) ^ 1), 1000).pipeThrough(stream)),
    ).rejects.toThrow()
    expect(told).toBe(false)
  })

  it('of a signed suite has a public key, of an unsigned suite has none', async () => {
    const { publicKey } = createSigningKey()
    const context = encodePairs([[Buffer.from('aws-crypto-public-key'), Buffer.from(publicKey)]], 200)
    const dataKey = Buffer.alloc(32, 1)
    const kms = watched(ada, { unwrap: async () => Buffer.from(dataKey) })
    const unsigned = await header({ context })
    await refused(Buffer.concat([unsigned.header, final(unsigned)]), {}, kms)
    const signed = await header({ suite: 0x0578 })
    await refused(Buffer.concat([signed.header, final(signed), Buffer.from([0, 0])]), {}, kms)
  })
})

describe('5. the expected context', () => {
  it('must be in the header', async () => {
    await refused(await sealMessage(rsaPublic, 'x', { context: { a: '1' } }), { context: { a: '2' } }, rsaBoth)
  })
})

describe('6. the frames', () => {
  const assemble = async (
    parts: (message: Awaited<ReturnType<typeof begin>>) => Buffer[],
    options = {},
  ): Promise<Buffer> => {
    const message = await begin({ frameLength: 4, ...options })
    return Buffer.concat([message.header, ...parts(message)])
  }

  it('in order open, also with an empty final frame', async () => {
    const message = await assemble((m) => [
      frame(m, 'regular', 1, 'abcd'),
      frame(m, 'regular', 2, 'efgh'),
      frame(m, 'final', 3, ''),
    ])
    expect((await openMessage(ada, message)).plaintext.toString()).toBe('abcdefgh')
    expect((await collect(streamOf(message, 5).pipeThrough(openStream(ada)))).toString()).toBe('abcdefgh')
  })

  it('swapped, left out, repeated or numbered otherwise are refused', async () => {
    await refused(
      await assemble((m) => [frame(m, 'regular', 2, 'efgh'), frame(m, 'regular', 1, 'abcd'), frame(m, 'final', 3, '')]),
    )
    await refused(await assemble((m) => [frame(m, 'regular', 2, 'efgh'), frame(m, 'final', 3, '')]))
    await refused(
      await assemble((m) => [frame(m, 'regular', 1, 'abcd'), frame(m, 'regular', 1, 'abcd'), frame(m, 'final', 2, '')]),
    )
    await refused(await assemble((m) => [frame(m, 'regular', 1, 'abcd'), frame(m, 'final', 3, '')]))
    await refused(await assemble((m) => [frame(m, 'final', 2, 'ab')]))
  })

  it('must end with exactly one final frame', async () => {
    await refused(await assemble((m) => [frame(m, 'regular', 1, 'abcd')]))
    await refused(await assemble((m) => [frame(m, 'final', 1, 'ab'), frame(m, 'final', 2, 'cd')]))
    await refused(await assemble((m) => [frame(m, 'final', 1, 'ab'), frame(m, 'regular', 2, 'abcd')]))
  })

  it('have a final one that is not longer than the others', async () => {
    await refused(await assemble((m) => [frame(m, 'final', 1, 'abcde')]))
  })

  it('of another message are refused, even under the same data key', async () => {
    const other = await begin({ frameLength: 4 })
    await refused(await assemble(() => [frame(other, 'final', 1, 'ab')]))
  })

  it('may carry any initialisation vector, as other writers choose them', async () => {
    const started = await begin({ frameLength: 4 })
    const iv = Buffer.alloc(12, 9)
    const gcm = createCipheriv('aes-256-gcm', started.cipher.key, iv, { authTagLength: 16 })
    gcm.setAAD(frameAad(started.cipher, 'final', 1, 2))
    const body = Buffer.concat([gcm.update('hi'), gcm.final()])
    const head = Buffer.from([255, 255, 255, 255, 0, 0, 0, 1])
    const message = Buffer.concat([started.header, head, iv, Buffer.from([0, 0, 0, 2]), body, gcm.getAuthTag()])
    expect((await openMessage(ada, message)).plaintext.toString()).toBe('hi')
  })

  it('and the signature of another key are refused', async () => {
    const message = await sealMessage(ada, 'x', { suite: 0x0578 })
    const bodyEnd = endOfBody(message)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' })
    const forged = sign('sha384', message.subarray(0, bodyEnd), privateKey)
    const length = Buffer.alloc(2)
    length.writeUInt16BE(forged.length)
    await refused(Buffer.concat([message.subarray(0, bodyEnd), length, forged]))
    await refused(message.subarray(0, bodyEnd))
    await refused(Buffer.concat([message.subarray(0, bodyEnd), Buffer.from([0, 0])]))
  })

  it('must be the end: not a byte may follow', async () => {
    for (const suite of [0x0478, 0x0578] as const) {
      const message = await sealMessage(ada, 'x', { suite })
      for (const tail of [[0], [1, 2, 3], [...message]]) await refused(Buffer.concat([message, Buffer.from(tail)]))
    }
  })
})

/** Where the one frame of a signed message of one byte ends. */
function endOfBody(message: Buffer): number {
  const finalAt = message.indexOf(Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]))
  return finalAt + 40 + 1
}

/** A message of format 1 as other programs write it. */
async function version1(id: number): Promise<Buffer> {
  const suite = suites.get(id)
  if (suite === undefined) throw new Error('no such suite')
  const dataKey = Buffer.alloc(32, 1)
  const wrapped = await ada.wrap(dataKey, { context: {} })
  const layout = ada.recipient?.encode(wrapped) as { info: Buffer; ciphertext: Buffer }
  const sized = (bytes: Uint8Array) => [Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]
  const messageId = Buffer.alloc(16, 5)
  const body = Buffer.concat([
    Buffer.from([1, 0x80, id >> 8, id & 255]),
    messageId,
    Buffer.from([0, 0, 0, 1]),
    ...sized(Buffer.from('tests')),
    ...sized(layout.info),
    ...sized(layout.ciphertext),
    Buffer.from([2, 0, 0, 0, 0, 12, 0, 0, 0, 10]),
  ])
  const prk = createHmac('sha256', Buffer.alloc(32)).update(dataKey).digest()
  const key = createHmac('sha256', prk)
    .update(Buffer.from([id >> 8, id & 255]))
    .update(messageId)
    .update(Buffer.from([1]))
    .digest()
  const cipher = frameCipher(suite, key, messageId)
  return Buffer.concat([
    body,
    ZERO_IV,
    headerTag(suite, key, ZERO_IV, body),
    frame({ cipher } as never, 'final', 1, 'old'),
  ])
}
