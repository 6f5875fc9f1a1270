import { drizzle } from 'drizzle-orm/better-sqlite3'
import { describeAdapter } from '../../adapters/conformance.ts'
import { DRIZZLE_ON_SQLITE } from '../../adapters/differences.ts'
import { type DrizzleDb, drizzleHarness } from '../../adapters/drizzle-harness.ts'
import { drizzleSchemas } from '../../adapters/drizzle-schema.ts'
import { SqliteUnderTest } from '../../adapters/sqlite-under-test.ts'
import { describeComponent } from '../../components/component.ts'
import { BETTER_SQLITE3_MISSING, openBetterSqlite } from '../../fixtures/sqlite.ts'

describeComponent('Drizzle', BETTER_SQLITE3_MISSING, () => {
  const schema = drizzleSchemas.sqlite
  let sqlite: SqliteUnderTest

  const open = () => {
    const client = openBetterSqlite(sqlite.path)
    const db = drizzle(client as never, { schema: schema as never })
    return { client, db: db as unknown as DrizzleDb, all: db.all.bind(db) }
  }

  /** A transaction of this driver is synchronous, and encryption is not: so it is begun by hand, on a connection of its own. */
  const transaction = async <Result>(work: (db: DrizzleDb) => Promise<Result>): Promise<Result> => {
    const { client, db } = open()
    try {
      client.exec('begin immediate')
      const result = await work(db)
      client.exec('commit')
      return result
    } finally {
      client.close() // what was not committed is rolled back
    }
  }

  describeAdapter(
    'on SQLite',
    async () => {
      sqlite = new SqliteUnderTest()
      return sqlite.with(async (room) => {
        const { client, db, all } = open()
        const dialect = {
          db,
          schema,
          returning: true,
          transaction,
          execute: async (query: Parameters<typeof all>[0]) => all(query) as Record<string, unknown>[],
          nextOrderId: async () => sqlite.nextOrderId(),
          close: async () => void client.close(),
        }
        return drizzleHarness(dialect, room)
      })
    },
    () => sqlite.stop(),
    undefined,
    DRIZZLE_ON_SQLITE,
  )
})
