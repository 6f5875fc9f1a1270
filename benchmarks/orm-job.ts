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
  /** The mapper on ciphertexts that were made before: what a mapper costs for longer and more columns. */
  readonly stored?: Way
  /** The mapper with encryption. */
  readonly encrypted: Way
  /** The record cipher alone, on the same values; left out for other libraries. */
  readonly bare?: Way
  /** Before each run. */
  readonly before?: () => Promise<unknown>
}

type Way = () => Promise<unknown>

const WAYS = ['plain', 'stored', 'encrypted', 'bare'] as const
type WayName = (typeof WAYS)[number]

/** What the encryption of an adapter may cost, beside the bare record cipher. */
const TARGET = { atMost: 1.3 }

/** Measures both jobs of a mapper. */
export async function measureMapper({ name, missing, read, insert, close }: Mapper, rounds: number): Promise<Result[]> {
  const results: Result[] = missing === undefined ? [] : [{ id: 'P13 orm', what: name, measured: '', missing }]
  for (const [what, job] of Object.entries({ read, insert })) {
    if (job === undefined) continue
    results.push(...linesOf(`${name}: ${what} 1,000 rows`, await processorMs(job, rounds), job.bare !== undefined))
  }
  await close?.()
  return results
}

/** ms of the processor in this process for one run of each way. */
type Times = { readonly [Name in WayName]: number }

function linesOf(what: string, { plain, stored, encrypted, bare }: Times, isOurs: boolean): Result[] {
  const ms = (time: number) => `${time.toFixed(1)} ms`
  const measured = `${ms(plain)} → ${ms(encrypted)}  ${(encrypted / plain).toFixed(2)} ×`
  const lines: Result[] = [{ id: 'P13 orm', what, measured }]
  if (!isOurs) return lines
  const value = (encrypted - stored) / bare
  return [
    ...lines,
    {
      id: 'P13 orm',
      what: '  the part of the encryption / the bare cipher',
      measured: `${ms(encrypted - stored)} / ${ms(bare)}  ${value.toFixed(2)} ×`,
      value,
      target: TARGET,
    },
  ]
}

/**
 * The time of the processor that each way takes in this process, in turns: the database and its disk are the same for all,
 * and vary more than what is measured. A turn is two runs, of which the second counts: the first one pays for the garbage
 * that another way left, and the second for that of its own kind. Means, because garbage is paid for once in several runs;
 * of the three quarters of the rounds that took least, because a machine that others use is at times a third slower.
 */
async function processorMs({ before, ...ways }: Job, rounds: number): Promise<Times> {
  const all: Times[] = []
  for (let round = -2; round < rounds; round++) {
    const times = { plain: 0, stored: 0, encrypted: 0, bare: 0 }
    for (const name of WAYS) {
      const way = ways[name]
      if (way === undefined) continue
      await before?.()
      await way()
      await before?.()
      const start = process.cpuUsage()
      await way()
      const { user, system } = process.cpuUsage(start)
      times[name] = (user + system) / 1_000
    }
    if (round >= 0) all.push(times)
  }
  const sum = (times: Times) => WAYS.reduce((total, name) => total + times[name], 0)
  const calm = all.toSorted((a, b) => sum(a) - sum(b)).slice(0, Math.ceil(all.length * 0.75))
  const mean = (name: WayName) => calm.reduce((total, times) => total + times[name], 0) / calm.length
  return { plain: mean('plain'), stored: mean('stored'), encrypted: mean('encrypted'), bare: mean('bare') }
}
