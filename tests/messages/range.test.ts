import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DecryptionError, InvalidInputError } from '../../src/errors.ts'
import { bytesSource, inspectMessage } from '../../src/messages/inspect.ts'
import { sealMessage } from '../../src/messages/message.ts'
import { openRange } from '../../src/messages/range.ts'
import { ada, begin, frame, headerLength, pattern } from './fixtures.ts'

describe('a range', () => {
  it('is the same bytes as in the whole plaintext, wherever it starts and ends', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(120),
        fc.integer({ min: 1, max: 50 }),
        fc.nat(130),
        fc.nat(130),
        async (size, frameLength, a, b) => {
          const plaintext = pattern(size)
          const message = await sealMessage(ada, plaintext, { frameLength })
          const [start, end] = [Math.min(a, b), Math.max(a, b)]
          const range = await openRange(ada, bytesSource(message), start, end)
          expect(range.equals(plaintext.subarray(start, end))).toBe(true)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('reads only the frames it needs and the last', async () => {
    const message = await sealMessage(ada, pattern(1_000_000), { frameLength: 1000 })
    let read = 0
    const source = {
      size: message.length,
      read: async (position: number, length: number) => {
        read += length
        return message.subarray(position, position + length)
      },
    }
    const range = await openRange(ada, source, 500_500, 502_500)
    expect(range.equals(pattern(1_000_000).subarray(500_500, 502_500))).toBe(true)
    expect(read).toBeLessThan(4096 + 4 * 1032 + 40)
  })

  it('with an empty final frame is read as well', async () => {
    const started = await begin({ frameLength: 4 })
    const message = Buffer.concat([
      started.header,
      frame(started, 'regular', 1, 'abcd'),
      frame(started, 'final', 2, ''),
    ])
    expect((await openRange(ada, bytesSource(message), 2, 9)).toString()).toBe('cd')
  })

  it('of a message that was shortened by whole frames is refused, even if the frames it needs are there', async () => {
    const message = await sealMessage(ada, pattern(1000), { frameLength: 100 })
    const body = headerLength(message)
    const last = message.subarray(message.length - 140)
    for (const shorter of [
      message.subarray(0, body + 5 * 132),
      Buffer.concat([message.subarray(0, body + 5 * 132), last]),
      message.subarray(0, -1),
      Buffer.concat([message, Buffer.alloc(1)]),
    ]) {
      await expect(openRange(ada, bytesSource(shorter), 0, 100)).rejects.toThrow(DecryptionError)
    }
  })

  it('with a changed frame is refused, another range of the same message is not', async () => {
    const message = await sealMessage(ada, pattern(1000), { frameLength: 100 })
    const at = headerLength(message) + 3 * 132 + 50
    message[at] = (message[at] as number) ^ 1
    await expect(openRange(ada, bytesSource(message), 310, 311)).rejects.toThrow(DecryptionError)
    expect((await openRange(ada, bytesSource(message), 410, 411)).length).toBe(1)
  })

  it('that cannot be, or that no signature can prove, is refused', async () => {
    const message = await sealMessage(ada, 'x', { suite: 0x0578 })
    await expect(openRange(ada, bytesSource(message), 0, 1)).rejects.toThrow(InvalidInputError)
    for (const [start, end] of [
      [-1, 1],
      [2, 1],
      [0.5, 1],
      [0, Number.NaN],
    ] as const) {
      await expect(openRange(ada, bytesSource(message), start, end)).rejects.toThrow(InvalidInputError)
    }
  })
})

describe('inspecting a message', () => {
  it('says what its header says, and asks nobody', async () => {
    const message = await sealMessage(ada, pattern(25), { frameLength: 10, context: { a: '1' } })
    const summary = await inspectMessage(message)
    expect({ ...summary, context: { ...summary.context } }).toEqual({
      version: 2,
      suite: 0x0478,
      signed: false,
      messageId: message.subarray(3, 35).toString('hex'),
      recipients: [{ provider: 'tests', keyId: 'ada' }],
      context: { a: '1' },
      frameLength: 10,
      headerLength: headerLength(message),
      size: message.length,
      frames: 3,
      plaintextLength: 25,
    })
    expect((await inspectMessage(await sealMessage(ada, 'x', { suite: 0x0578 }))).signed).toBe(true)
    await expect(inspectMessage(Buffer.from('not a message'))).rejects.toThrow(DecryptionError)
  })
})
