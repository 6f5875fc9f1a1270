import { describeAdapter } from '../../adapters/conformance.ts'
import { PRISMA_ON_MARIADB } from '../../adapters/differences.ts'
import { MariadbUnderTest } from '../../adapters/mariadb-under-test.ts'
import { prismaHarness } from '../../adapters/prisma-harness.ts'
import { customers } from '../../adapters/records.ts'
import { describeComponent } from '../../components/component.ts'
import { openPrisma, PRISMA_VERSIONS } from './clients.ts'

/** Prisma 6 takes text of a binary collation for bytes in SQL of one's own, and cannot read it: it is cast there. */
const columns = Object.keys(customers.fields)
  .map((name) => (name === 'photo' ? name : `cast(${name} as char) as ${name}`))
  .concat('cast(id as char) as id, cast(orgId as char) as orgId, cast(status as char) as status')
  .join(', ')

for (const version of PRISMA_VERSIONS) {
  describeComponent(version.name, version.missingOn.mysql, () => {
    let mariadb: MariadbUnderTest

    describeAdapter(
      'on MariaDB',
      async () => {
        mariadb = await MariadbUnderTest.start()
        const dialect = {
          ownSql: `select ${columns} from customers where orgId = ?`,
          open: () => openPrisma(version, mariadb.server.connectionString),
          nextOrderId: async () => {
            const [[row]] = (await mariadb.pool.query('select nextval(order_ids) as id')) as unknown as [
              [{ id: number }],
            ]
            return Number(row.id)
          },
        }
        return mariadb.with((room) => prismaHarness(dialect, room))
      },
      () => mariadb.stop(),
      undefined,
      PRISMA_ON_MARIADB,
    )
  })
}
