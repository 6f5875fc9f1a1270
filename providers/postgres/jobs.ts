import { randomUUID } from 'node:crypto'
import { JobLostError } from '../../src/errors.ts'
import { type Job, type JobStart, type JobStore, type JobWrite, NO_PROGRESS } from '../../src/job.ts'
import { codeOf } from '../../src/sql/faults.ts'
import { MAX_JOBS, parseJob, unfinishedJob } from '../../src/sql/job-rows.ts'
import type { PostgresPool } from './client.ts'

type Call = <Result>(work: (pool: PostgresPool) => Promise<Result>) => Promise<Result>

const UNDEFINED_TABLE = '42P01'

/** The jobs of a table, in a table of their own beside it. */
export function postgresJobs(jobs: string, call: Call): JobStore {
  return {
    sql: () => createSql(jobs),
    create: () =>
      call(async (pool) => {
        // Two processes that create one table at once: the second sees the catalogue before the first has committed.
        await pool.query(createSql(jobs)).catch((error) => {
          if (!CREATED_MEANWHILE.has(codeOf(error))) throw error
        })
      }),
    start: (options) => call((pool) => start(pool, jobs, options)),
    write: (job) =>
      call(async (pool) => {
        if ((await pool.query(saveJobSql(jobs), saveJobValues(job))).rowCount !== 1) throw new JobLostError()
      }),
    list: ({ record, limit, staleMs }) =>
      call(async (pool) => {
        const sql = `select ${COLUMNS} from ${jobs} where $2::text is null or record = $2 order by started_at desc, id limit $3`
        try {
          const { rows } = await pool.query(sql, [staleMs, record ?? null, Math.min(limit, MAX_JOBS)])
          return rows.map(jobOf)
        } catch (error) {
          if (codeOf(error) === UNDEFINED_TABLE) return []
          throw error
        }
      }),
  }
}

/** Writes progress where the token is still that of the holder. */
export function saveJobSql(jobs: string): string {
  return `update ${jobs} set progress = $3::jsonb, phase = coalesce($4, phase), state = coalesce($5, state), seen_at = clock_timestamp(),
  ended_at = case when coalesce($5, state) in ('done', 'failed') then clock_timestamp() end
where id = $1 and token = $2::bigint and state = 'running'`
}

export function saveJobValues({ id, token, progress, phase, state }: JobWrite): unknown[] {
  return [id, token, JSON.stringify(progress), phase ?? null, state ?? null]
}

/** `$1` is the silence after which a holder counts as dead, in ms. */
const COLUMNS = `id, kind, record, from_key::text as from_key, until_key::text as until_key, state, phase, progress::text as progress,
  token::text as token, to_json(started_at at time zone 'utc') #>> '{}' as started_at, to_json(seen_at at time zone 'utc') #>> '{}' as seen_at,
  to_json(ended_at at time zone 'utc') #>> '{}' as ended_at,
  state = 'running' and seen_at < clock_timestamp() - $1::float8 * interval '1 millisecond' as abandoned`

async function start(pool: PostgresPool, jobs: string, options: JobStart): Promise<Job> {
  const { kind, record, phase, from = null, until = null, staleMs } = options
  const client = await pool.connect()
  let healthy = false
  try {
    await client.query('begin isolation level read committed read write')
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`${jobs} ${record}`])
    const unfinished = `select ${COLUMNS} from ${jobs} where record = $2 and state in ('running', 'stopped', 'failed') order by started_at`
    const others = (await client.query(unfinished, [staleMs, record])).rows.map(jobOf)
    const own = unfinishedJob(others, options)
    const sql =
      own === undefined
        ? `insert into ${jobs} (id, kind, record, from_key, until_key, state, phase, progress, token)
values ($2, $3, $4, $5::jsonb, $6::jsonb, 'running', $7, $8::jsonb, 1) returning ${COLUMNS}`
        : `update ${jobs} set state = 'running', token = token + 1, seen_at = clock_timestamp(), ended_at = null where id = $2 returning ${COLUMNS}`
    const values =
      own === undefined
        ? [
            staleMs,
            randomUUID(),
            kind,
            record,
            JSON.stringify(from),
            JSON.stringify(until),
            phase,
            JSON.stringify(NO_PROGRESS),
          ]
        : [staleMs, own.id]
    const [row] = (await client.query(sql, values)).rows
    await client.query('commit')
    healthy = true
    return jobOf(row as Record<string, unknown>)
  } catch (error) {
    healthy = await client.query('rollback').then(
      () => true,
      () => false,
    )
    throw error
  } finally {
    client.release(!healthy)
  }
}

function createSql(jobs: string): string {
  return `create table if not exists ${jobs} (
  id text not null primary key,
  kind text not null,
  record text not null,
  from_key jsonb not null, -- part of the table: behind this key, JSON null from the beginning
  until_key jsonb not null,
  state text not null check (state in ('running', 'stopped', 'failed', 'done')),
  phase text not null,
  progress jsonb not null,
  token bigint not null, -- one more with every holder
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
)`
}

// 42710: the row type of the table, whose name the other process has taken a moment before the table's.
const CREATED_MEANWHILE = new Set(['23505', '42P07', '42710'])

/** Times are selected without the zone, which is UTC. */
function jobOf(row: Readonly<Record<string, unknown>>): Job {
  const zoned = (time: unknown) => (time === null ? null : `${time}Z`)
  return parseJob({
    ...row,
    started_at: zoned(row.started_at),
    seen_at: zoned(row.seen_at),
    ended_at: zoned(row.ended_at),
  })
}
