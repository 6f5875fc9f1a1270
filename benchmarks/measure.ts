/** One way to do the job. `run` gets a counter, so that it need not do the same thing each time. */
export interface Contender {
  readonly name: string
  readonly run: (i: number) => unknown
  /** Whether `run` gives a promise to wait for. */
  readonly async?: boolean
  /** Jobs done by one call of `run`; 1 by default. */
  readonly jobs?: number
}

/** What a contender reached. */
export interface Speed {
  readonly name: string
  /** Jobs per second, from the lower quartile of the rounds. */
  readonly perSecond: number
}

/** How long to measure. */
export interface Effort {
  readonly rounds: number
  /** ms for each contender in each round. */
  readonly roundMs: number
}

const WARM_UP_MS = 300
const FIRST_GUESS = 20

/**
 * Measures contenders in one process, in turns: each round gives every contender the same short time, and starts with
 * another one, so that a busy machine, its clock speed and the garbage of a neighbour hit all alike. Of the rounds the
 * lower quartile counts: on a machine that others use too, the slow rounds measure the others.
 */
export async function measure(contenders: readonly Contender[], effort: Effort): Promise<Speed[]> {
  const calls: number[] = []
  for (const contender of contenders) calls.push(await warmUp(contender, effort))
  const rounds: number[][] = contenders.map(() => [])
  for (let round = 0; round < effort.rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const at = (turn + round) % contenders.length
      const contender = contenders[at] as Contender
      const seconds = await timeOf(contender, calls[at] as number)
      rounds[at]?.push(seconds / (calls[at] as number) / (contender.jobs ?? 1))
    }
  }
  return contenders.map(({ name }, at) => ({ name, perSecond: 1 / lowerQuartile(rounds[at] as number[]) }))
}

/** How many times as fast `speed` is as `other`. */
export function ratio(speed: Speed, other: Speed): number {
  return speed.perSecond / other.perSecond
}

/** The value below which a quarter of the values lie. */
export function lowerQuartile(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 2] as number
}

/** The value below which half of the values lie. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number
}

/** Runs a contender until it is compiled. @returns the number of calls that fill one round */
async function warmUp(contender: Contender, { rounds, roundMs }: Effort): Promise<number> {
  const end = performance.now() + Math.min(WARM_UP_MS, rounds * roundMs)
  let calls = FIRST_GUESS
  let fastest = Number.POSITIVE_INFINITY
  while (performance.now() < end) {
    fastest = Math.min(fastest, (await timeOf(contender, calls)) / calls)
    calls = Math.max(1, Math.min(calls * 2, Math.ceil(roundMs / 1000 / fastest)))
  }
  return Math.max(1, Math.ceil(roundMs / 1000 / fastest))
}

// Kept where the optimiser cannot see that nobody reads it.
export const kept: { value?: unknown } = {}

async function timeOf({ run, async }: Contender, calls: number): Promise<number> {
  const start = process.hrtime.bigint()
  if (async) for (let i = 0; i < calls; i++) kept.value = await run(i)
  else for (let i = 0; i < calls; i++) kept.value = run(i)
  return Number(process.hrtime.bigint() - start) / 1e9
}
