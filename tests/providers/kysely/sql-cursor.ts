import type { PostgresPool } from 'kysely'
import type pg from 'pg'

type Client = Pick<pg.PoolClient, 'query'>

/** A cursor of PostgreSQL for Kysely's streams, by `declare` and `fetch`: what the package pg-cursor does by messages. */
export class SqlCursor<Row> {
  readonly #sql: string
  readonly #parameters: readonly unknown[]
  #client: Client | undefined

  constructor(sql: string, parameters: readonly unknown[]) {
    this.#sql = sql
    this.#parameters = parameters
  }

  async read(rows: number): Promise<Row[]> {
    return ((await this.#client?.query(`fetch ${rows} from streamed`))?.rows ?? []) as Row[]
  }

  async close(): Promise<void> {
    await this.#client?.query('close streamed')
  }

  /** Declares the cursor before its first read: a client answers in the order of its queries. */
  open(client: Client): this {
    this.#client = client
    void client.query(`declare streamed cursor with hold for ${this.#sql}`, [...this.#parameters])
    return this
  }
}

/** The pool, with clients that open such a cursor when they are given one. */
export function poolWithCursors(pool: pg.Pool): PostgresPool {
  return {
    async connect() {
      const client = await pool.connect()
      const query = (first: unknown, parameters?: readonly unknown[]) =>
        first instanceof SqlCursor ? first.open(client) : client.query(first as string, parameters as unknown[])
      return { query, release: () => client.release() } as Awaited<ReturnType<PostgresPool['connect']>>
    },
    end: async () => undefined,
  }
}
