import { Kysely, SqliteDialect } from 'kysely'
import { describeAdapter } from '../../adapters/conformance.ts'
import { kyselyHarness } from '../../adapters/kysely-harness.ts'
import { SqliteUnderTest } from '../../adapters/sqlite-under-test.ts'
import { describeComponent } from '../../components/component.ts'
import { BETTER_SQLITE3_MISSING, openBetterSqlite } from '../../fixtures/sqlite.ts'

describeComponent('the Kysely plugin', BETTER_SQLITE3_MISSING, () => {
  let sqlite: SqliteUnderTest
  let db: Kysely<unknown>

  describeAdapter(
    'on SQLite',
    async () => {
      sqlite = new SqliteUnderTest()
      db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: openBetterSqlite(sqlite.path) as never }) })
      const dialect = { returning: true, nextOrderId: async () => sqlite.nextOrderId() }
      return sqlite.with(async (room) => kyselyHarness(db, room, dialect))
    },
    async () => {
      await db.destroy()
      await sqlite.stop()
    },
  )
})
