import { assertOptions, assertSignal, assertText } from '../bytes.ts'

/** Whose password it is, and how the call waits its turn. */
export interface PasswordOptions {
  /** The user's id. Required when there is a pepper, which binds the stored value to it; an unknown user has none. */
  readonly userId?: string | undefined
  /** Calls with one key wait behind each other, so that one client cannot hold up the rest: an IP address or a user name. */
  readonly key?: string | undefined
  /** Calls it off while it waits; the call rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** Refuses options of another shape before any work. @throws InvalidInputError */
export function assertPasswordOptions(options: PasswordOptions | undefined): void {
  assertOptions(options, 'the options')
  if (options?.userId !== undefined) assertText(options.userId, 'userId')
  if (options?.key !== undefined) assertText(options.key, 'key')
  assertSignal(options?.signal)
}

/** The answer of `verify`. Every reason for `valid: false` looks the same. */
export interface PasswordVerification {
  readonly valid: boolean
  /** Set when the password is right and the stored value should be replaced by this one, with a compare-and-set write. */
  readonly rehash?: string
}

/** What can be told about a stored password without any password. */
export interface PasswordInspection {
  /** For example `argon2id`, `bcrypt`, `peppered`, `unusable` (nobody can log in) or `unreadable`. */
  readonly scheme: string
  /** For example `m=65536,t=3,p=1` or `cost=10`; of a wrapped hash, the old one's. */
  readonly cost: string
  /** An old hash under Argon2id. */
  readonly wrapped: boolean
  /** Neither Argon2id at the OWASP minimum or above, nor wrapped by it, nor peppered. */
  readonly belowFloor: boolean
}

/** Hashes and verifies passwords. Make one for the whole process: it holds the memory budget. */
export interface PasswordHasher {
  /**
   * Hashes a new password.
   *
   * @returns the text to store, at most 1,024 characters
   * @throws InvalidInputError when it is empty, longer than 1,024 bytes or not well-formed; OverloadedError
   */
  hash(password: string, options?: PasswordOptions): Promise<string>

  /**
   * Checks a password against what is stored. An unknown user is `undefined` (or null) and costs as much as a known one.
   * A password that could never have been hashed, and stored text that cannot be read, are answered `valid: false`.
   *
   * @throws OverloadedError; ConfigError when the stored text needs something that is not there: a pepper, a library;
   *   InvalidInputError when an argument has the wrong type
   */
  verify(password: string, stored: string | null | undefined, options?: PasswordOptions): Promise<PasswordVerification>

  /**
   * Whether stored text is weaker than, or other than, what `hash` writes today. Of a peppered hash it tells only whether
   * the pepper is the current one: what is inside is bound to its user, and `verify` judges that.
   *
   * @throws InvalidInputError when it is no text
   */
  needsRehash(stored: string): boolean

  /**
   * Protects an old hash now, without the password: hashes its digest with Argon2id. `verify` reads the result, and
   * its `rehash` is an ordinary hash again.
   *
   * @returns the text to store, with a compare-and-set write
   * @throws InvalidInputError when it cannot be read, is wrapped already, or is Argon2id at or above the OWASP floor; OverloadedError
   */
  wrapLegacy(stored: string, options?: PasswordOptions): Promise<string>

  /** Tells the scheme and cost of stored text, for an audit. @throws InvalidInputError when it is no text */
  inspect(stored: string): PasswordInspection
}
