import { describeAdapter } from '../../adapters/conformance.ts'
import { PRISMA } from '../../adapters/differences.ts'
import { prismaHarness } from '../../adapters/prisma-harness.ts'
import { SqliteUnderTest } from '../../adapters/sqlite-under-test.ts'
import { describeComponent } from '../../components/component.ts'
import { openPrisma, PRISMA_VERSIONS } from './clients.ts'

for (const version of PRISMA_VERSIONS) {
  describeComponent(version.name, version.missingOn.sqlite, () => {
    let sqlite: SqliteUnderTest

    describeAdapter(
      'on SQLite',
      async () => {
        sqlite = new SqliteUnderTest()
        const dialect = {
          ownSql: 'select * from customers where "orgId" = ?',
          open: () => openPrisma(version, `file:${sqlite.path}`),
          nextOrderId: async () => sqlite.nextOrderId(),
        }
        return sqlite.with((room) => prismaHarness(dialect, room))
      },
      () => sqlite.stop(),
      undefined,
      PRISMA,
    )
  })
}
