import { type Logger, type SQL, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/mysql2'
import { describeAdapter } from '../../adapters/conformance.ts'
import { DRIZZLE_ON_MYSQL } from '../../adapters/differences.ts'
import { type DrizzleDb, type DrizzleDialect, drizzleHarness } from '../../adapters/drizzle-harness.ts'
import { drizzleSchemas } from '../../adapters/drizzle-schema.ts'
import { MariadbUnderTest } from '../../adapters/mariadb-under-test.ts'
import { describeComponent } from '../../components/component.ts'
import { MARIADB_MISSING } from '../../fixtures/mariadb.ts'

describeComponent('Drizzle', MARIADB_MISSING, () => {
  let mariadb: MariadbUnderTest

  describeAdapter(
    'on MariaDB',
    async () => {
      mariadb = await MariadbUnderTest.start()
      const schema = drizzleSchemas.mysql
      const open = (logger: Logger): DrizzleDialect => {
        // MariaDB has no lateral joins, with which the default mode reads relations.
        const db = drizzle(mariadb.pool, { schema: schema as never, mode: 'planetscale', logger })
        const execute = async (query: SQL) => (await db.execute(query))[0] as unknown as Record<string, unknown>[]
        return {
          db: db as unknown as DrizzleDb,
          schema,
          returning: false,
          iterates: true,
          transaction: (work) => db.transaction((trx) => work(trx as unknown as DrizzleDb)),
          execute,
          nextOrderId: async () => Number((await execute(sql`select nextval(order_ids) as id`))[0]?.id),
        }
      }
      return mariadb.with(async (room) => drizzleHarness(schema, open, room))
    },
    () => mariadb.stop(),
    undefined,
    DRIZZLE_ON_MYSQL,
  )
})
