import { Buffer } from 'node:buffer'
import { availableParallelism } from 'node:os'
import { assertArray, assertFunction, assertOptions, assertWhole, describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import { argon2Presets, isBelowFloor } from './argon2-parameters.ts'
import { argon2Runner } from './argon2-runner.ts'
import type { Argon2Engine } from './engine.ts'
import type { Argon2EngineName } from './load-engine.ts'

/** What to aim for. */
export interface CalibrationOptions {
  /** Time of one hash in ms while `concurrency` hashes run. Default 250. */
  readonly targetMs?: number
  /** Hashes at once. Default: the cores. */
  readonly concurrency?: number
  /** The engine to measure, by its name or one of your own; the fastest that is here by default. */
  readonly engine?: Argon2EngineName | Argon2Engine
  /** Memory sizes to try, in KiB. Default 19 to 256 MiB in five steps. */
  readonly memoryKiB?: readonly number[]
}

/** One choice of parameters, as measured on this machine. */
export interface CalibrationRow {
  /** Memory of one hash, in KiB. */
  readonly memoryKiB: number
  readonly passes: number
  readonly parallelism: 1
  /** Median time of one hash in ms, while `concurrency` hashes run. */
  readonly ms: number
  /** Memory of `concurrency` hashes, in MiB: the least `admission.memoryMiB` that lets them run at once. */
  readonly memoryMiB: number
  /** Hashes a second, `concurrency` at once. */
  readonly loginsPerSecond: number
  /** Whether it is weaker than every choice that OWASP names. */
  readonly belowFloor: boolean
}

/** The choices, and the one to take. */
export interface Calibration {
  /** What was aimed for: ms of one hash. */
  readonly targetMs: number
  /** Hashes at once. */
  readonly concurrency: number
  readonly rows: readonly CalibrationRow[]
  /** The row with most memory that stays within the target and above the floor; undefined when none does. */
  readonly recommended: CalibrationRow | undefined
}

const SIZES = [19_456, 32_768, argon2Presets.default.memoryKiB, 131_072, 262_144]
const ROUNDS = 3
const MAX_PASSES = 16

/**
 * Measures Argon2id here and fits the passes of each memory size to a target time: memory first, passes with what time
 * is left, as RFC 9106 section 4 advises. Takes some ten seconds, and the memory that it measures.
 *
 * @param now the time in ms, for tests
 * @returns a row for each memory size, and the one to take
 * @throws InvalidInputError when an option is out of range; ConfigError when there is no engine
 */
export async function calibrateArgon2id(
  options: CalibrationOptions = {},
  now: () => number = () => performance.now(),
): Promise<Calibration> {
  assertOptions(options, 'the options')
  assertFunction(now, 'now')
  const { targetMs = 250, concurrency = availableParallelism(), memoryKiB: sizes = SIZES } = options
  assertWhole(targetMs, 'targetMs', 1, 60_000)
  assertWhole(concurrency, 'concurrency', 1, 256)
  assertArray(sizes, 'memoryKiB')
  for (const size of sizes) assertWhole(size, 'memoryKiB', 8, 4_194_304)
  const run = argon2Runner(options.engine)
  const rows: CalibrationRow[] = []
  for (const memoryKiB of sizes) {
    const once = await measure(memoryKiB, 1)
    const passes = Math.min(Math.max(Math.floor(targetMs / once), 1), MAX_PASSES)
    const ms = passes === 1 ? once : await measure(memoryKiB, passes)
    rows.push({
      memoryKiB,
      passes,
      parallelism: 1,
      ms: Math.round(ms),
      memoryMiB: Math.ceil((memoryKiB * concurrency) / 1024),
      loginsPerSecond: Math.round((10_000 * concurrency) / ms) / 10,
      belowFloor: isBelowFloor({ memoryKiB, passes, parallelism: 1 }),
    })
  }
  const fits = rows.filter(({ ms, belowFloor }) => !belowFloor && ms <= 1.2 * targetMs)
  return { targetMs, concurrency, rows, recommended: fits.at(-1) }

  function time(): number {
    const ms = now()
    if (!Number.isFinite(ms)) throw new InvalidInputError(`now must give a time in ms, received ${describe(ms)}`)
    return ms
  }

  /** Median time of a round of `concurrency` hashes at once, in ms. */
  async function measure(memoryKiB: number, passes: number): Promise<number> {
    const salt = Buffer.alloc(16)
    const password = Buffer.from('calibration')
    const hash = () =>
      run({ type: 'argon2id', version: 19, memoryKiB, passes, parallelism: 1, hashLength: 32, password, salt })
    const times: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const started = time()
      await Promise.all(Array.from({ length: concurrency }, hash))
      times.push(time() - started)
    }
    return times.sort((a, b) => a - b)[ROUNDS >> 1] as number
  }
}
