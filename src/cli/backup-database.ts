import { Buffer } from 'node:buffer'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import { CommandError } from './output.ts'

/** One table's rows: their number, and a sum that does not depend on their order. */
export interface TableSum {
  readonly name: string
  readonly rows: number
  readonly checksum: string
}

/** @throws CommandError when the database holds a table already: a drill must never write into one that is in use */
export async function assertEmpty(url: string): Promise<void> {
  if ((await tables(url)).length > 0) {
    throw new CommandError('the database to restore into is not empty', {
      hint: 'create a new one: createdb restore_drill',
    })
  }
}

/** Counts and sums every table outside the system's schemas. */
export async function databaseSums(url: string): Promise<TableSum[]> {
  const sums: TableSum[] = []
  for (const name of await tables(url)) {
    const sql = `select count(*), coalesce(md5(string_agg(row, '' order by row)), '') from (select md5(t::text) as row from ${name} t) rows`
    const [rows = '', checksum = ''] = (await query(url, sql)).trim().split('|')
    sums.push({ name, rows: Number(rows), checksum })
  }
  return sums
}

/**
 * Feeds a dump to `psql` or `pg_restore`, in one transaction: when the dump turns out to be damaged or cut off, the
 * program is stopped before it can commit.
 */
export async function restoreInto(url: string, dump: AsyncIterable<Buffer>): Promise<void> {
  let child: Child | undefined
  try {
    for await (const chunk of dump) {
      child ??= start(url, chunk)
      if (child.process.exitCode !== null) break
      if (!child.stdin.write(chunk)) await Promise.race([once(child.stdin, 'drain'), child.ended])
    }
  } catch (error) {
    child?.process.kill('SIGKILL')
    await child?.ended
    throw error
  }
  if (child === undefined) throw new CommandError('the dump is empty')
  child.stdin.end()
  const code = await child.ended
  if (code !== 0) throw new CommandError(`${child.program} could not restore the dump: ${child.said()}`)
}

interface Child {
  readonly program: string
  readonly process: ChildProcess
  readonly stdin: NodeJS.WritableStream
  readonly ended: Promise<number | null>
  said(): string
}

/** The custom format starts with these bytes; anything else is taken for SQL. */
const CUSTOM = Buffer.from('PGDMP')

function start(url: string, first: Buffer): Child {
  const custom = first.subarray(0, CUSTOM.length).equals(CUSTOM)
  const args = custom
    ? ['--single-transaction', '--exit-on-error', '--no-owner', '--no-privileges']
    : ['--no-psqlrc', '--quiet', '--single-transaction', '--set', 'ON_ERROR_STOP=1', '--output', '/dev/null']
  return run(custom ? 'pg_restore' : 'psql', url, args)
}

async function tables(url: string): Promise<string[]> {
  const sql = `select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_' order by 1`
  return (await query(url, sql)).split('\n').filter((line) => line !== '')
}

async function query(url: string, sql: string): Promise<string> {
  const child = run('psql', url, [
    '--no-psqlrc',
    '--tuples-only',
    '--no-align',
    '--set',
    'ON_ERROR_STOP=1',
    '--command',
    sql,
  ])
  child.stdin.end()
  let answer = ''
  child.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
    answer += text
  })
  if (child.process.stdout !== null) await finished(child.process.stdout).catch(() => {})
  if ((await child.ended) !== 0) throw new CommandError(`the database could not be asked: ${child.said()}`)
  return answer
}

/** Starts a PostgreSQL program. The password goes by the environment, because arguments can be read by everybody. */
function run(program: string, url: string, args: readonly string[]): Child {
  const { connection, password } = withoutPassword(url)
  const env = { ...process.env, PGCONNECT_TIMEOUT: '10', ...(password !== '' && { PGPASSWORD: password }) }
  const child = spawn(program, ['--dbname', connection, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < 2000) said += text
  })
  if (program === 'pg_restore') child.stdout.resume()
  child.stdin.on('error', () => {}) // it ended early; its exit code says why
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === 'ENOENT'
          ? new CommandError(`${program} is not installed`, { hint: 'it comes with the PostgreSQL client programs' })
          : cause,
      )
    })
    child.once('close', resolve)
  })
  ended.catch(() => {})
  return {
    program,
    process: child,
    stdin: child.stdin,
    ended,
    said: () => said.trim().split('\n').slice(0, 3).join('; '),
  }
}

function withoutPassword(url: string): { connection: string; password: string } {
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    throw new CommandError('the database must be given as postgres://user@host/name', { exitCode: 2 })
  }
  const parsed = new URL(url)
  const password = decodeURIComponent(parsed.password)
  parsed.password = ''
  return { connection: parsed.href, password }
}
