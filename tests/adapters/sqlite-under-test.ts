import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SqliteDatabase } from '../../providers/sqlite/index.ts'
import { openBetterSqlite } from '../fixtures/sqlite.ts'
import type { AdapterHarness, AdapterUnderTest } from './harness.ts'
import type { SuiteRoom } from './records.ts'
import { suiteTables } from './tables.ts'

/** A file of SQLite with the tables of the suite, opened by better-sqlite3. */
export class SqliteUnderTest {
  readonly path: string
  readonly database: SqliteDatabase
  readonly #folder = mkdtempSync(join(tmpdir(), 'strongroom-sqlite-'))

  constructor() {
    this.path = join(this.#folder, 'suite.db')
    this.database = openBetterSqlite(this.path)
    this.database.exec('pragma journal_mode = wal')
    for (const statement of suiteTables('sqlite')) this.database.exec(statement)
  }

  /** The next number of the table that stands in for a sequence, which SQLite does not have. */
  nextOrderId(): number {
    const [row] = this.database.prepare('insert into order_ids default values returning id').all()
    return Number((row as { id: number }).id)
  }

  /** The database as the suite wants it, with an adapter on it. */
  with(open: (room: SuiteRoom) => Promise<AdapterHarness>): AdapterUnderTest {
    return {
      open,
      stored: async (table) => this.database.prepare(`select * from ${table}`).all() as Record<string, unknown>[],
      move: async (column, from, to) => {
        const moved = `(select ${column} from customers where id = ?)`
        this.database.prepare(`update customers set ${column} = ${moved} where id = ?`).run(from, to)
      },
      clear: async () => this.database.exec('delete from customers; delete from orders') as undefined,
    }
  }

  async stop(): Promise<void> {
    this.database.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
