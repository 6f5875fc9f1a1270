import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { SqliteDatabase } from '../../providers/sqlite/index.ts'
import { describeComponent } from '../components/component.ts'
import { BETTER_SQLITE3_MISSING, openNodeSqlite, openSqlite } from '../fixtures/sqlite.ts'
import { testJourney } from './journey.ts'

const missing = openNodeSqlite === undefined ? BETTER_SQLITE3_MISSING : undefined

describeComponent('tables in SQLite, from rotation to census', missing, () => {
  let folder: string
  let database: SqliteDatabase
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-sqlite-'))
    database = openSqlite(join(folder, 'app.db'))
    database.exec('pragma journal_mode = wal; pragma busy_timeout = 5000')
  })
  afterAll(() => {
    database.close()
    rmSync(folder, { recursive: true, force: true })
  })

  testJourney(() => ({
    url: `sqlite://${join(folder, 'app.db')}`,
    run: async (sql, values = []) => void database.prepare(sql).run(...values),
    rows: async (sql, values = []) =>
      (database.prepare(sql).all(...values) as object[]).map((row) => ({ ...row }) as Record<string, unknown>),
  }))
})
