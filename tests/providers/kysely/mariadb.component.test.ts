import { Kysely, MysqlDialect, sql } from 'kysely'
import { describeAdapter } from '../../adapters/conformance.ts'
import { KYSELY_ON_MYSQL } from '../../adapters/differences.ts'
import { kyselyHarness } from '../../adapters/kysely-harness.ts'
import { MariadbUnderTest } from '../../adapters/mariadb-under-test.ts'
import { describeComponent } from '../../components/component.ts'
import { MARIADB_MISSING } from '../../fixtures/mariadb.ts'

describeComponent('the Kysely plugin', MARIADB_MISSING, () => {
  let mariadb: MariadbUnderTest

  describeAdapter(
    'on MariaDB',
    async () => {
      mariadb = await MariadbUnderTest.start()
      const db = new Kysely<unknown>({ dialect: new MysqlDialect({ pool: mariadb.pool.pool as never }) })
      return mariadb.with(async (room) =>
        kyselyHarness(db, room, {
          returning: false,
          nextOrderId: async () => {
            const { rows } = await sql<{ id: number }>`select nextval(order_ids) as id`.execute(db)
            return Number(rows[0]?.id)
          },
        }),
      )
    },
    () => mariadb.stop(),
    undefined,
    KYSELY_ON_MYSQL,
  )
})
