import { startPostgres } from '../tests/fixtures/postgres.ts'
import { MAPPERS, measuredAlone } from './orm-mapper.ts'
import type { Result, Suite } from './result.ts'

/** What encryption adds to a read and an insert of 1,000 rows by each object mapper, on PostgreSQL. */
export const orm: Suite = async ({ quick }) => {
  const postgres = await startPostgres()
  try {
    const results: Result[] = []
    for (const mapper of MAPPERS) {
      results.push(...(await measuredAlone({ mapper, quick, server: postgres.connectionString })))
    }
    return results
  } finally {
    await postgres.stop()
  }
}
