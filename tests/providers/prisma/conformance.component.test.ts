import pg from 'pg'
import { describeAdapter } from '../../adapters/conformance.ts'
import { prismaUnderTest } from '../../adapters/prisma-harness.ts'
import { describeComponent } from '../../components/component.ts'
import { startPostgres, type TestPostgres } from '../../fixtures/postgres.ts'
import { PRISMA_VERSIONS, TABLES } from './clients.ts'

for (const version of PRISMA_VERSIONS) {
  describeComponent(version.name, version.missing, () => {
    let postgres: TestPostgres
    let pool: pg.Pool

    describeAdapter(
      'on PostgreSQL',
      async () => {
        postgres = await startPostgres()
        pool = new pg.Pool({ connectionString: postgres.connectionString })
        await pool.query(TABLES)
        return prismaUnderTest(version, postgres.connectionString, pool)
      },
      async () => {
        await pool?.end()
        await postgres?.stop()
      },
    )
  })
}
