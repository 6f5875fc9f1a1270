import type { Logger } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { describeAdapter } from '../../adapters/conformance.ts'
import { DRIZZLE_ON_SQLITE } from '../../adapters/differences.ts'
import { type DrizzleDb, type DrizzleDialect, drizzleHarness } from '../../adapters/drizzle-harness.ts'
import { drizzleSchemas } from '../../adapters/drizzle-schema.ts'
import { SqliteUnderTest } from '../../adapters/sqlite-under-test.ts'
import { describeComponent } from '../../components/component.ts'
import { BETTER_SQLITE3_MISSING, openBetterSqlite } from '../../fixtures/sqlite.ts'

describeComponent('Drizzle', BETTER_SQLITE3_MISSING, () => {
  const schema = drizzleSchemas.sqlite
  let sqlite: SqliteUnderTest

  const connect = (logger: Logger) => {
    const client = openBetterSqlite(sqlite.path)
    const db = drizzle(client as never, { schema: schema as never, logger })
    return { client, db: db as unknown as DrizzleDb, all: db.all.bind(db) }
  }

  const open = (logger: Logger): DrizzleDialect => {
    const { client, db, all } = connect(logger)
    return {
      db,
      schema,
      returning: true,
      // One of this driver is synchronous, and encryption is not: so it is begun by hand, on a connection of its own.
      async transaction(work) {
        const own = connect(logger)
        try {
          own.client.exec('begin immediate')
          const result = await work(own.db)
          own.client.exec('commit')
          return result
        } finally {
          own.client.close() // what was not committed is rolled back
        }
      },
      execute: async (query) => all(query) as Record<string, unknown>[],
      nextOrderId: async () => sqlite.nextOrderId(),
      close: async () => void client.close(),
    }
  }

  describeAdapter(
    'on SQLite',
    async () => {
      sqlite = new SqliteUnderTest()
      return sqlite.with(async (room) => drizzleHarness(schema, open, room))
    },
    () => sqlite.stop(),
    undefined,
    DRIZZLE_ON_SQLITE,
  )
})
