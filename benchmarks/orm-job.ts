import { median } from './measure.ts'
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

/** What the encryption of an adapter may cost, beside the bare record cipher. */
const TARGET = { atMost: 1.3 }

/** Measures both jobs of a mapper. */
export async function measureMapper({ name, missing, read, insert, close }: Mapper, rounds: number): Promise<Result[]> {
  const results: Result[] = missing === undefined ? [] : [{ id: 'P13 orm', what: name, measured: '', missing }]
  for (const [what, job] of Object.entries({ read, insert })) {
    if (job === undefined) continue
    results.push(...linesOf(`${name}: ${what} 1,000 rows`, await processorMs(job, rounds)))
  }
  await close?.()
  return results
}

/** ms of the processor in this process, one of each round. */
type Times = { readonly [Name in 'plain' | 'stored' | 'encrypted' | 'bare']: readonly number[] }

function linesOf(what: string, { plain, stored, encrypted, bare }: Times): Result[] {
  const ms = (times: readonly number[]) => `${median(times).toFixed(1)} ms`
  const times = (median(encrypted) / median(plain)).toFixed(2)
  const lines: Result[] = [{ id: 'P13 orm', what, measured: `${ms(plain)} → ${ms(encrypted)}  ${times} ×` }]
  if (stored.length === 0) return lines
  const added = encrypted.map((time, round) => time - (stored[round] as number))
  const value = median(added.map((time, round) => time / (bare[round] as number)))
  const measured = `${ms(added)} / ${ms(bare)}  ${value.toFixed(2)} ×`
  return [
    ...lines,
    { id: 'P13 orm', what: '  the part of the encryption / the bare cipher', measured, value, target: TARGET },
  ]
}

/**
 * The time of the processor that each way takes in this process, in turns: the database and its disk are the same for all,
 * and vary more than what is measured. A turn is two runs, of which the second counts: the first one pays for the garbage
 * that another way left, and the second for that of its own kind. What is compared ran in the same round, a second apart,
 * because the speed of a machine that others use too changes by a third from minute to minute.
 */
async function processorMs({ before, ...ways }: Job, rounds: number): Promise<Times> {
  const names = ['plain', 'stored', 'encrypted', 'bare'] as const
  const times: Record<(typeof names)[number], number[]> = { plain: [], stored: [], encrypted: [], bare: [] }
  for (let round = -2; round < rounds; round++) {
    for (const name of names) {
      const way = ways[name]
      if (way === undefined) continue
      await before?.()
      await way()
      await before?.()
      const start = process.cpuUsage()
      await way()
      const { user, system } = process.cpuUsage(start)
      if (round >= 0) times[name].push((user + system) / 1_000)
    }
  }
  return times
}
