import pg from 'pg'
import { startPostgres } from '../tests/fixtures/postgres.ts'
import { lowerQuartile } from './measure.ts'
import { prismaContenders } from './orm-prisma.ts'
import type { Result, Suite } from './result.ts'

const ROWS = 1_000

/** One object mapper with encryption, and the same without. */
export interface MapperContender {
  readonly name: string
  /** Why it cannot be measured here. */
  readonly missing?: string
  /** Each reads or writes `ROWS` rows. */
  readonly read?: Pair
  readonly insert?: Pair
  close?(): Promise<void>
}

interface Pair {
  readonly encrypted: () => Promise<unknown>
  readonly plain: () => Promise<unknown>
  /** The record cipher alone, for the same values; left out for other libraries. */
  readonly bare?: () => Promise<unknown>
  /** Before each run of the first two. */
  readonly before?: () => Promise<unknown>
}

/** The table of the benchmark: two encrypted columns, one of them with an index that holds it unique. */
export const BENCH_TABLE = `create table patients (
  id text primary key, email text not null, email_index text unique, "emailHash" text unique, note text, ward text not null)`

/**
 * What encryption adds to a read and an insert of 1,000 rows by an object mapper. Processor time of this process: the database
 * and its disk are the same on both sides, and vary more than what is measured.
 */
export const orm: Suite = async ({ quick }) => {
  const postgres = await startPostgres()
  const pool = new pg.Pool({ connectionString: postgres.connectionString })
  try {
    await pool.query(BENCH_TABLE)
    const contenders = await prismaContenders(postgres.connectionString, pool, quick ? 10 : ROWS)
    const results: Result[] = []
    for (const contender of contenders) results.push(...(await measureMapper(contender, quick ? 2 : 12)))
    return results
  } finally {
    await pool.end()
    await postgres.stop()
  }
}

async function measureMapper(
  { name, missing, read, insert, close }: MapperContender,
  rounds: number,
): Promise<Result[]> {
  if (missing !== undefined) return [{ id: 'P13 orm', what: name, measured: '', missing }]
  const results: Result[] = []
  for (const [what, pair] of Object.entries({ read, insert })) {
    if (pair === undefined) continue
    const { before } = pair
    const [encrypted, plain, bare] = await processorMs([pair.encrypted, pair.plain, pair.bare], rounds, before)
    const added = (encrypted as number) - (plain as number)
    const shown = `${plain?.toFixed(0)} → ${encrypted?.toFixed(0)} ms`
    const line = { id: 'P13 orm', what: `${name}: ${what} ${ROWS.toLocaleString('en')} rows` }
    if (bare === undefined) results.push({ ...line, measured: shown })
    else {
      const value = added / bare
      results.push({ ...line, measured: `${shown}  ${value.toFixed(2)} ×`, value, target: { atMost: 1.3 } })
    }
  }
  await close?.()
  return results
}

/** Lower quartiles of the processor time of each, in turns. */
async function processorMs(
  works: readonly ((() => Promise<unknown>) | undefined)[],
  rounds: number,
  before: (() => Promise<unknown>) | undefined,
): Promise<(number | undefined)[]> {
  const times: number[][] = works.map(() => [])
  for (let round = -3; round < rounds; round++) {
    for (const [at, work] of works.entries()) {
      if (work === undefined) continue
      await before?.()
      const start = process.cpuUsage()
      await work()
      const { user, system } = process.cpuUsage(start)
      if (round >= 0) times[at]?.push((user + system) / 1_000)
    }
  }
  return times.map((list) => (list.length === 0 ? undefined : lowerQuartile(list)))
}
