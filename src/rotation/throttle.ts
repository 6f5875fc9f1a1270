import { setTimeout as delay } from 'node:timers/promises'
import { assertObject } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import type { Table } from '../table.ts'

/** How much of the database a job may take. */
export interface ThrottleOptions {
  /** Rows per second at most, 1 or more. */
  readonly rowsPerSecond?: number
  /** Waits while replicas are further behind than this, in ms. */
  readonly maxLagMs?: number
  /** Works only between these hours of the day, local time, each 0 to 24, for example `{ from: 22, to: 5 }`. */
  readonly hours?: { readonly from: number; readonly to: number }
}

const LOOK_AGAIN_MS = 1000

/** Waits before a batch for as long as the options say. */
export class Throttle {
  readonly #options: ThrottleOptions
  readonly #table: Pick<Table, 'lag'>
  #free = 0

  constructor(table: Pick<Table, 'lag'>, options: ThrottleOptions = {}) {
    assertObject(options, 'throttle')
    const { rowsPerSecond, maxLagMs, hours } = options
    if (hours !== undefined) assertObject(hours, 'hours')
    assertAtLeast('rowsPerSecond', rowsPerSecond, 1)
    assertAtLeast('maxLagMs', maxLagMs, 0)
    for (const hour of hours === undefined ? [] : [hours.from, hours.to]) {
      if (!Number.isInteger(hour) || hour < 0 || hour > 24) throw new InvalidInputError('hours must be from 0 to 24')
    }
    this.#options = options
    this.#table = table
  }

  /** Whether there is anything to wait for. */
  get isSet(): boolean {
    const { rowsPerSecond, maxLagMs, hours } = this.#options
    return rowsPerSecond !== undefined || maxLagMs !== undefined || hours !== undefined
  }

  /**
   * @param waiting called about every second while it waits: whoever waits for a night must not be taken for dead
   * @throws the signal's reason
   */
  async before(rows: number, signal: AbortSignal | undefined, waiting: () => Promise<void>): Promise<void> {
    const { rowsPerSecond, maxLagMs, hours } = this.#options
    const pause = async (ms: number) => {
      await wait(ms, signal)
      await waiting()
    }
    while (hours !== undefined && !isWithin(hours, new Date().getHours())) await pause(LOOK_AGAIN_MS)
    while (maxLagMs !== undefined && (await this.#table.lag()) > maxLagMs) await pause(LOOK_AGAIN_MS)
    if (rowsPerSecond === undefined) return
    const now = performance.now()
    const free = Math.max(now, this.#free)
    this.#free = free + (rows * 1000) / rowsPerSecond
    for (let left = free - now; left > 0; left = free - performance.now()) await pause(Math.min(left, LOOK_AGAIN_MS))
  }
}

function isWithin({ from, to }: { from: number; to: number }, hour: number): boolean {
  return from <= to ? hour >= from && hour < to : hour >= from || hour < to
}

async function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(ms, undefined, signal === undefined ? {} : { signal }).catch((error) => {
    throw signal?.aborted ? signal.reason : error
  })
}

function assertAtLeast(name: string, value: number | undefined, least: number): void {
  if (value !== undefined && !(Number.isFinite(value) && value >= least)) {
    throw new InvalidInputError(`${name} must be a number of at least ${least}`)
  }
}
