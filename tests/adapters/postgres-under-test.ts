import pg from 'pg'
import { createDatabase, type TestDatabase } from '../fixtures/postgres-database.ts'
import type { AdapterHarness, AdapterUnderTest } from './harness.ts'
import type { SuiteRoom } from './records.ts'
import { suiteTables } from './tables.ts'

/** PostgreSQL with the tables of the suite. */
export class PostgresUnderTest {
  readonly database: TestDatabase
  readonly pool: pg.Pool

  private constructor(database: TestDatabase) {
    this.database = database
    this.pool = new pg.Pool({ connectionString: database.connectionString })
  }

  static async start(): Promise<PostgresUnderTest> {
    const made = new PostgresUnderTest(await createDatabase())
    for (const statement of suiteTables('postgres')) await made.pool.query(statement)
    return made
  }

  /** The database as the suite wants it, with an adapter on it. */
  with(open: (room: SuiteRoom) => Promise<AdapterHarness>): AdapterUnderTest {
    return {
      open,
      stored: async (table) => (await this.pool.query(`select * from ${table}`)).rows,
      move: async (column, from, to) => {
        await this.pool.query(
          `update customers set ${column} = (select ${column} from customers where id = $1) where id = $2`,
          [from, to],
        )
      },
      clear: async () => {
        await this.pool.query('truncate customers, orders')
      },
    }
  }

  async stop(): Promise<void> {
    await this.pool.end()
    await this.database.drop()
  }
}
