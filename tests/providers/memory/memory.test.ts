import { describe, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../../providers/memory/index.ts'
import { keyStoreConformance, kmsConformance } from '../../../providers/testing/index.ts'
import { sampleRecord } from '../../../providers/testing/sample-records.ts'

const KEYS = process.env.STRONGROOM_SLOW === '1' ? 200_000 : 50_000

describe('the KMS in memory', () => {
  const cases = kmsConformance(async () => {
    const key = new Uint8Array(32).map((_, at) => at + 100)
    const provider = memoryKms({ key })
    return { provider, other: memoryKms(), calls: () => provider.calls.wrap + provider.calls.unwrap, secrets: [key] }
  })
  for (const { name, run } of cases) test(name, run)

  test('two with one key open each other’s wrapped keys', async () => {
    const key = new Uint8Array(32).fill(7)
    const wrapped = await memoryKms({ key }).wrap(new Uint8Array(32).fill(1), { context: { a: 'b' } })
    expect([...(await memoryKms({ key }).unwrap(wrapped, { context: { a: 'b' } }))]).toEqual(Array(32).fill(1))
  })

  test('a closed one works no more', async () => {
    const kms = memoryKms()
    await kms.close?.()
    await expect(kms.wrap(new Uint8Array(32), { context: {} })).rejects.toThrow()
  })

  test('a key of another length is refused', () => {
    expect(() => memoryKms({ key: new Uint8Array(16) })).toThrow(TypeError)
  })
})

describe('the key store in memory', () => {
  for (const { name, run } of keyStoreConformance(async () => ({ store: memoryKeyStore() }))) test(name, run)

  test(`finds among ${KEYS} keys as fast as among ten`, async () => {
    const record = sampleRecord()
    const records = Array.from({ length: KEYS }, (_, at) => ({
      ...record,
      id: at.toString(16).padStart(32, '0'),
      scope: `subject=${at}`,
    }))
    const store = memoryKeyStore({ records })
    const started = performance.now()
    for (let at = 0; at < 1000; at++) {
      await store.findActive('data', [`subject=${at * 49}`])
      await store.get([(at * 49).toString(16).padStart(32, '0')])
    }
    expect(performance.now() - started).toBeLessThan(500)
    expect(store.size).toBe(KEYS)
  })
})
