import { Buffer } from 'node:buffer'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DecryptionError, InvalidInputError, KmsError } from '../../src/errors.ts'
import { openMessage, sealMessage } from '../../src/messages/message.ts'
import { openNodeStream, sealNodeStream } from '../../src/messages/node-stream.ts'
import { openStream, type Progress, sealStream } from '../../src/messages/stream.ts'
import { ada, begin, bob, frame, pattern, watched } from './fixtures.ts'
import { collect, streamOf } from './streams.ts'

describe('a stream', () => {
  it('seals what openMessage opens, and opens what sealMessage seals, however the chunks fall', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(200),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 90 }),
        fc.constantFrom(0x0478 as const, 0x0578 as const),
        async (size, frameLength, chunk, suite) => {
          const plaintext = pattern(size)
          const options = { frameLength, suite, context: { a: '1' } }
          const sealed = await collect(streamOf(plaintext, chunk).pipeThrough(sealStream(ada, options)))
          expect((await openMessage(ada, sealed)).plaintext.equals(plaintext)).toBe(true)
          const message = await sealMessage(ada, plaintext, options)
          expect(sealed.length - message.length).toBeLessThan(suite === 0x0578 ? 4 : 1)
          const opened = await collect(streamOf(message, chunk).pipeThrough(openStream(ada, { context: { a: '1' } })))
          expect(opened.equals(plaintext)).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('works as a Node stream too', async () => {
    const plaintext = pattern(300_000)
    const parts: Buffer[] = []
    await pipeline(
      Readable.from([plaintext.subarray(0, 7), plaintext.subarray(7, 200_000), plaintext.subarray(200_000)]),
      sealNodeStream(ada),
      openNodeStream(ada),
      async (source: AsyncIterable<Buffer>) => {
        for await (const part of source) parts.push(part)
      },
    )
    expect(Buffer.concat(parts).equals(plaintext)).toBe(true)
  })

  it('tells of the header once, before the first byte', async () => {
    const told: unknown[] = []
    const message = await sealMessage(ada, pattern(30), { frameLength: 10, context: { a: '1' } })
    const stream = openStream(ada, { onHeader: (info) => told.push({ ...info.context }, info.suite) })
    await collect(streamOf(message, 3).pipeThrough(stream))
    expect(told).toEqual([{ a: '1' }, 0x0478])
  })

  it('tells how far it is', async () => {
    const sealing: Progress[] = []
    const opening: Progress[] = []
    const sealed = streamOf(pattern(95), 10).pipeThrough(
      sealStream(ada, { frameLength: 10, onProgress: (p) => sealing.push(p) }),
    )
    await collect(sealed.pipeThrough(openStream(ada, { onProgress: (p) => opening.push(p) })))
    expect(sealing.at(-1)).toEqual({ bytes: 95, frames: 10 })
    expect(opening.at(-1)).toEqual({ bytes: 95, frames: 10 })
    expect(sealing.map((progress) => progress.bytes)).toEqual(
      [...sealing.map((progress) => progress.bytes)].sort((a, b) => a - b),
    )
  })

  it('releases a frame only after its tag, and nothing behind a frame that is wrong', async () => {
    const started = await begin({ frameLength: 4 })
    const bad = frame(started, 'regular', 2, 'efgh')
    bad[bad.length - 1] = (bad[bad.length - 1] as number) ^ 1
    const message = Buffer.concat([
      started.header,
      frame(started, 'regular', 1, 'abcd'),
      bad,
      frame(started, 'final', 3, 'ij'),
    ])
    for (const chunk of [1, 5, 1000]) {
      const parts: Uint8Array[] = []
      const stream = streamOf(message, chunk).pipeThrough(openStream(ada))
      await expect(
        (async () => {
          for await (const part of stream) parts.push(part)
        })(),
      ).rejects.toThrow(DecryptionError)
      expect(Buffer.concat(parts).toString()).toMatch(/^(abcd)?$/)
    }
  })

  it('cut off anywhere ends with an error', async () => {
    const message = await sealMessage(ada, pattern(25), { frameLength: 10 })
    for (let length = 0; length < message.length; length++) {
      await expect(collect(streamOf(message.subarray(0, length), 16).pipeThrough(openStream(ada)))).rejects.toThrow(
        DecryptionError,
      )
    }
  })

  it('asks for the data key once, however small the chunks', async () => {
    const kms = watched(ada)
    await collect(streamOf(await sealMessage(ada, pattern(100)), 1).pipeThrough(openStream(kms)))
    expect(kms.unwraps).toBe(1)
  })

  it('fails with the error of its data: another key, a service that is away, a chunk that is no bytes', async () => {
    const message = await sealMessage(ada, 'x')
    await expect(collect(streamOf(message, 10).pipeThrough(openStream(bob)))).rejects.toThrow(DecryptionError)
    const down = watched(ada, { wrap: () => Promise.reject(new KmsError('tests', 'unavailable', 'no answer')) })
    await expect(collect(streamOf(pattern(9), 10).pipeThrough(sealStream(down)))).rejects.toThrow(KmsError)
    const { readable, writable } = sealStream(ada)
    const reading = collect(readable)
    await expect(writable.getWriter().write('text' as never)).rejects.toThrow(InvalidInputError)
    await expect(reading).rejects.toThrow(InvalidInputError)
  })

  it('stops when its signal says so', async () => {
    for (const make of [sealStream, openStream]) {
      const controller = new AbortController()
      const { readable, writable } = make(ada, { signal: controller.signal })
      const writer = writable.getWriter()
      const reading = collect(readable)
      await writer.write(new Uint8Array(1))
      controller.abort(new Error('enough'))
      await expect(reading).rejects.toThrow('enough')
      await expect(writer.write(new Uint8Array(1))).rejects.toThrow('enough')
    }
    const stopped = new AbortController()
    const node = sealNodeStream(ada, { signal: stopped.signal })
    stopped.abort()
    await expect(
      pipeline(Readable.from([Buffer.alloc(1)]), node, new Writable({ write: (_c, _e, done) => done() })),
    ).rejects.toThrow()
  })

  it('reads no further ahead than its reader asks for', async () => {
    let produced = 0
    const source = new Readable({
      highWaterMark: 1024,
      read() {
        produced += 1024
        this.push(produced > 10_000_000 ? null : Buffer.alloc(1024))
      },
    })
    const reader = Readable.toWeb(source)
      .pipeThrough(sealStream(ada, { frameLength: 4096 }) as never)
      .getReader()
    await reader.read()
    await reader.read()
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(produced).toBeLessThan(200_000)
    await reader.cancel()
  })
})
