import { availableParallelism } from 'node:os'
import { type CalibrationRow, calibrateArgon2id } from '../passwords/calibrate.ts'
import { type Argon2EngineName, argon2EngineNames } from '../passwords/load-engine.ts'
import { decimal } from './decimal.ts'
import type { Output } from './output.ts'
import { table } from './table.ts'
import { type Command, InvalidArgumentError, Option } from './vendor.ts'

interface CalibrateOptions {
  readonly target: number
  readonly concurrency: number
  readonly engine?: Argon2EngineName
  readonly json?: true
}

/** `strongroom passwords calibrate`: which Argon2id parameters this machine can afford. */
export function addPasswordsCalibrate(parent: Command, output: Output): void {
  parent
    .command('calibrate')
    .description('Measure Argon2id on this machine and print parameters for a target time.')
    .option('--target <time>', 'time of one hash, as 250ms or 0.5s', parseTime, 250)
    .option('--concurrency <n>', 'hashes at once', parseCount, availableParallelism())
    .addOption(new Option('--engine <name>', 'which Argon2 computes').choices(argon2EngineNames))
    .option('--json', 'print the result for programs')
    .action(async ({ target, concurrency, engine, json }: CalibrateOptions) => {
      output.say(`measuring ${concurrency} at once for a target of ${target} ms`)
      const result = await calibrateArgon2id({ targetMs: target, concurrency, ...(engine && { engine }) })
      if (json) return output.json(result)
      output.result(table(output, HEAD, result.rows.map(cells)))
      if (result.recommended === undefined) {
        output.hint('nothing above the OWASP minimum fits this target: allow more time, or fewer hashes at once')
      } else {
        const { memoryKiB, passes, memoryMiB } = result.recommended
        output.hint(
          `argon2id({ memoryKiB: ${memoryKiB}, passes: ${passes}, admission: { memoryMiB: ${memoryMiB}, concurrency: ${concurrency} } })`,
        )
      }
    })
}

const HEAD = ['memory KiB (m)', 'passes (t)', 'lanes (p)', 'ms per hash', 'MiB in all', 'logins/s', 'OWASP minimum']

function cells(row: CalibrationRow): (string | number)[] {
  const { memoryKiB, passes, parallelism, ms, memoryMiB, loginsPerSecond, belowFloor } = row
  return [memoryKiB, passes, parallelism, ms, memoryMiB, loginsPerSecond, belowFloor ? 'below' : 'reached']
}

function parseTime(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(text) ?? []
  const ms = Math.round(Number(digits) * (unit === 's' ? 1000 : 1))
  if (digits === undefined || ms < 1 || ms > 60_000) throw new InvalidArgumentError('give a time like 250ms or 0.5s')
  return ms
}

function parseCount(text: string): number {
  const count = decimal(text)
  if (!Number.isInteger(count) || count < 1 || count > 256)
    throw new InvalidArgumentError('give a number from 1 to 256')
  return count
}
