import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { createDatabase, type TestDatabase } from '../../fixtures/postgres-database.ts'
import { testProcesses } from '../sql/processes.ts'

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.connectionString, max: 1 })
  pool.on('error', () => undefined)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

testProcesses(() => ({ url: database.connectionString, count }))

/** The server may still be finishing what it was told before: the next writer waits for it by its locks. */
async function count() {
  const sql = `lock table crash, crash_log in share mode;
select (select count(*) from crash)::int as keys, (select count(*) from crash_log)::int as log`
  const results = (await pool.query(sql)) as unknown as { rows: { keys: number; log: number }[] }[]
  return results[1]?.rows[0] as { keys: number; log: number }
}
