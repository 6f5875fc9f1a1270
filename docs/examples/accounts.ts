import { type PasswordHasher, type PasswordPolicy, verifyAndUpgrade } from 'strongroom'
import type { UsersTable } from './users.ts'

/** What the web framework knows of the caller. */
export interface Caller {
  /** Calls from one address wait behind each other. */
  readonly address: string
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal
}

/** Sign-up, login and change of a password; nothing here knows the web framework. */
export function accounts(users: UsersTable, passwords: PasswordHasher, policy: PasswordPolicy) {
  return {
    async signUp(email: string, password: string, { address, signal }: Caller) {
      const judgement = await policy.check(password, [email])
      if (!judgement.accepted) return judgement
      const id = await users.create(email)
      if (id === undefined) return { accepted: false, fault: 'taken' } as const
      await users.setFirstPassword(id, await passwords.hash(password, { userId: id, key: address, signal }))
      return { accepted: true, id } as const
    },

    /** @returns the user's id, or undefined: an unknown user, a wrong password and an unreadable hash look the same */
    async login(email: string, password: string, { address, signal }: Caller): Promise<string | undefined> {
      const user = await users.find(email)
      const { valid } = await verifyAndUpgrade(passwords, {
        password,
        stored: user?.passwordHash,
        userId: user?.id,
        key: address,
        signal,
        replace: (next, previous) => users.replaceHash((user as { id: string }).id, next, previous),
      })
      return valid ? user?.id : undefined
    },

    /** Asks for the old password again, and writes only if it is still the one in the table. */
    async change(email: string, old: string, next: string, { address, signal }: Caller) {
      const judgement = await policy.check(next, [email])
      if (!judgement.accepted) return judgement
      const user = await users.find(email)
      const caller = { userId: user?.id, key: address, signal }
      const { valid } = await passwords.verify(old, user?.passwordHash, caller)
      if (!valid || user === undefined) return { accepted: false, fault: 'wrong-password' } as const
      const hash = await passwords.hash(next, caller)
      const written = await users.replaceHash(user.id, hash, user.passwordHash as string)
      return written ? ({ accepted: true } as const) : ({ accepted: false, fault: 'changed-meanwhile' } as const)
    },
  }
}

export type Accounts = ReturnType<typeof accounts>
