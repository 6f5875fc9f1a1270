import { Buffer } from 'node:buffer'
import { assertArray, assertMethods, assertOptions, assertText, assertWhole, describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import { MAX_PASSWORD_BYTES } from './password-bytes.ts'

/** A list of passwords that nobody may choose. */
export interface PasswordBlocklist {
  /** What a judgement calls it. */
  readonly name: string
  /** Whether nobody may choose this password. @param password in NFC, at most 1,024 bytes */
  has(password: string): boolean | Promise<boolean>
}

/** Why a password was refused. */
export type PasswordFault = 'malformed' | 'too-short' | 'too-long' | 'blocked'

/** The answer of a policy; `list` names the blocklist. */
export type PasswordJudgement =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly fault: PasswordFault; readonly list?: string }

/** What a policy asks for. */
export interface PasswordPolicyOptions {
  /** Whether the password is the only factor (at least 15 characters) or one of several (at least 8). Default `single`. */
  readonly factors?: 'single' | 'multi'
  /** Least length in code points, instead of the one that `factors` gives; 8 to 64. */
  readonly minLength?: number
  /** Asked in order, behind the words given to `check`; none by default. */
  readonly blocklists?: readonly PasswordBlocklist[]
}

/** Judges new passwords. */
export interface PasswordPolicy {
  /**
   * Judges a password that is being set; never ask it at a login.
   *
   * @param words what belongs to this user or service, and may not be the password: user name, e-mail, product name
   * @throws InvalidInputError when an argument is no text; what a blocklist throws
   */
  check(password: string, words?: readonly string[]): Promise<PasswordJudgement>
}

const MIN_LENGTH = { single: 15, multi: 8 }

/**
 * The rules of SP 800-63B-4 section 3.1.1.2 for a new password: length in code points, and blocklists that hold the
 * whole password. No rules on kinds of characters, no expiry: the standard forbids them.
 *
 * @throws InvalidInputError when an option is out of range
 */
export function passwordPolicy(options: PasswordPolicyOptions = {}): PasswordPolicy {
  assertOptions(options, 'the options')
  const { factors = 'single', blocklists = [] } = options
  if (!Object.keys(MIN_LENGTH).includes(factors)) {
    throw new InvalidInputError(`factors must be single or multi, received ${describe(factors)}`)
  }
  assertArray(blocklists, 'blocklists')
  for (const list of blocklists) assertMethods(list, ['has'], 'a blocklist')
  const { minLength = MIN_LENGTH[factors] } = options
  assertWhole(minLength, 'minLength', MIN_LENGTH.multi, 64) // 64 must be permitted, says the standard
  return {
    async check(password, words = []) {
      if (typeof password !== 'string') {
        throw new InvalidInputError(`password must be a string, received ${describe(password)}`)
      }
      assertArray(words, 'words')
      const own = wordList(words)
      if (!password.isWellFormed()) return { accepted: false, fault: 'malformed' }
      if (password.length > 4 * MAX_PASSWORD_BYTES) return { accepted: false, fault: 'too-long' }
      const text = password.normalize('NFC')
      if (Buffer.byteLength(text, 'utf8') > MAX_PASSWORD_BYTES) return { accepted: false, fault: 'too-long' }
      if ([...text].length < minLength) return { accepted: false, fault: 'too-short' }
      for (const list of [own, ...blocklists]) {
        if (await list.has(text)) return { accepted: false, fault: 'blocked', list: list.name }
      }
      return { accepted: true }
    },
  }
}

/** A blocklist of your own words, compared whole and without regard to case. @throws InvalidInputError when one is no text */
export function wordList(words: Iterable<string>, name = 'words'): PasswordBlocklist {
  if (typeof (words as Partial<Iterable<string>> | null | undefined)?.[Symbol.iterator] !== 'function') {
    throw new InvalidInputError(`words must be a list of texts, received ${describe(words)}`)
  }
  assertText(name, 'name')
  const folded = new Set([...words].map(fold))
  return { name, has: (password) => folded.has(fold(password)) }
}

function fold(text: string): string {
  assertText(text, 'a password or a word')
  return text.normalize('NFC').toLowerCase()
}
