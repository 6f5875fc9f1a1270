import type { CommitResult, KeyCommit, KeyLogEntry, KeyPut } from '../../src/key-store.ts'
import { codeOf } from '../../src/sql/faults.ts'
import { ROW_NAMES, recordRow } from '../../src/sql/key-rows.ts'
import { tryAgain } from '../../src/sql/try-again.ts'
import type { PostgresClient, PostgresPool } from './client.ts'
import { ROW_TYPE } from './key-columns.ts'
import type { TableNames } from './names.ts'

type Conflict = Exclude<CommitResult, { written: true }>['conflict']

/** Records in one statement: 10,000 of usual size are five statements of about 2 MB. */
const CHUNK = 2_000
const ABANDONED_MS = 60_000

/** Deadlock or serialization failure: nothing was written, and the same commit may succeed. */
const RACES = new Set(['40001', '40P01'])

/**
 * Writes a commit in one transaction. The constraints of the tables decide who wins; the revisions are compared under a
 * lock on the rows. A writer that dies leaves nothing: its transaction ends with its connection.
 */
export async function commitTo(
  pool: PostgresPool,
  names: TableNames,
  commit: KeyCommit,
  lockTimeoutMs: number,
): Promise<CommitResult> {
  return tryAgain(
    (error) => RACES.has(codeOf(error)),
    () => attempt(pool, names, commit, lockTimeoutMs),
  )
}

async function attempt(
  pool: PostgresPool,
  names: TableNames,
  commit: KeyCommit,
  lockTimeoutMs: number,
): Promise<CommitResult> {
  const client = await pool.connect()
  let healthy = false
  try {
    await client.query(beginSql(lockTimeoutMs))
    const conflict = await write(client, names, commit)
    await client.query(conflict === undefined ? 'commit' : 'rollback')
    healthy = true
    return conflict === undefined ? { written: true } : { written: false, conflict }
  } catch (error) {
    healthy = await client.query('rollback').then(
      () => true,
      () => false,
    )
    const conflict = conflictOf(names, error)
    if (conflict === undefined) throw error
    return { written: false, conflict }
  } finally {
    client.release(!healthy)
  }
}

/** Durable even where the server is told to answer early, and ended by the server when this process stops answering. */
function beginSql(lockTimeoutMs: number): string {
  return `begin isolation level read committed read write;
select set_config('lock_timeout', '${lockTimeoutMs}', true),
  set_config('idle_in_transaction_session_timeout', '${ABANDONED_MS}', true);
select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') in ('off', 'local')`
}

async function write(
  client: PostgresClient,
  names: TableNames,
  { puts, log }: KeyCommit,
): Promise<Conflict | undefined> {
  if (log !== null && !(await append(client, names, log))) return 'log'
  if (puts.length === 0) return undefined
  if (!(await areAtRevision(client, names, puts))) return 'revision'
  const changed = puts.filter(({ replaces }) => replaces !== null)
  // A key stops being active before another becomes it: the unique index looks at each row as it is written.
  for (const becomesActive of [false, true]) {
    const part = changed.filter(({ record }) => (record.state === 'active') === becomesActive)
    await inChunks(client, updateSql(names), part)
  }
  const created = puts.filter(({ replaces }) => replaces === null)
  await inChunks(client, insertSql(names), created)
  return undefined
}

async function append(client: PostgresClient, { log }: TableNames, entry: KeyLogEntry): Promise<boolean> {
  const { seq, at, action, changes, previous, hash, root, mac } = entry
  const sql = `insert into ${log} (seq, at, action, changes, previous, hash, root, mac)
select $1::bigint, $2, $3, $4::jsonb, $5, $6, $7, $8
where $1::bigint = (select coalesce(max(seq), 0) + 1 from ${log}) on conflict (seq) do nothing`
  const values = [seq, at, action, JSON.stringify(changes), previous, hash, root, mac]
  return (await client.query(sql, values)).rowCount === 1
}

async function areAtRevision(client: PostgresClient, { keys }: TableNames, puts: readonly KeyPut[]): Promise<boolean> {
  const ids = puts.map(({ record }) => record.id)
  const sql = `select id, rev::text as rev from ${keys} where id = any($1::text[]) order by id for update`
  const { rows } = await client.query(sql, [ids])
  const revisions = new Map(rows.map(({ id, rev }) => [id, Number(rev)]))
  return puts.every(({ record, replaces }) => (revisions.get(record.id) ?? null) === replaces)
}

/** In order of purpose and scope, so that two writers of the same scopes wait for each other and do not cross. */
async function inChunks(client: PostgresClient, sql: string, puts: readonly KeyPut[]): Promise<void> {
  const sorted = puts
    .map(({ record }) => record)
    .sort((a, b) => compare(a.purpose, b.purpose) || compare(a.scope, b.scope))
  for (let at = 0; at < sorted.length; at += CHUNK) {
    await client.query(sql, [JSON.stringify(sorted.slice(at, at + CHUNK).map(recordRow))])
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function insertSql({ keys }: TableNames): string {
  return `insert into ${keys} (${ROW_NAMES.join(', ')}, scope_hash)
select r.*, sha256(convert_to(r.scope, 'UTF8')) from json_to_recordset($1::json) as r(${ROW_TYPE})`
}

function updateSql({ keys }: TableNames): string {
  const columns = ROW_NAMES.filter((name) => name !== 'id').map((name) => `${name} = r.${name}`)
  return `update ${keys} as k set ${columns.join(', ')}, scope_hash = sha256(convert_to(r.scope, 'UTF8'))
from json_to_recordset($1::json) as r(${ROW_TYPE}) where k.id = r.id`
}

const UNIQUE_VIOLATION = '23505'

/** Which condition a unique constraint stands for. */
function conflictOf({ table }: TableNames, error: unknown): Conflict | undefined {
  if (codeOf(error) !== UNIQUE_VIOLATION) return undefined
  const conflicts: Readonly<Record<string, Conflict>> = {
    [`${table}_pkey`]: 'revision',
    [`${table}_active`]: 'active',
    [`${table}_generation`]: 'generation',
    [`${table}_log_pkey`]: 'log',
  }
  return conflicts[String((error as { constraint?: unknown }).constraint)]
}
