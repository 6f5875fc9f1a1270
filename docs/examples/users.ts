import type pg from 'pg'
import { replaceHashSql } from 'strongroom'

/** A user as the login needs it. */
export interface User {
  readonly id: string
  readonly passwordHash: string | null
}

/** The table of users: `create table users (id bigint generated always as identity primary key, email text unique, password_hash text)` */
export function usersTable(pool: pg.Pool) {
  const replaceHash = replaceHashSql({ table: 'users', id: 'id', column: 'password_hash' })
  return {
    /** Makes the row first: a peppered hash is bound to the id. @returns undefined when the address is taken */
    async create(email: string): Promise<string | undefined> {
      const { rows } = await pool.query(
        'insert into users (email) values ($1) on conflict (email) do nothing returning id::text as id',
        [email],
      )
      return rows[0]?.id
    },

    async setFirstPassword(id: string, hash: string): Promise<void> {
      await pool.query('update users set password_hash = $1 where id = $2 and password_hash is null', [hash, id])
    },

    async find(email: string): Promise<User | undefined> {
      const { rows } = await pool.query(
        'select id::text as id, password_hash as "passwordHash" from users where email = $1',
        [email],
      )
      return rows[0]
    },

    /** Compare-and-set: false when the hash is no longer `previous`. */
    async replaceHash(id: string, next: string, previous: string): Promise<boolean> {
      return (await pool.query(replaceHash, [next, id, previous])).rowCount === 1
    },
  }
}

export type UsersTable = ReturnType<typeof usersTable>
