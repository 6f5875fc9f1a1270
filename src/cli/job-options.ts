import type { JobOptions } from '../rotation/job-options.ts'
import { decimal } from './decimal.ts'
import { type Command, InvalidArgumentError } from './vendor.ts'

/** What every job over a table takes. */
export interface JobCommandOptions {
  readonly batch: number
  readonly rowsPerSecond?: number
  readonly maxLag?: number
  readonly hours?: { from: number; to: number }
  readonly staleAfter: number
  readonly dryRun?: true
  readonly json?: true
}

/** Adds the options of a job. */
export function withJobOptions(command: Command): Command {
  return withPaceOptions(command)
    .option('--dry-run', 'count what would be written, and write nothing')
    .option('--json', 'print the result for programs')
}

/** Adds the options that say how fast a job goes. */
export function withPaceOptions(command: Command): Command {
  return command
    .option('--batch <rows>', 'rows in one transaction', whole(1, 10_000), 500)
    .option('--rows-per-second <rows>', 'go no faster', whole(1, 10_000_000))
    .option('--max-lag <ms>', 'wait while a replica is further behind', whole(0, 86_400_000))
    .option('--hours <from-to>', 'work only between these hours, as 22-5', hours)
    .option(
      '--stale-after <ms>',
      'take a job over whose process was silent for so long',
      whole(1000, 86_400_000),
      60_000,
    )
}

/** The options as a job takes them. */
export function jobOptions(options: JobCommandOptions): JobOptions {
  const { rowsPerSecond, maxLag, hours } = options
  return {
    batch: options.batch,
    staleMs: options.staleAfter,
    dryRun: options.dryRun === true,
    throttle: {
      ...(rowsPerSecond !== undefined && { rowsPerSecond }),
      ...(maxLag !== undefined && { maxLagMs: maxLag }),
      ...(hours !== undefined && { hours }),
    },
  }
}

/** Reads a whole number. @throws InvalidArgumentError */
export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = decimal(text)
    if (Number.isInteger(value) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`a whole number from ${least} to ${most}`)
  }
}

function hours(text: string): { from: number; to: number } {
  const [, from, to] = /^(\d{1,2})-(\d{1,2})$/.exec(text) ?? []
  if (from === undefined || to === undefined || Number(from) > 24 || Number(to) > 24) {
    throw new InvalidArgumentError('two hours of the day, as 22-5')
  }
  return { from: Number(from), to: Number(to) }
}
