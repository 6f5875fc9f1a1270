import { Readable } from 'node:stream'
import pg from 'pg'

const HANDLERS = [
  'handleRowDescription',
  'handleDataRow',
  'handlePortalSuspended',
  'handleEmptyQuery',
  'handleCommandComplete',
  'handleError',
  'handleReadyForQuery',
] as const

/** A query whose rows are a stream: to TypeORM what the package pg-query-stream is, without its cursor. */
export class PostgresQueryStream extends Readable {
  readonly submit: (connection: unknown) => unknown

  constructor(text: string, values: unknown[] = []) {
    super({ objectMode: true, read: () => undefined })
    const query = new pg.Query(text, values) as unknown as Record<string, (...args: unknown[]) => unknown>
    for (const name of HANDLERS) Object.assign(this, { [name]: (...args: unknown[]) => query[name]?.(...args) })
    this.submit = (connection) => query.submit?.(connection)
    query.on?.('row', (row: unknown) => this.push(row))
    query.on?.('end', () => this.push(null))
    query.on?.('error', (error: Error) => this.destroy(error))
  }
}
