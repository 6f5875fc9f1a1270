import { assertFilled, assertMethods } from '../../src/bytes.ts'
import { InvalidInputError } from '../../src/errors.ts'
import { importPeer } from '../../src/optional-peer.ts'

/** What a query answers. */
export interface PostgresResult {
  readonly rows: readonly Record<string, unknown>[]
  readonly rowCount: number | null
}

/** One connection of a pool: the part of `PoolClient` from `pg` that is used. */
export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<PostgresResult>
  /** @param destroy true closes the connection instead of giving it back */
  release(destroy?: boolean): void
}

/** The part of `Pool` from `pg` that is used. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>
  query(text: string, values?: unknown[]): Promise<PostgresResult>
}

/** A pool that exists already, or where to connect to. Exactly one of both. */
export interface PostgresConnection {
  /** A `Pool` of `pg`. Not closed by `close()`. */
  readonly pool?: PostgresPool
  /** `postgres://user:password@host/database?sslmode=verify-full`; a pool of four connections is made on first use. */
  readonly connectionString?: string
}

/** A pool, and how to close it where it was made here. */
export interface Connected {
  readonly pool: PostgresPool
  close(): Promise<void>
}

const MAX_CONNECTIONS = 4
const CONNECT_TIMEOUT_MS = 10_000
const ANSWER_TIMEOUT_MS = 60_000

/** Refuses options that name no database or two. @throws InvalidInputError */
export function assertConnection({ pool, connectionString }: PostgresConnection): void {
  if ((pool === undefined) === (connectionString === undefined)) {
    throw new InvalidInputError('give either a pool or a connectionString')
  }
  if (connectionString !== undefined) assertFilled(connectionString, 'connectionString')
  else assertMethods(pool, ['connect', 'query'], 'pool, a Pool of pg,')
}

/** The user's pool, or one of `pg` that ends by itself when the process has nothing else to do; `answerMs` to wait for an answer. @throws ConfigError */
export async function connectPostgres(options: PostgresConnection, answerMs = ANSWER_TIMEOUT_MS): Promise<Connected> {
  if (options.pool !== undefined) return { pool: options.pool, close: async () => {} }
  const { default: pg } = await importPeer('pg', 'strongroom/postgres', () => import('pg'))
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: MAX_CONNECTIONS,
    application_name: 'strongroom',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: answerMs,
    keepAlive: true,
    allowExitOnIdle: true,
  })
  pool.on('error', () => undefined) // an idle connection broke: the next query makes another
  return { pool, close: () => pool.end() }
}
