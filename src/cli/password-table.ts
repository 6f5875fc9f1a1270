import { InvalidInputError, StrongroomError } from '../errors.ts'
import { importPeer } from '../optional-peer.ts'
import { quotedTable, quoteName, replaceHashSql } from '../passwords/upgrade.ts'
import { CommandError, type Output } from './output.ts'
import { type Command, Option } from './vendor.ts'

/** How a table of users is named on the command line. */
export interface PasswordTableOptions {
  readonly table: string
  readonly column: string
  readonly id: string
  readonly databaseUrl?: string
}

/** One row of it. */
export interface PasswordRow {
  readonly id: string
  /** null where the user has no password. */
  readonly stored: string | null
}

/** A table of users in PostgreSQL. */
export interface PasswordTable {
  count(): Promise<number>
  /** All rows, in pages, in the order of the id. */
  pages(): AsyncIterable<readonly PasswordRow[]>
  /** Writes `next` where the row still holds `previous`. @returns whether it did */
  replace(id: string, next: string, previous: string): Promise<boolean>
}

const PAGE = 2_000

/** Adds the options that name a table. */
export function withTableOptions(command: Command): Command {
  return command
    .requiredOption('--table <name>', 'the table of users, as users or auth.users')
    .option('--column <name>', 'the column of password hashes', 'password_hash')
    .option('--id <name>', 'the primary key', 'id')
    .option('--database-url <url>', 'PostgreSQL (default: DATABASE_URL)')
}

/** Adds the options that say what bare digests are. */
export function withRawOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--raw <algorithm>', 'the column holds bare hexadecimal digests').choices([
        'md5',
        'sha1',
        'sha256',
        'sha384',
        'sha512',
      ]),
    )
    .addOption(
      new Option('--salt <position>', 'with --raw: digest:salt, salted before or after').choices(['before', 'after']),
    )
}

/**
 * Opens the table for `work`, and closes the connections when it ends.
 *
 * @throws CommandError when no database is named; ConfigError when `pg` is not installed
 */
export async function withPasswordTable<Result>(
  options: PasswordTableOptions,
  output: Output,
  work: (table: PasswordTable) => Promise<Result>,
): Promise<Result> {
  const connectionString = options.databaseUrl ?? output.env.DATABASE_URL
  if (connectionString === undefined || connectionString === '') {
    throw new CommandError('no database is named', { exitCode: 2, hint: 'set DATABASE_URL, or give --database-url' })
  }
  const { default: pg } = await importPeer('pg', 'strongroom passwords', () => import('pg'))
  const pool = new pg.Pool({ connectionString, max: 8, application_name: 'strongroom' })
  pool.on('error', () => undefined) // the query that meets it reports it
  const [table, id, column] = [quotedTable(options.table), quoteName(options.id), quoteName(options.column)]
  const update = replaceHashSql(options)
  try {
    return await work({
      count: async () => Number((await pool.query(`select count(*) as count from ${table}`)).rows[0].count),
      async *pages() {
        let last: string | undefined
        for (;;) {
          const after = last === undefined ? '' : `where ${id} > $1`
          const query = `select ${id}::text as id, ${column}::text as stored from ${table} ${after} order by ${id} limit ${PAGE}`
          const { rows } = await pool.query<PasswordRow>(query, last === undefined ? [] : [last])
          if (rows.length > 0) yield rows
          if (rows.length < PAGE) return
          last = rows.at(-1)?.id
        }
      },
      replace: async (rowId, next, previous) => (await pool.query(update, [next, rowId, previous])).rowCount === 1,
    })
  } catch (error) {
    throw isFromDriver(error) ? new CommandError(`PostgreSQL: ${error.message || error.code}`, { cause: error }) : error
  } finally {
    await pool.end()
  }
}

function isFromDriver(error: unknown): error is Error & { code: string } {
  return error instanceof Error && !(error instanceof StrongroomError) && !(error instanceof InvalidInputError)
}
