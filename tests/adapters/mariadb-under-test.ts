import mysql from 'mysql2/promise'
import { startMariadb, type TestMariadb } from '../fixtures/mariadb.ts'
import type { AdapterHarness, AdapterUnderTest } from './harness.ts'
import type { SuiteRoom } from './records.ts'
import { suiteTables } from './tables.ts'

/** MariaDB with the tables of the suite. */
export class MariadbUnderTest {
  readonly server: TestMariadb
  readonly pool: mysql.Pool

  private constructor(server: TestMariadb) {
    this.server = server
    this.pool = mysql.createPool({ uri: server.connectionString, charset: 'utf8mb4' })
  }

  static async start(): Promise<MariadbUnderTest> {
    const made = new MariadbUnderTest(await startMariadb())
    for (const statement of suiteTables('mariadb')) await made.pool.query(statement)
    return made
  }

  /** The database as the suite wants it, with an adapter on it. */
  with(open: (room: SuiteRoom) => Promise<AdapterHarness>): AdapterUnderTest {
    return {
      open,
      stored: async (table) => (await this.pool.query(`select * from ${table}`))[0] as Record<string, unknown>[],
      move: async (column, from, to) => {
        const [[row]] = (await this.pool.query(`select ${column} as moved from customers where id = ?`, [from])) as [
          [{ moved: string }],
          unknown,
        ]
        await this.pool.query(`update customers set ${column} = ? where id = ?`, [row.moved, to])
      },
      clear: async () => {
        for (const table of ['customers', 'orders']) await this.pool.query(`delete from ${table}`)
      },
    }
  }

  async stop(): Promise<void> {
    await this.pool.end()
    await this.server.stop()
  }
}
