import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { startPostgres, type TestPostgres } from '../../fixtures/postgres.ts'
import { testProcesses } from '../sql/processes.ts'

let server: TestPostgres
let pool: pg.Pool
beforeAll(async () => {
  server = await startPostgres()
  pool = new pg.Pool({ connectionString: server.connectionString, max: 1 })
  pool.on('error', () => undefined)
})
afterAll(async () => {
  await pool.end()
  await server.stop()
})

testProcesses(() => ({ url: server.connectionString, count }))

/** The server may still be finishing what it was told before: the next writer waits for it by its locks. */
async function count() {
  const sql = `lock table crash, crash_log in share mode;
select (select count(*) from crash)::int as keys, (select count(*) from crash_log)::int as log`
  const results = (await pool.query(sql)) as unknown as { rows: { keys: number; log: number }[] }[]
  return results[1]?.rows[0] as { keys: number; log: number }
}
