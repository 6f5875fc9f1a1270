import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { randomBytes, randomInto } from '../../src/crypto/random.ts'

const SLOW = process.env.STRONGROOM_SLOW !== undefined
const COUNT = SLOW ? 10_000_000 : 1_000_000

describe('random bytes', () => {
  test(`have no duplicate among ${COUNT.toLocaleString('en')} nonces`, { timeout: 300_000 }, () => {
    // The first 8 bytes decide: two equal ones among 10^7 would come by chance once in 370,000 runs.
    const seen = new BigUint64Array(COUNT)
    const nonce = Buffer.alloc(24)
    for (let i = 0; i < COUNT; i++) {
      randomInto(nonce, 0, 24)
      seen[i] = nonce.readBigUInt64BE(0)
    }
    seen.sort()
    let duplicates = 0
    for (let i = 1; i < COUNT; i++) if (seen[i] === seen[i - 1]) duplicates++
    expect(duplicates).toBe(0)
  })

  test('are not repeated by worker threads', { timeout: 60_000 }, async () => {
    const module = new URL('../../src/crypto/random.ts', import.meta.url).href
    const code = `
      const { parentPort } = require('node:worker_threads')
      import('jiti').then(({ createJiti }) => createJiti(${JSON.stringify(module)}).import(${JSON.stringify(module)}))
        .then(({ randomBytes }) => parentPort.postMessage(Array.from({ length: 2000 }, () => randomBytes(24).toString('hex'))))`
    const runs = Array.from({ length: 4 }, () => {
      return new Promise<string[]>((resolve, reject) => {
        const worker = new Worker(code, { eval: true })
        worker.once('message', resolve).once('error', reject)
      })
    })
    const all = [
      ...(await Promise.all(runs)).flat(),
      ...Array.from({ length: 2000 }, () => randomBytes(24).toString('hex')),
    ]
    expect(all).toHaveLength(10_000)
    expect(new Set(all).size).toBe(10_000)
  })

  test('stand in memory of their own, not in a pool that others see', () => {
    expect(randomBytes(32).buffer.byteLength).toBe(32)
  })

  test('are fresh to the last byte, across many refills', () => {
    const ones = Buffer.alloc(24)
    const zeros = Buffer.alloc(24, 255)
    for (let i = 0; i < 5000; i++) {
      const bytes = randomBytes(24)
      for (let at = 0; at < 24; at++) {
        ones[at] = (ones[at] as number) | (bytes[at] as number)
        zeros[at] = (zeros[at] as number) & (bytes[at] as number)
      }
    }
    expect(ones).toEqual(Buffer.alloc(24, 255))
    expect(zeros).toEqual(Buffer.alloc(24))
  })
})
