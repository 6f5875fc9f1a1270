import { Kysely, PostgresDialect, sql } from 'kysely'
import { describeAdapter } from '../../adapters/conformance.ts'
import { kyselyHarness } from '../../adapters/kysely-harness.ts'
import { PostgresUnderTest } from '../../adapters/postgres-under-test.ts'
import { poolWithCursors, SqlCursor } from './sql-cursor.ts'

let postgres: PostgresUnderTest

describeAdapter(
  'Kysely on PostgreSQL',
  async () => {
    postgres = await PostgresUnderTest.start()
    const db = new Kysely<unknown>({
      dialect: new PostgresDialect({ pool: poolWithCursors(postgres.pool), cursor: SqlCursor }),
    })
    return postgres.with(async (room) =>
      kyselyHarness(db, room, {
        returning: true,
        nextOrderId: async () => {
          const { rows } = await sql<{ id: string }>`select nextval('order_ids') as id`.execute(db)
          return Number(rows[0]?.id)
        },
      }),
    )
  },
  () => postgres.stop(),
)
