import { type Logger, type SQL, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { describeAdapter } from '../../adapters/conformance.ts'
import { DRIZZLE } from '../../adapters/differences.ts'
import { drizzleHarness } from '../../adapters/drizzle-harness.ts'
import { drizzleSchemas } from '../../adapters/drizzle-schema.ts'
import { PostgresUnderTest } from '../../adapters/postgres-under-test.ts'

let postgres: PostgresUnderTest

describeAdapter(
  'Drizzle on PostgreSQL',
  async () => {
    postgres = await PostgresUnderTest.start()
    const schema = drizzleSchemas.postgres
    const open = (logger: Logger) => {
      const db = drizzle(postgres.pool, { schema, logger })
      return {
        db,
        schema,
        returning: true,
        transaction: db.transaction.bind(db),
        execute: async (query: SQL) => (await db.execute(query)).rows,
        nextOrderId: async () => {
          const { rows } = await db.execute<{ id: string }>(sql`select nextval('order_ids') as id`)
          return Number(rows[0]?.id)
        },
      }
    }
    return postgres.with(async (room) => drizzleHarness(schema, open, room))
  },
  () => postgres.stop(),
  undefined,
  DRIZZLE,
)
