import { assertFilled, assertMethods } from '../../src/bytes.ts'
import { InvalidInputError } from '../../src/errors.ts'
import { importPeer } from '../../src/optional-peer.ts'

/** The part of `PgBoss` from `pg-boss` that is used. */
export interface PgBossLike {
  createQueue(name: string, options: { name: string; policy: 'short' }): Promise<unknown>
  send(
    name: string,
    data: object,
    options: { singletonKey: string; retryLimit: number; retryDelay: number; expireInSeconds: number },
  ): Promise<unknown>
  fetch(name: string): Promise<readonly { readonly id: string; readonly data: unknown }[]>
  complete(name: string, id: string): Promise<unknown>
  fail(name: string, id: string): Promise<unknown>
  /** Takes back what workers have held for too long. */
  expire(): Promise<unknown>
}

/** A pg-boss that runs already, or where its database is. Exactly one of both. */
export interface PgBossConnection {
  /** Started by you, and not stopped by `close()`. */
  readonly boss?: PgBossLike
  readonly connectionString?: string
  /** Where pg-boss keeps its tables, which it makes and upgrades by itself; `pgboss` by default. Only beside `connectionString`. */
  readonly schema?: string
}

/** Connections of one worker to its queue. */
const MAX_CONNECTIONS = 2

/** Refuses options that name no queue or two. @throws InvalidInputError */
export function assertConnection({ boss, connectionString, schema }: PgBossConnection): void {
  if ((boss === undefined) === (connectionString === undefined)) {
    throw new InvalidInputError('give either a boss or a connectionString')
  }
  if (boss !== undefined) assertMethods(boss, ['createQueue', 'send', 'fetch', 'complete', 'fail', 'expire'], 'boss')
  else assertFilled(connectionString, 'connectionString')
  if (schema !== undefined) assertFilled(schema, 'schema')
}

/** The user's pg-boss, or a new one, and how to stop that. */
export async function startBoss(connection: PgBossConnection): Promise<{ boss: PgBossLike; stop(): Promise<void> }> {
  if (connection.boss !== undefined) return { boss: connection.boss, stop: async () => {} }
  const { default: PgBoss } = await importPeer('pg-boss', 'pgBossQueue', () => import('pg-boss'))
  const boss = new PgBoss({
    connectionString: connection.connectionString as string,
    schema: connection.schema ?? 'pgboss',
    application_name: 'strongroom queue',
    max: MAX_CONNECTIONS,
    schedule: false,
  })
  boss.on('error', () => undefined) // what fails is asked for again, and throws there
  await boss.start()
  return { boss, stop: () => boss.stop({ graceful: false }) }
}
