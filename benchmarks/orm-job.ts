import type { Result } from './result.ts'

/** One object mapper, and what is measured of it. */
export interface Mapper {
  readonly name: string
  /** Why it cannot be measured here. */
  readonly missing?: string
  readonly read?: Job
  readonly insert?: Job
  close?(): Promise<unknown>
}

/** One job, on 1,000 rows, in several ways. */
export interface Job {
  /** The mapper on plain columns, without encryption. */
  readonly plain: Way
  /** The mapper with encryption. */
  readonly encrypted: Way
  /** The record cipher alone, on the same values; left out for other libraries. */
  readonly bare?: Way
  /** The mapper on ciphertexts that were made before: what a mapper costs for longer and more columns. */
  readonly stored?: Way
  /** In place of `stored`, where a mapper can be listened to: what it took itself in the last run with encryption, in ms. */
  readonly mapperMs?: () => number
  /** Before each run. */
  readonly before?: () => Promise<unknown>
}

type Way = () => Promise<unknown>

const WAYS = ['plain', 'stored', 'encrypted', 'bare'] as const
type WayName = (typeof WAYS)[number]

/** What the encryption of an adapter may cost, beside the bare record cipher. */
const TARGET = { atMost: 1.3 }

/**
 * Measures both jobs of a mapper.
 *
 * @param seconds how long each of them is done, once at least
 */
export async function measureMapper(
  { name, missing, read, insert, close }: Mapper,
  seconds: number,
): Promise<Result[]> {
  const results: Result[] = missing === undefined ? [] : [{ id: 'P13 orm', what: name, measured: '', missing }]
  for (const [what, job] of Object.entries({ read, insert })) {
    if (job === undefined) continue
    results.push(...linesOf(`${name}: ${what} 1,000 rows`, await processorMs(job, seconds), job.bare !== undefined))
  }
  await close?.()
  return results
}

/** ms of the processor in this process for one run of each way, and for the mapper alone in one with encryption. */
type Times = { readonly [Name in WayName | 'mapper']: number }

function linesOf(what: string, { plain, encrypted, bare, mapper }: Times, isOurs: boolean): Result[] {
  const ms = (time: number) => `${time.toFixed(1)} ms`
  const measured = `${ms(plain)} → ${ms(encrypted)}  ${(encrypted / plain).toFixed(2)} ×`
  const lines: Result[] = [{ id: 'P13 orm', what, measured }]
  if (!isOurs) return lines
  const value = (encrypted - mapper) / bare
  return [
    ...lines,
    {
      id: 'P13 orm',
      what: '  the part of the encryption / the bare cipher',
      measured: `${ms(encrypted - mapper)} / ${ms(bare)}  ${value.toFixed(2)} ×`,
      value,
      target: TARGET,
    },
  ]
}

/** Runs of a turn that count. Garbage is collected once in two runs or so: fewer would miss it in one way, and not in another. */
const RUNS = 4
/** Rounds until everything is compiled. */
const WARM_UP = 2

/**
 * The time of the processor that each way takes in this process, in turns: the database and its disk are the same for all,
 * and vary more than what is measured. The first run of a turn does not count, for it pays for the garbage that another way
 * left. Means of the three quarters of the rounds that took least, because a machine that others use is at times much slower.
 */
async function processorMs({ before, mapperMs, ...ways }: Job, seconds: number): Promise<Times> {
  const rounds: Times[] = []
  let end = 0
  for (let round = 0; round <= WARM_UP || performance.now() < end; round++) {
    const times = { plain: 0, stored: 0, encrypted: 0, bare: 0, mapper: 0 }
    for (const name of WAYS) {
      const way = ways[name]
      if (way === undefined) continue
      for (let run = 0; run <= RUNS; run++) {
        await before?.()
        const start = process.cpuUsage()
        await way()
        const { user, system } = process.cpuUsage(start)
        if (run === 0) continue
        times[name] += (user + system) / 1_000 / RUNS
        if (name === 'encrypted') times.mapper += (mapperMs?.() ?? 0) / RUNS
      }
    }
    if (mapperMs === undefined) times.mapper = times.stored
    if (round === WARM_UP - 1) end = performance.now() + seconds * 1_000
    if (round >= WARM_UP) rounds.push(times)
  }
  const sum = (times: Times) => WAYS.reduce((total, name) => total + times[name], 0)
  const calm = rounds.toSorted((a, b) => sum(a) - sum(b)).slice(0, Math.ceil(rounds.length * 0.75))
  const mean = (name: keyof Times) => calm.reduce((total, times) => total + times[name], 0) / calm.length
  return Object.fromEntries([...WAYS, 'mapper' as const].map((name) => [name, mean(name)])) as Times
}
