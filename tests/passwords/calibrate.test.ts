import { expect, test } from 'vitest'
import { calibrateArgon2id } from '../../src/passwords/calibrate.ts'
import type { Argon2Engine } from '../../src/passwords/engine.ts'
import { countingEngine } from './fixtures.ts'

let elapsed = 0
const now = () => elapsed

/** An engine whose time, on a clock of its own, grows with memory and passes; `atOnce` hashes share it. */
async function slowEngine(atOnce: number): Promise<Argon2Engine> {
  const { engine } = await countingEngine()
  return {
    ...engine,
    hash: async (request) => {
      if (request.secret !== undefined) return engine.hash(request)
      elapsed += ((request.memoryKiB / 1024 / 10) * request.passes) / atOnce
      return Buffer.alloc(request.hashLength)
    },
  }
}

test('the most memory that fits the time is recommended, with the passes that fill it', async () => {
  const engine = await slowEngine(3)
  const { rows, recommended } = await calibrateArgon2id(
    {
      targetMs: 40,
      concurrency: 3,
      engine,
      memoryKiB: [19_456, 102_400, 1_024_000],
    },
    now,
  )
  expect(rows.map(({ belowFloor }) => belowFloor)).toEqual([false, false, false])
  expect(rows[0]?.passes).toBeGreaterThanOrEqual(8)
  expect(rows[2]).toMatchObject({ passes: 1, memoryMiB: 3000 })
  expect(recommended).toBe(rows[1])
})

test('when nothing above the floor fits, nothing is recommended', async () => {
  const engine = await slowEngine(1)
  const { rows, recommended } = await calibrateArgon2id(
    {
      targetMs: 3,
      concurrency: 1,
      engine,
      memoryKiB: [8_192, 65_536],
    },
    now,
  )
  expect(rows[0]).toMatchObject({ belowFloor: true })
  expect(recommended).toBeUndefined()
})

test('options out of range are refused', async () => {
  for (const wrong of [{ targetMs: 0 }, { concurrency: 0 }, { memoryKiB: [1] }, { targetMs: Number.NaN }]) {
    await expect(calibrateArgon2id(wrong)).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
  }
})
