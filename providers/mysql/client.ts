import { assertFilled, assertMethods, assertObject } from '../../src/bytes.ts'
import { ConfigError, InvalidInputError } from '../../src/errors.ts'
import { importPeer } from '../../src/optional-peer.ts'

/** A statement as `mysql2` takes it, with what a pool may have been told about results told otherwise. */
export interface MysqlStatement {
  readonly sql: string
  readonly values?: unknown[]
  readonly timeout: number
  readonly rowsAsArray: false
  readonly nestTables: false
  readonly typeCast: true | ((field: unknown, next: () => unknown) => unknown)
}

/** One connection of a pool: the part of `PoolConnection` from `mysql2/promise` that is used. */
export interface MysqlClient {
  /** Without parameters, as text: any statement. */
  query(statement: MysqlStatement): Promise<readonly unknown[]>
  /** Prepared by the server, so that parameters are never part of the text, whatever its `sql_mode` says of quotes. */
  execute(statement: MysqlStatement): Promise<readonly unknown[]>
  release(): void
  destroy(): void
}

/** The part of `Pool` from `mysql2/promise` that is used. */
export interface MysqlPool {
  getConnection(): Promise<MysqlClient>
}

/** A pool that exists already, or where to connect to. Exactly one of both. */
export interface MysqlConnection {
  /** A `Pool` of `mysql2/promise`. Not closed by `close()`. */
  readonly pool?: MysqlPool
  /** `mysql://user:password@host/database`; a pool of four connections is made on first use. */
  readonly connectionString?: string
}

/** A pool, how to close it where it was made here, and what its server takes. */
export interface Connected {
  readonly pool: MysqlPool
  /** Bytes of the largest statement with its parameters. */
  readonly maxPacket: number
  close(): Promise<void>
}

const MAX_CONNECTIONS = 4
const CONNECT_TIMEOUT_MS = 10_000
const ANSWER_TIMEOUT_MS = 60_000

/** Refuses options that name no database or two. @throws InvalidInputError */
export function assertConnection(connection: MysqlConnection): void {
  assertObject(connection, 'a connection')
  const { pool, connectionString } = connection
  if ((pool === undefined) === (connectionString === undefined)) {
    throw new InvalidInputError('give either a pool or a connectionString')
  }
  if (connectionString !== undefined) assertFilled(connectionString, 'connectionString')
  else assertMethods(pool, ['getConnection'], 'pool, a Pool of mysql2/promise,')
}

/** The user's pool, or one of `mysql2` that ends by itself when the process has nothing else to do. @throws ConfigError */
export async function connectMysql(options: MysqlConnection): Promise<Connected> {
  const own = options.pool === undefined ? await ownPool(options.connectionString as string) : undefined
  const pool = options.pool ?? (own as MysqlPool)
  const close = async () => own?.end()
  try {
    return { pool, close, maxPacket: await examine(pool) }
  } catch (error) {
    await close()
    throw error
  }
}

async function ownPool(uri: string): Promise<MysqlPool & { end(): Promise<void> }> {
  const { createPool } = await importPeer('mysql2', 'strongroom/mysql', () => import('mysql2/promise'))
  const pool = createPool({
    uri,
    charset: 'utf8mb4',
    connectionLimit: MAX_CONNECTIONS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableKeepAlive: true,
  })
  // As `allowExitOnIdle` of pg: a connection that nobody uses keeps no process alive.
  pool.on('acquire', (connection) => streamOf(connection)?.ref?.())
  pool.on('release', (connection) => streamOf(connection)?.unref?.())
  return pool
}

function streamOf(connection: object): { ref?(): void; unref?(): void } | undefined {
  return (connection as { stream?: { ref?(): void; unref?(): void } }).stream
}

/** Text must travel as it is, and nothing may be larger than a packet. */
async function examine(pool: MysqlPool): Promise<number> {
  const client = await pool.getConnection()
  try {
    const sql = `select @@session.character_set_client as sent, @@session.character_set_results as shown,
  cast(@@session.max_allowed_packet as char) as packet`
    const [rows] = await send(client, sql)
    const [row] = rows as readonly Record<string, unknown>[]
    for (const charset of [row?.sent, row?.shown]) {
      if (charset !== 'utf8mb4') {
        throw new ConfigError(`the pool must be made with charset 'utf8mb4', not '${charset}': text would be changed`)
      }
    }
    return Number(row?.packet)
  } finally {
    client.release()
  }
}

/** Runs one statement, with a time to answer in ms. */
export async function send(
  client: MysqlClient,
  sql: string,
  values?: unknown[],
  timeout = ANSWER_TIMEOUT_MS,
): Promise<readonly unknown[]> {
  const statement = { sql, timeout, rowsAsArray: false, nestTables: false, typeCast: castOf(client) } as const
  return values === undefined ? client.query(statement) : client.execute({ ...statement, values })
}

/**
 * Only text and bytes are selected. A function here keeps that of the pool from being called; where the pool has none it would
 * only cost, for each value more than to decrypt it.
 */
function castOf(client: MysqlClient): MysqlStatement['typeCast'] {
  const { connection } = client as { connection?: { config?: { typeCast?: unknown } } }
  return typeof connection?.config?.typeCast === 'boolean' ? true : asItIs
}

function asItIs(_field: unknown, next: () => unknown): unknown {
  return next()
}
