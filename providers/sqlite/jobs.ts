import { randomUUID } from 'node:crypto'
import { JobLostError } from '../../src/errors.ts'
import { type Job, type JobStart, type JobStore, type JobWrite, NO_PROGRESS } from '../../src/job.ts'
import { MAX_JOBS, parseJob, unfinishedJob } from '../../src/sql/job-rows.ts'
import type { Row, SqliteDatabase } from './database.ts'
import { isMissing } from './faults.ts'
import { rowsOf } from './transaction.ts'

type Transact = <Result>(mode: 'read' | 'write', work: (database: SqliteDatabase) => Result) => Promise<Result>

/** The jobs of a table, in a table of their own beside it. Its clock is that of the machine, as it is for every process of the file. */
export function sqliteJobs(jobs: string, transact: Transact): JobStore {
  return {
    sql: () => createSql(jobs),
    create: () => transact('write', (database) => void database.exec(createSql(jobs))),
    start: (options) => transact('write', (database) => start(database, jobs, options)),
    write: (job) => transact('write', (database) => saveJob(database, jobs, job)),
    list: ({ record, limit, staleMs }) =>
      transact('read', (database) => {
        const which = record === undefined ? '' : 'where record = ? '
        const sql = `select ${COLUMNS} from ${jobs} ${which}order by started_at desc, id limit ${Math.floor(Math.min(limit, MAX_JOBS))}`
        try {
          return rowsOf(database, sql, ...(record === undefined ? [] : [record])).map((row) => jobOf(row, staleMs))
        } catch (error) {
          if (isMissing(error)) return []
          throw error
        }
      }),
  }
}

/** Writes progress where the token is still that of the holder. @throws JobLostError */
export function saveJob(database: SqliteDatabase, jobs: string, job: JobWrite): void {
  const { id, token, progress, phase = null, state = null } = job
  const now = new Date().toISOString()
  const ended = state === 'done' || state === 'failed' ? now : null
  const sql = `update ${jobs} set progress = ?, phase = coalesce(?, phase), state = coalesce(?, state), seen_at = ?, ended_at = ?
where id = ? and token = ? and state = 'running'`
  const { changes } = database.prepare(sql).run(JSON.stringify(progress), phase, state, now, ended, id, BigInt(token))
  if (Number(changes) !== 1) throw new JobLostError()
}

const COLUMNS = `id, kind, record, from_key, until_key, state, phase, progress, cast(token as text) as token, started_at, seen_at, ended_at`

function start(database: SqliteDatabase, jobs: string, options: JobStart): Job {
  const { kind, record, phase, from = null, until = null, staleMs } = options
  const now = new Date().toISOString()
  const sql = `select ${COLUMNS} from ${jobs} where record = ? and state in ('running', 'stopped', 'failed') order by started_at`
  const own = unfinishedJob(
    rowsOf(database, sql, record).map((row) => jobOf(row, staleMs)),
    options,
  )
  const id = own?.id ?? randomUUID()
  if (own === undefined) {
    const insert = `insert into ${jobs} (id, kind, record, from_key, until_key, state, phase, progress, token, started_at, seen_at)
values (?, ?, ?, ?, ?, 'running', ?, ?, 1, ?, ?)`
    const range = [JSON.stringify(from), JSON.stringify(until)]
    database.prepare(insert).run(id, kind, record, ...range, phase, JSON.stringify(NO_PROGRESS), now, now)
  } else {
    const update = `update ${jobs} set state = 'running', token = token + 1, seen_at = ?, ended_at = null where id = ?`
    database.prepare(update).run(now, id)
  }
  return jobOf(rowsOf(database, `select ${COLUMNS} from ${jobs} where id = ?`, id)[0] as Row, staleMs)
}

function createSql(jobs: string): string {
  return `create table if not exists ${jobs} (
  id text not null primary key,
  kind text not null,
  record text not null,
  from_key text not null, -- part of the table: behind this key, JSON null from the beginning
  until_key text not null,
  state text not null check (state in ('running', 'stopped', 'failed', 'done')),
  phase text not null,
  progress text not null,
  token integer not null, -- one more with every holder
  started_at text not null, -- ISO 8601, UTC
  seen_at text not null,
  ended_at text
) strict`
}

function jobOf(row: Row, staleMs: number): Job {
  const silent = Date.now() - Date.parse(String(row.seen_at))
  return parseJob({ ...row, abandoned: row.state === 'running' && silent > staleMs })
}
