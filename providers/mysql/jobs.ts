import { randomUUID } from 'node:crypto'
import { JobLostError } from '../../src/errors.ts'
import { type Job, type JobStart, type JobStore, type JobWrite, NO_PROGRESS } from '../../src/job.ts'
import { MAX_JOBS, parseJob, unfinishedJob } from '../../src/sql/job-rows.ts'
import { tryAgain } from '../../src/sql/try-again.ts'
import type { MysqlPool } from './client.ts'
import { isRace, NO_SUCH_TABLE, numberOf } from './faults.ts'
import { inSession, inTransaction, readCommitted, type Session } from './session.ts'

type Call = <Result>(work: (pool: MysqlPool) => Promise<Result>) => Promise<Result>

const WAIT = { lockTimeoutMs: 10_000 }

/** The jobs of a table, in a table of their own beside it. */
export function mysqlJobs(jobs: string, call: Call): JobStore {
  return {
    sql: () => createSql(jobs),
    create: () =>
      call((pool) => inSession(pool, WAIT, async (session) => void (await session.affected(createSql(jobs))))),
    start: (options) =>
      call((pool) =>
        tryAgain(isRace, () =>
          inTransaction(pool, { ...WAIT, isolation: 'repeatable read' }, (session) => start(session, jobs, options)),
        ),
      ),
    write: (job) => call((pool) => inTransaction(pool, WAIT, (session) => saveJob(session, jobs, job))),
    list: ({ record, limit, staleMs }) =>
      call((pool) =>
        inSession(pool, WAIT, async (session) => {
          const which = record === undefined ? '' : 'where record = ? '
          const sql = `select ${COLUMNS} from ${jobs} ${which}order by started_at desc, id limit ${Math.floor(Math.min(limit, MAX_JOBS))}`
          const values = [staleUs(staleMs), ...(record === undefined ? [] : [record])]
          try {
            return (await readCommitted(session, sql, values)).map(jobOf)
          } catch (error) {
            if (numberOf(error) === NO_SUCH_TABLE) return []
            throw error
          }
        }),
      ),
  }
}

/** Writes progress where the token is still that of the holder. @throws JobLostError */
export async function saveJob(session: Session, jobs: string, job: JobWrite): Promise<void> {
  const { id, token, progress, phase, state } = job
  const held = `select id from ${jobs} where id = ? and token = cast(? as signed) and state = 'running' for update`
  if ((await session.rows(held, [id, String(token)])).length !== 1) throw new JobLostError()
  // The state is set last: what stands behind it in the list would see the new one.
  const sql = `update ${jobs} set progress = ?, phase = coalesce(?, phase), seen_at = ${NOW},
  ended_at = case when coalesce(?, state) in ('done', 'failed') then ${NOW} end, state = coalesce(?, state) where id = ?`
  await session.affected(sql, [JSON.stringify(progress), phase ?? null, state ?? null, state ?? null, id])
}

/** The clock of the server, not of the statement or transaction; replicas get the value. */
const NOW = 'sysdate(6)'
const iso = (column: string) => `date_format(${column}, '%Y-%m-%dT%H:%i:%s.%fZ') as ${column}`

/** The first parameter is the silence after which a holder counts as dead, in microseconds. */
const COLUMNS = `id, kind, record, from_key, until_key, state, phase, progress, cast(token as char) as token, ${iso('started_at')}, ${iso('seen_at')},
  ${iso('ended_at')}, cast(state = 'running' and timestampdiff(microsecond, seen_at, ${NOW}) > cast(? as signed) as char) as is_abandoned`

/** At `REPEATABLE READ` the lock is also on the gap where a new job would go: of two that begin one, one ends in a deadlock and looks again. */
async function start(session: Session, jobs: string, options: JobStart): Promise<Job> {
  const { kind, record, phase, from = null, until = null, staleMs } = options
  const unfinished = `select ${COLUMNS} from ${jobs} force index (strongroom_record)
where record = ? and state in ('running', 'stopped', 'failed') order by started_at for update`
  const others = (await session.rows(unfinished, [staleUs(staleMs), record])).map(jobOf)
  const own = unfinishedJob(others, options)
  const id = own?.id ?? randomUUID()
  if (own === undefined) {
    const sql = `insert into ${jobs} (id, kind, record, from_key, until_key, state, phase, progress, token, started_at, seen_at)
values (?, ?, ?, ?, ?, 'running', ?, ?, 1, ${NOW}, ${NOW})`
    const range = [JSON.stringify(from), JSON.stringify(until)]
    await session.affected(sql, [id, kind, record, ...range, phase, JSON.stringify(NO_PROGRESS)])
  } else {
    await session.affected(
      `update ${jobs} set state = 'running', token = token + 1, seen_at = ${NOW}, ended_at = null where id = ?`,
      [id],
    )
  }
  const [row] = await session.rows(`select ${COLUMNS} from ${jobs} where id = ?`, [staleUs(staleMs), id])
  return jobOf(row as Record<string, unknown>)
}

function createSql(jobs: string): string {
  return `create table if not exists ${jobs} (
  id varchar(64) not null,
  kind varchar(32) not null,
  record varchar(255) not null,
  from_key longtext not null, -- part of the table: behind this key, JSON null from the beginning
  until_key longtext not null,
  state varchar(16) not null check (state in ('running', 'stopped', 'failed', 'done')),
  phase varchar(64) not null,
  progress longtext not null,
  token bigint not null, -- one more with every holder
  started_at datetime(6) not null, -- UTC
  seen_at datetime(6) not null,
  ended_at datetime(6),
  primary key (id),
  key strongroom_record (record, started_at)
) engine=InnoDB default character set utf8mb4 collate utf8mb4_bin`
}

function staleUs(staleMs: number): string {
  return String(Math.round(staleMs * 1000))
}

function jobOf(row: Readonly<Record<string, unknown>>): Job {
  return parseJob({ ...row, abandoned: row.is_abandoned === '1' })
}
