import mysql, { type ResultSetHeader } from 'mysql2/promise'
import { startMariadb } from '../tests/fixtures/mariadb.ts'
import { processorTime } from './processor-time.ts'
import type { HandRow, RotationDatabase } from './rotation-database.ts'

/** What a production server has by itself: a commit is on the disk before it is answered. */
const SETTINGS = ['--innodb-flush-log-at-trx-commit=1', '--character-set-server=utf8mb4']

/** With the settings that MariaDB has by itself where speed is concerned. */
export async function mariadbDatabase(): Promise<RotationDatabase> {
  const { connectionString: url, pid, stop } = await startMariadb(SETTINGS)
  const pool = mysql.createPool({ uri: url, charset: 'utf8mb4' })
  const rows = async <Row>(sql: string, values?: unknown[]) => (await pool.query(sql, values))[0] as Row[]
  const affected = async (sql: string, values?: unknown[]) => {
    return ((await pool.query(sql, values))[0] as ResultSetHeader).affectedRows
  }
  const [version] = await rows<{ version: string }>('select version() as version')
  return {
    name: 'mariadb',
    url,
    says: `MariaDB ${version?.version}, every commit on the disk`,
    statement: 'json_table',
    create: async (table) => void (await pool.query(`create table ${table} (id int primary key, note text not null)`)),
    insert: async (table, ids, notes) => {
      await pool.query(`insert into ${table} values ?`, [ids.map((id, at) => [id, notes[at]])])
    },
    settle: async (table) => void (await pool.query(`analyze table ${table}`)),
    // A value that stays as it is would not be written.
    updateAll: (table) => affected(`update ${table} set note = concat(substr(note, 2), left(note, 1))`),
    page: (table, after, limit) =>
      rows<HandRow>(`select id, note from ${table} where id > ? order by id limit ?`, [after, limit]),
    replace: (table, changes) =>
      affected(
        `update json_table(?, '$[*]' columns (id int path '$[0]', old longtext path '$[1]', fresh longtext path '$[2]')) as d
        straight_join ${table} as t on t.id = d.id and t.note = d.old set t.note = d.fresh`,
        [JSON.stringify(changes.map(({ id, note, fresh }) => [id, note, fresh]))],
      ),
    replaceOne: (table, { id, note, fresh }) =>
      affected(`update ${table} set note = ? where id = ? and note = ?`, [fresh, id, note]),
    processorTime: () => processorTime(pid),
    stop: async () => {
      await pool.end()
      await stop()
    },
  }
}
