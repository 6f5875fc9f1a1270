import pg from 'pg'
import { startPostgres } from '../tests/fixtures/postgres.ts'
import { processorTime } from './processor-time.ts'
import type { HandRow, RotationDatabase } from './rotation-database.ts'

/** With the settings that PostgreSQL has by itself: a commit is on the disk before it is answered. */
export async function postgresDatabase(): Promise<RotationDatabase> {
  const { connectionString: url, pid, stop } = await startPostgres([])
  const pool = new pg.Pool({ connectionString: url })
  const { rows } = await pool.query<{ version: string }>(`select current_setting('server_version') as version`)
  const count = async (sql: string, values?: unknown[]) => (await pool.query(sql, values)).rowCount ?? 0
  return {
    name: 'postgres',
    url,
    says: `PostgreSQL ${rows[0]?.version}, every commit on the disk`,
    statement: 'unnest',
    create: async (table) => void (await pool.query(`create table ${table} (id int primary key, note text not null)`)),
    insert: async (table, ids, notes) => {
      await pool.query(`insert into ${table} select * from unnest($1::int[], $2::text[])`, [ids, notes])
    },
    settle: async (table) => {
      await pool.query(`vacuum analyze ${table}`)
      await pool.query('checkpoint')
    },
    updateAll: (table) => count(`update ${table} set note = note || ''`),
    page: async (table, after, limit) =>
      (await pool.query<HandRow>(`select id, note from ${table} where id > $1 order by id limit $2`, [after, limit]))
        .rows,
    // Without the keys once more the planner would read all of a table of this size, for each batch.
    replace: (table, changes) =>
      count(
        `update ${table} as t set note = d.fresh from unnest($1::int[], $2::text[], $3::text[]) as d(id, old, fresh)
        where t.id = d.id and t.note = d.old and t.id = any ($1::int[])`,
        [changes.map(({ id }) => id), changes.map(({ note }) => note), changes.map(({ fresh }) => fresh)],
      ),
    replaceOne: (table, { id, note, fresh }) =>
      count(`update ${table} set note = $1 where id = $2 and note = $3`, [fresh, id, note]),
    processorTime: () => processorTime(pid),
    stop: async () => {
      await pool.end()
      await stop()
    },
  }
}
