import { createHash, randomBytes } from 'node:crypto'
import type { Account } from './accounts.ts'
import type { Database } from './database.ts'

const HOURS = 8

/** Who is logged in. A token is long and random, so that a fast hash of it is enough. */
export function openSessions(db: Database) {
  return {
    /** @returns the token for the `Authorization` header; it stands nowhere else */
    async begin({ id, tenant }: Account): Promise<string> {
      const token = randomBytes(32).toString('base64url')
      const ends_at = new Date(Date.now() + HOURS * 3_600_000)
      await db
        .insertInto('sessions')
        .values({ digest: digestOf(token), account: id, tenant, ends_at })
        .execute()
      return token
    },

    /** The account that a token belongs to. */
    async find(token: string): Promise<Account | undefined> {
      return db
        .selectFrom('sessions')
        .select(['account as id', 'tenant'])
        .where('digest', '=', digestOf(token))
        .where('ends_at', '>', new Date())
        .executeTakeFirst()
    },
  }
}

export type Sessions = ReturnType<typeof openSessions>

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
