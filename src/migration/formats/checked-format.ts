import { assertBytes, assertText } from '../../bytes.ts'
import type { OldFormat } from '../old-format.ts'

/** Has a format refuse what is no stored text and no plaintext with InvalidInputError, before any work. */
export function checkedFormat({ name, open, seal }: OldFormat): OldFormat {
  return {
    name,
    open(stored) {
      assertText(stored, 'a stored value')
      return open(stored)
    },
    seal(plaintext) {
      if (typeof plaintext === 'string') assertText(plaintext, 'plaintext')
      else assertBytes(plaintext, 'plaintext')
      return seal(plaintext)
    },
  }
}
