import { assertArray, assertBytes, assertText } from '../../bytes.ts'
import { DecryptionError, InvalidInputError } from '../../errors.ts'
import type { OldFormat } from '../old-format.ts'

/**
 * Has a format refuse what is no stored text and no plaintext with InvalidInputError, before any work, and whatever else
 * is wrong with a stored value with DecryptionError: whoever reads rows sets it aside, and tells nobody why.
 */
export function checkedFormat({ name, open, seal }: OldFormat): OldFormat {
  return {
    name,
    open(stored) {
      assertText(stored, 'a stored value')
      try {
        return open(stored)
      } catch {
        throw new DecryptionError()
      }
    },
    seal(plaintext) {
      if (typeof plaintext === 'string') assertText(plaintext, 'plaintext')
      else assertBytes(plaintext, 'plaintext')
      return seal(plaintext)
    },
  }
}

/** Refuses anything but a list of texts that has one. @throws InvalidInputError */
export function assertKeys(keys: unknown, what: string): asserts keys is readonly [string, ...string[]] {
  assertArray(keys, 'keys')
  if (keys.length === 0) throw new InvalidInputError(`keys must be a list of ${what} that has one`)
  for (const key of keys) assertText(key, 'each of keys')
}
