import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { describeComponent } from '../../components/component.ts'
import { BETTER_SQLITE3_MISSING, openNodeSqlite, openSqlite } from '../../fixtures/sqlite.ts'
import { testProcesses } from '../sql/processes.ts'

const missing = openNodeSqlite === undefined ? BETTER_SQLITE3_MISSING : undefined

describeComponent('processes that share a key store in SQLite', missing, () => {
  let folder: string
  let path: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-sqlite-'))
    path = join(folder, 'keys.db')
    const database = openSqlite(path)
    database.exec('pragma journal_mode = wal')
    database.close()
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  testProcesses(() => ({ url: `sqlite://${path}`, count }))

  async function count() {
    const database = openSqlite(path)
    const number = (table: string) =>
      (database.prepare(`select count(*) as n from ${table}`).all()[0] as { n: number }).n
    const counted = { keys: number('crash'), log: number('crash_log') }
    database.close()
    return counted
  }
})
