import { describeAdapter } from '../../adapters/conformance.ts'
import { PRISMA } from '../../adapters/differences.ts'
import { PostgresUnderTest } from '../../adapters/postgres-under-test.ts'
import { prismaHarness } from '../../adapters/prisma-harness.ts'
import { describeComponent } from '../../components/component.ts'
import { openPrisma, PRISMA_VERSIONS } from './clients.ts'

for (const version of PRISMA_VERSIONS) {
  describeComponent(version.name, version.missing, () => {
    let postgres: PostgresUnderTest

    describeAdapter(
      'on PostgreSQL',
      async () => {
        postgres = await PostgresUnderTest.start()
        const dialect = {
          ownSql: 'select * from customers where "orgId" = $1',
          open: () => openPrisma(version, postgres.database.connectionString),
          nextOrderId: async () => Number((await postgres.pool.query("select nextval('order_ids')")).rows[0].nextval),
        }
        return postgres.with((room) => prismaHarness(dialect, room))
      },
      () => postgres.stop(),
      undefined,
      PRISMA,
    )
  })
}
