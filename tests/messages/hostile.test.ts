import { Buffer } from 'node:buffer'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DecryptionError } from '../../src/errors.ts'
import { headerExtent, MAX_HEADER, parseHeader } from '../../src/messages/header.ts'
import { bytesSource, inspectMessage } from '../../src/messages/inspect.ts'
import { openMessage, sealMessage } from '../../src/messages/message.ts'
import { createMessages } from '../../src/messages/messages.ts'
import { openRange } from '../../src/messages/range.ts'
import { rewrapFile } from '../../src/messages/rewrap-file.ts'
import { openStream } from '../../src/messages/stream.ts'
import { withoutStacks } from '../without-stacks.ts'
import { ada, begin, bob, frame, headerLength, LIMITS, pattern } from './fixtures.ts'
import { collect, streamOf } from './streams.ts'

withoutStacks()

const mutations = process.env.STRONGROOM_SLOW === '1' ? 1_000_000 : 100_000

/** The same numbers every time, so that a failure can be found again (mulberry32). */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** One structural change: what a forger with the bytes, but without the key, can do. */
function mutate(message: Buffer, other: Buffer, random: (below: number) => number): Buffer {
  const at = random(message.length)
  const length = 1 + random(64)
  const copy = Buffer.from(message)
  switch (random(9)) {
    case 0:
      copy[at] = (copy[at] as number) ^ (1 << random(8))
      return copy
    case 1:
      return copy.subarray(0, at)
    case 2:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + length)])
    case 3:
      return Buffer.concat([copy.subarray(0, at + length), copy.subarray(at)])
    case 4:
      return Buffer.concat([copy.subarray(0, at), other.subarray(Math.min(at, other.length))])
    case 5:
      copy.fill([0, 255, 127, 128][random(4)] as number, at, Math.min(copy.length, at + length))
      return copy
    case 6: {
      const values = [0, 1, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0xffffffff]
      copy.writeUInt32BE(values[random(7)] as number, random(copy.length - 4))
      return copy
    }
    case 7:
      return Buffer.concat([copy, Buffer.alloc(length, random(256))])
    default: {
      const [a, b] = [random(copy.length - 64), random(copy.length - 64)]
      const piece = Buffer.from(copy.subarray(a, a + length))
      copy.copyWithin(a, b, b + length)
      piece.copy(copy, b)
      return copy
    }
  }
}

describe('a message that was tampered with', () => {
  it(`never opens and never fails otherwise than as one (${mutations.toLocaleString('en')} mutations)`, async () => {
    // Data keys are remembered, so that every mutation gets as far as its damage lets it.
    const room = createMessages({ kms: ada })
    const options = { frameLength: 16, context: { tenant: 'acme', id: '7' } }
    const signed = await sealMessage([ada, bob], pattern(40), { ...options, suite: 0x0578 })
    const messages = [await room.seal(pattern(40), options), await room.seal(pattern(33), options), signed]
    const random = seeded(20_261_122)
    const faults: string[] = []
    for (let i = 0; i < mutations; i++) {
      // Signatures take a thousand times as long as tags.
      const original = messages[i % 500 === 0 ? 2 : i & 1] as Buffer
      const bad = mutate(original, messages[(i + 1) & 1] as Buffer, random)
      if (messages.some((message) => message.equals(bad))) continue
      const error = await room.open(bad).then(
        () => 'it opened',
        (reason: unknown) => reason,
      )
      if (!(error instanceof DecryptionError)) faults.push(`${i}: ${String(error)}`)
    }
    expect(faults).toEqual([])
  }, 600_000)

  it('by one bit, each of them, never opens', async () => {
    const room = createMessages({ kms: ada })
    for (const suite of [0x0478, 0x0578] as const) {
      const message = await room.seal('x', { context: { a: '1' }, suite })
      for (let bit = 0; bit < message.length * 8; bit++) {
        const bad = Buffer.from(message)
        bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7))
        await expect(room.open(bad)).rejects.toThrow(DecryptionError)
      }
    }
  })

  it('is refused as a stream and in ranges as well', async () => {
    const options = { frameLength: 16, context: { a: '1' } }
    const message = await sealMessage(ada, pattern(40), options)
    const other = await sealMessage(ada, pattern(40), options)
    const random = seeded(7)
    for (let i = 0; i < 1500; i++) {
      const bad = mutate(message, other, random)
      if (bad.equals(message) || bad.equals(other)) continue
      const chunk = 1 + random(100)
      await expect(collect(streamOf(bad, chunk).pipeThrough(openStream(ada)))).rejects.toThrow(DecryptionError)
      // A range sees the header, its own frames and the last one; elsewhere the damage stays unseen.
      const range = await openRange(ada, bytesSource(bad), 0, 99).catch((error: unknown) => error)
      expect(range).toBeInstanceOf(DecryptionError)
    }
  })
})

