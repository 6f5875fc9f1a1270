import pg from 'pg'
import { type PasswordPolicy, uuidv7, verifyAndUpgrade } from 'strongroom'
import { matching } from 'strongroom/kysely'
import type { Database, Room } from './database.ts'

/** What the web framework knows of the caller. */
export interface Caller {
  /** Calls from one address wait behind each other. */
  readonly address: string
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal
}

/** Somebody who is logged in. */
export interface Account {
  readonly id: string
  readonly tenant: string
}

/** Sign-up and login; nothing here knows the web framework. */
export function openAccounts(db: Database, room: Room, policy: PasswordPolicy) {
  const find = (email: string) =>
    db
      .selectFrom('accounts')
      .select(['id', 'tenant', 'password_hash'])
      .where(matching(room.records.accounts, 'email', email))
      .executeTakeFirst()

  /** Only while the old hash stands: a password that is changed at the same moment stays. */
  const replaceHash = async (id: string, next: string, previous: string) => {
    const { numUpdatedRows } = await db
      .updateTable('accounts')
      .set({ password_hash: next })
      .where('id', '=', id)
      .where('password_hash', '=', previous)
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }

  return {
    /** Makes a tenant and its first account. */
    async signUp(email: string, password: string, { address, signal }: Caller) {
      const judgement = await policy.check(password, [email])
      if (!judgement.accepted) return judgement
      // While the index key rotates an e-mail has two tags, and the constraint knows only equal ones.
      if ((await find(email)) !== undefined) return { accepted: false, fault: 'taken' } as const
      const id = uuidv7()
      const tenant = uuidv7()
      const password_hash = await room.passwords.hash(password, { userId: id, key: address, signal })
      await room.unlock([{ tenant }])
      try {
        await db.insertInto('accounts').values({ id, tenant, email, password_hash }).execute()
      } catch (error) {
        if (isTaken(error)) return { accepted: false, fault: 'taken' } as const
        throw error
      }
      return { accepted: true, id, tenant } as const
    },

    /** @returns undefined for an unknown account and for a wrong password alike, after the same work */
    async login(email: string, password: string, { address, signal }: Caller): Promise<Account | undefined> {
      const account = await find(email)
      const { valid } = await verifyAndUpgrade(room.passwords, {
        password,
        stored: account?.password_hash,
        userId: account?.id,
        key: address,
        signal,
        replace: async (next, previous) => account !== undefined && replaceHash(account.id, next, previous),
      })
      return valid && account !== undefined ? { id: account.id, tenant: account.tenant } : undefined
    },
  }
}

export type Accounts = ReturnType<typeof openAccounts>

const UNIQUE_VIOLATION = '23505'

function isTaken(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === UNIQUE_VIOLATION && error.constraint === 'accounts_email'
}
