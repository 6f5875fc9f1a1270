import { assertFunction, assertMethods, assertObject, assertText } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import type { PasswordHasher, PasswordOptions } from './password-hasher.ts'

/** One login, with the way to replace its stored hash. */
export interface LoginAttempt extends PasswordOptions {
  readonly password: string
  /** What the table holds; undefined or null for an unknown user. */
  readonly stored: string | null | undefined
  /**
   * Writes `next` where the table still holds `previous`: one `update … where hash = previous`, never a read and a write.
   *
   * @returns whether a row was written
   */
  readonly replace: (next: string, previous: string) => Promise<boolean>
}

/** What became of a login and its upgrade. */
export interface LoginResult {
  readonly valid: boolean
  /** `none`: nothing to do. `lost`: the password was changed meanwhile, and the change stays. `failed`: see `error`. */
  readonly upgrade: 'none' | 'stored' | 'lost' | 'failed'
  /** Why the upgrade could not be written. The login is good all the same. */
  readonly error?: unknown
}

/** Where a table keeps its hashes. Names are quoted as they are written. */
export interface PasswordColumn {
  /** `users`, or `auth.users` */
  readonly table: string
  readonly id: string
  readonly column: string
}

/**
 * Verifies a login, and replaces a stored hash that is weaker than today's, by compare-and-set: a password that is
 * changed at the same moment always wins.
 *
 * @throws what `hasher.verify` throws; never because the upgrade failed
 */
export async function verifyAndUpgrade(hasher: PasswordHasher, attempt: LoginAttempt): Promise<LoginResult> {
  assertMethods(hasher, ['verify'], 'hasher')
  assertObject(attempt, 'the attempt')
  const { password, stored, replace, ...options } = attempt
  assertFunction(replace, 'replace')
  const { valid, rehash } = await hasher.verify(password, stored, options)
  if (!valid || rehash === undefined) return { valid, upgrade: 'none' }
  try {
    return { valid, upgrade: (await replace(rehash, stored as string)) ? 'stored' : 'lost' }
  } catch (error) {
    return { valid, upgrade: 'failed', error }
  }
}

/**
 * The compare-and-set write in SQL, for PostgreSQL: `$1` is the new hash, `$2` the id, `$3` the hash it replaces.
 *
 * @throws InvalidInputError when a name is empty or holds a NUL
 */
export function replaceHashSql(place: PasswordColumn): string {
  assertObject(place, 'the column')
  const { table, id, column } = place
  const target = quoteName(column)
  return `update ${quotedTable(table)} set ${target} = $1 where ${quoteName(id)} = $2 and ${target} = $3`
}

/** A table name for SQL, with its schema where it has one. @throws InvalidInputError */
export function quotedTable(table: string): string {
  assertText(table, 'a table name')
  return table.split('.').map(quoteName).join('.')
}

/** A name for SQL. @throws InvalidInputError when it is empty or holds a NUL */
export function quoteName(name: string): string {
  assertText(name, 'a table or column name')
  if (name === '' || name.includes('\0')) throw new InvalidInputError('a table or column name is not usable')
  return `"${name.replaceAll('"', '""')}"`
}