it('detached recipients that were tampered with never open their message, nor another', async () => {
  const message = await sealMessage(ada, pattern(40), { frameLength: 16, context: { a: '1' } })
  const besides: Buffer[] = []
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-hostile-'))
  for (const one of [message, await sealMessage(ada, pattern(40), { context: { a: '1' } })]) {
    const path = join(folder, 'sealed')
    await writeFile(path, one)
    await rewrapFile(ada, path, { to: bob, detached: true, force: true, durable: false })
    besides.push(await readFile(`${path}.recipients`))
  }
  await rm(folder, { recursive: true })
  const [right, other] = besides as [Buffer, Buffer]
  const random = seeded(8)
  await expect(openMessage(bob, message, { recipients: other })).rejects.toThrow(DecryptionError)
  for (let i = 0; i < mutations / 20; i++) {
    const bad = mutate(right, i & 1 ? message : other, random)
    if (bad.equals(right)) continue
    const error = await openMessage(bob, message, { recipients: bad }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(DecryptionError)
  }
  expect((await openMessage(bob, message, { recipients: right })).plaintext.equals(pattern(40))).toBe(true)
}, 600_000)

describe('a header that lies about lengths', () => {
  it('of 65,535 recipients is refused at once, and read in bounded memory when they are allowed', async () => {
    const message = await sealMessage(ada, 'x')
    const many = Buffer.from(message)
    many.writeUInt16BE(65_535, 37)
    await expect(openMessage(ada, many)).rejects.toThrow(DecryptionError)
    const empty = Buffer.concat([
      message.subarray(0, 37),
      Buffer.from([0xff, 0xff]),
      Buffer.alloc(65_535 * 6),
      Buffer.alloc(100),
    ])
    await expect(openMessage(ada, empty, { maxRecipients: 65_535 })).rejects.toThrow(DecryptionError)
    await expect(inspectMessage(many)).rejects.toThrow(DecryptionError)
  })

  it('of more than a mebibyte is never gathered', () => {
    const start = Buffer.alloc(37 + 2 + 2, 0)
    start.writeUInt8(2, 0)
    start.writeUInt16BE(0x0478, 1)
    start.writeUInt16BE(10, 37)
    start.writeUInt16BE(0xffff, 39)
    let bytes = start
    let refused = false
    for (let steps = 0; steps < 100 && !refused; steps++) {
      try {
        const wanted = headerExtent(bytes, 10)
        if (wanted <= bytes.length) break
        expect(wanted).toBeLessThan(MAX_HEADER + 0x10000 + 4)
        bytes = Buffer.concat([bytes, Buffer.alloc(wanted - bytes.length, 0xff)])
      } catch (error) {
        expect(error).toBeInstanceOf(DecryptionError)
        refused = true
      }
    }
    expect(refused).toBe(true)
  })

  it('of frames of 4 GiB is refused, and takes no memory even when they are allowed', async () => {
    const message = await sealMessage(ada, 'x')
    const at = headerLength(message) - 16 - 32 - 4
    const long = Buffer.from(message)
    long.writeUInt32BE(0xffffffff, at)
    await expect(openMessage(ada, long)).rejects.toThrow(DecryptionError)
    const before = process.memoryUsage().arrayBuffers
    await expect(openMessage(ada, long, { maxFrameLength: 0xffffffff })).rejects.toThrow(DecryptionError)
    await expect(
      collect(streamOf(long, 50).pipeThrough(openStream(ada, { maxFrameLength: 0xffffffff }))),
    ).rejects.toThrow(DecryptionError)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024)
  })

  it('is never read beyond its end, wherever that is', async () => {
    const message = await sealMessage([ada, bob], 'x', { context: { a: '1', b: '2' } })
    const length = headerLength(message)
    for (let end = 0; end < length; end++) {
      expect(() => parseHeader(message.subarray(0, end), LIMITS)).toThrow(DecryptionError)
    }
  })
})

it('one ciphertext cannot be made to open to two plaintexts under two keys (the salamander)', async () => {
  // Two recipients who were given different data keys: whichever key the header does not commit to is refused.
  const started = await begin({ frameLength: 64 }, ada)
  const message = Buffer.concat([started.header, frame(started, 'final', 1, 'pay 10')])
  const theirs = Buffer.alloc(32, 0x55)
  const deceived = { ...ada, unwrap: async () => Buffer.from(theirs) }
  expect((await openMessage(ada, message)).plaintext.toString()).toBe('pay 10')
  await expect(openMessage(deceived, message)).rejects.toThrow(DecryptionError)
})
