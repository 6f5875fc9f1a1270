import pg from 'pg'
import { startPostgres } from '../tests/fixtures/postgres.ts'
import { drizzleMapper } from './orm-drizzle.ts'
import { measureMapper } from './orm-job.ts'
import { kyselyMapper } from './orm-kysely.ts'
import { People } from './orm-people.ts'
import { prismaMappers } from './orm-prisma.ts'
import { sequelizeMapper } from './orm-sequelize.ts'
import { typeormMapper } from './orm-typeorm.ts'
import type { Result, Suite } from './result.ts'

/** What encryption adds to a read and an insert of 1,000 rows by each object mapper, on PostgreSQL. */
export const orm: Suite = async ({ quick }) => {
  const postgres = await startPostgres()
  const pool = new pg.Pool({ connectionString: postgres.connectionString })
  const count = quick ? 10 : 1_000
  try {
    const people = await People.open(pool, count)
    const mappers = [
      kyselyMapper(people),
      drizzleMapper(people),
      await typeormMapper(people, postgres.connectionString),
      sequelizeMapper(people, postgres.connectionString),
      ...(await prismaMappers(postgres.connectionString, pool, count)),
    ]
    const results: Result[] = []
    for (const mapper of mappers) results.push(...(await measureMapper(mapper, quick ? 1 : 30)))
    await people.room.close()
    return results
  } finally {
    await pool.end()
    await postgres.stop()
  }
}
