import { assertMethods, assertOptions, assertText, describe } from '../bytes.ts'
import { DecryptionError, InvalidInputError } from '../errors.ts'
import { assertPasswordOptions, type PasswordHasher, type PasswordOptions } from './password-hasher.ts'

/**
 * Encrypts stored password hashes, each bound to its user. A Strongroom is one; any authenticated encryption under a
 * key that is kept apart from the table will do.
 */
export interface PasswordPepper {
  /** Encrypts a hash for its user. @returns text that begins with `sr1_` */
  encrypt(hash: string, userId: string): string | Promise<string>
  /** Decrypts it again. @throws DecryptionError when the text is damaged, or was written for another user or under another key */
  decrypt(stored: string, userId: string): string | Promise<string>
  /** Whether the text was written under the key that writes today. */
  isCurrent(stored: string): boolean
}

/** What a pepper reads and writes; a table moves from none to `on`, from there to `only`, and back by `retire`. */
export type PepperMode = 'on' | 'only' | 'retire'

/** How a pepper is applied. */
export interface WithPepperOptions {
  /**
   * `on` (default) writes peppered hashes and still reads plain ones. `only` reads peppered ones alone: whoever can
   * write to the table, but has no key, can then put nothing in it that verifies. `retire` reads both, writes plain ones.
   */
  readonly mode?: PepperMode
}

/** A hasher with a pepper. Every call needs a `userId`, except `verify` for an unknown user. */
export interface PepperedHasher extends PasswordHasher {
  /**
   * Writes stored text again as the pepper would write it today, without any password: under the current key after a
   * rotation, encrypted for the first time when the pepper is new, and plain when it is being retired.
   *
   * @returns the text to store with a compare-and-set write, or the same text when it is as it should be
   * @throws DecryptionError when it was written for another user or under an unknown key; InvalidInputError without a `userId`
   */
  reencrypt(stored: string, options: PasswordOptions): Promise<string>
}

const PEPPERED_PREFIX = 'sr1_'
const NOBODY = 'nobody'
/** As long as a hash with the default parameters. */
const LIKE_A_HASH = '-'.repeat(97)

/** Whether stored text is an encrypted hash. */
export function isPeppered(stored: string): boolean {
  return stored.startsWith(PEPPERED_PREFIX)
}

/**
 * Puts a pepper around a hasher: stored values are encrypted hashes, useless without the key and for another user.
 * Every call needs a `userId`, except `verify` for an unknown user. Rotating the key is an ordinary re-encryption of the column; no password is needed.
 *
 * @throws InvalidInputError
 */
export function withPepper(
  hasher: PasswordHasher,
  pepper: PasswordPepper,
  options: WithPepperOptions = {},
): PepperedHasher {
  assertMethods(hasher, ['hash', 'verify', 'needsRehash', 'wrapLegacy', 'inspect'], 'hasher')
  assertMethods(pepper, ['encrypt', 'decrypt', 'isCurrent'], 'pepper')
  assertOptions(options, 'the options')
  const { mode = 'on' } = options
  if (!['on', 'only', 'retire'].includes(mode)) {
    throw new InvalidInputError(`mode must be on, only or retire, received ${describe(mode)}`)
  }
  const writes = mode !== 'retire'
  const seal = (hash: string, userId: string) => (writes ? pepper.encrypt(hash, userId) : hash)
  let sealedForNobody: string | undefined
  return {
    async hash(password, options) {
      const userId = userIdOf(options)
      return seal(await hasher.hash(password, options), userId)
    },

    async verify(password, stored, options) {
      if (stored === undefined || stored === null) {
        // An unknown user has no id to ask for, and otherwise costs and fails as a known one does, without a key too.
        await readable(await standIn(), NOBODY)
        return hasher.verify(password, stored, options)
      }
      const userId = userIdOf(options)
      assertText(stored, 'the stored hash')
      const hash = await readable(stored, userId)
      const { valid, rehash } = await hasher.verify(password, hash, options)
      if (!valid || hash === undefined) return { valid: false }
      if (rehash === undefined && isAsWritten(stored)) return { valid }
      return { valid, rehash: await seal(rehash ?? hash, userId) }
    },

    needsRehash: (stored) => !isAsWritten(stored) || (!isPeppered(stored) && hasher.needsRehash(stored)),

    async wrapLegacy(stored, options) {
      const userId = userIdOf(options)
      assertText(stored, 'the stored hash')
      const hash = isPeppered(stored) ? await pepper.decrypt(stored, userId) : stored
      return seal(await hasher.wrapLegacy(hash, options), userId)
    },

    inspect: (stored) => hasher.inspect(stored),

    async reencrypt(stored, options) {
      const userId = userIdOf(options)
      assertText(stored, 'the stored hash')
      const peppered = isPeppered(stored)
      if (isAsWritten(stored)) return stored
      return seal(peppered ? await pepper.decrypt(stored, userId) : stored, userId)
    },
  }

  /** What is decrypted for an unknown user. */
  async function standIn(): Promise<string> {
    if (sealedForNobody === undefined || !pepper.isCurrent(sealedForNobody)) {
      sealedForNobody = await pepper.encrypt(LIKE_A_HASH, NOBODY)
    }
    return sealedForNobody
  }

  function isAsWritten(stored: string): boolean {
    assertText(stored, 'the stored hash')
    return isPeppered(stored) ? writes && pepper.isCurrent(stored) : !writes
  }

  /**
   * The hash inside, or undefined for one that is not to be believed: of another user, under another key, or plain
   * where only peppered ones are. It then costs and answers what an unknown user does.
   */
  async function readable(stored: string, userId: string): Promise<string | undefined> {
    if (!isPeppered(stored)) return mode === 'only' ? undefined : stored
    try {
      return await pepper.decrypt(stored, userId)
    } catch (error) {
      if (error instanceof DecryptionError) return undefined
      throw error
    }
  }
}

function userIdOf(options: PasswordOptions | undefined): string {
  assertPasswordOptions(options)
  const userId = options?.userId
  if (userId === undefined) throw new InvalidInputError('userId is required: the pepper binds each hash to its user')
  assertText(userId, 'userId')
  if (userId === '') throw new InvalidInputError('userId must not be empty')
  return userId
}
