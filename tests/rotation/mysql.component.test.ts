import mysql from 'mysql2/promise'
import { afterAll, beforeAll } from 'vitest'
import { describeComponent } from '../components/component.ts'
import { MARIADB_MISSING, startMariadb, type TestMariadb } from '../fixtures/mariadb.ts'
import { testJourney } from './journey.ts'

describeComponent('tables in MariaDB, from rotation to census', MARIADB_MISSING, () => {
  let server: TestMariadb
  let pool: mysql.Pool
  beforeAll(async () => {
    server = await startMariadb(['--character-set-server=utf8mb4'])
    pool = mysql.createPool({ uri: server.connectionString, charset: 'utf8mb4' })
  }, 60_000)
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  testJourney(() => ({
    url: server.connectionString,
    run: async (sql, values) => void (await pool.query(sql, values as unknown[])),
    rows: async (sql, values) => (await pool.query(sql, values as unknown[]))[0] as Record<string, unknown>[],
  }))
})
