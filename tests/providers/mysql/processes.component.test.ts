import mysql from 'mysql2/promise'
import { afterAll, beforeAll } from 'vitest'
import { describeComponent } from '../../components/component.ts'
import { MARIADB_MISSING, startMariadb, type TestMariadb } from '../../fixtures/mariadb.ts'
import { testProcesses } from '../sql/processes.ts'

describeComponent('processes that share a key store in MariaDB', MARIADB_MISSING, () => {
  let server: TestMariadb
  beforeAll(async () => {
    server = await startMariadb()
  }, 60_000)
  afterAll(() => server.stop())

  testProcesses(() => ({ url: server.connectionString, count }))

  /** The server may still be finishing what it was told before: locks wait for it. */
  async function count() {
    const connection = await mysql.createConnection(server.connectionString)
    await connection.query('lock tables crash read, crash_log read')
    const number = async (table: string) => {
      const [[row]] = (await connection.query(`select count(*) as rows_there from ${table}`)) as unknown as [
        [{ rows_there: number }],
      ]
      return row.rows_there
    }
    const counted = { keys: await number('crash'), log: await number('crash_log') }
    await connection.end()
    return counted
  }
})
