import { InvalidInputError } from '../errors.ts'
import { builtIn, type IndexTransform } from './transform.ts'

/** E-mail addresses without regard to case or surrounding space. Index specification section 4.2. */
export const email: IndexTransform<string> = {
  [builtIn]: true,
  id: 'email-lower-nfc-v1',
  accepts: ['text'],
  apply(value) {
    // The second normalisation: lower case can leave text that is no longer composed.
    return someOf(value.trim().normalize('NFC').toLowerCase().normalize('NFC'), 'email-lower-nfc-v1', 'character')
  },
}

/** Text without regard to case, width or compatibility forms: `ﬁ` is `fi`, `Straße` is `STRASSE`. Section 4.3. */
export const casefold: IndexTransform<string> = {
  [builtIn]: true,
  id: 'nfkc-casefold-v1',
  accepts: ['text'],
  apply: fold,
}

/** The digits 0 to 9 alone: phone, card and account numbers however they are punctuated. Section 4.4. */
export const digits: IndexTransform<string> = {
  [builtIn]: true,
  id: 'digits-only-v1',
  accepts: ['text'],
  apply: (value) => someOf(digitsOf(value), 'digits-only-v1', 'digit'),
}

/** The last four digits. Section 4.5. */
export const last4: IndexTransform<string> = {
  [builtIn]: true,
  id: 'last4-digits-v1',
  accepts: ['text'],
  distinct: 10_000,
  apply(value) {
    const all = digitsOf(value)
    if (all.length < 4) throw new InvalidInputError('transform last4-digits-v1 needs a value with at least four digits')
    return all.slice(-4)
  },
}

/**
 * The first characters of a text, for "starts with"; case and compatibility forms are ignored as in `casefold`.
 * A shorter text is indexed whole. A search must give at least that many characters, and may give more:
 * the rest is compared when candidates are filtered. Section 4.6.
 *
 * @param length 1 to 32 characters (code points)
 * @throws InvalidInputError
 */
export function prefix(length: number): IndexTransform<string> {
  if (!Number.isInteger(length) || length < 1 || length > 32) {
    throw new InvalidInputError('prefix length must be an integer from 1 to 32')
  }
  const id = `prefix-${length}-nfkc-casefold-v1`
  return {
    [builtIn]: true,
    id,
    accepts: ['text'],
    assumedDistinct: LETTERS ** Math.min(length, 10),
    apply: (value) => firstOf(fold(value), length).join(''),
    applyToQuery(wanted) {
      const characters = firstOf(fold(wanted), length)
      if (characters.length < length) {
        throw new InvalidInputError(`transform ${id} needs at least ${length} characters to search for`)
      }
      return characters.join('')
    },
    matches: (stored, wanted) => fold(stored).startsWith(fold(wanted)),
  }
}

const LETTERS = 26

function fold(value: string): string {
  // JavaScript has no case folding of its own. Upper case joins ß with SS and ς with σ, and lower case before it ẞ with ß.
  return value.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase().normalize('NFKC')
}

function digitsOf(value: string): string {
  return value.normalize('NFKC').replace(/[^0-9]+/g, '')
}

function firstOf(text: string, length: number): string[] {
  // A code point is at most two units, so this cut never takes one apart that is kept.
  return [...text.slice(0, 2 * length)].slice(0, length)
}

function someOf(text: string, id: string, unit: string): string {
  if (text === '') throw new InvalidInputError(`transform ${id} needs a value with at least one ${unit}`)
  return text
}
