import { InvalidInputError } from '../errors.ts'

/**
 * How the length of a value is hidden. All sizes are bytes of the typed plaintext: the value and two bytes of framing.
 * `{ min }` rounds up to the PADMÉ length, at least `min` (the default, with 16); `{ fixed }` gives every value the same
 * length and refuses longer ones; `'none'` shows the exact length.
 */
export type Padding = { readonly min: number } | { readonly fixed: number } | 'none'

export const DEFAULT_PADDING: Padding = { min: 16 }
const MAX_CONFIGURED = 65_536
/** No padding goes beyond the largest value and its framing, so that every ciphertext stays within the reader's limit. */
const MAX_PADDED = 16 * 1024 * 1024 + 2

/** Refuses a padding that is not one of the three forms. @throws InvalidInputError */
export function assertPadding(padding: Padding): void {
  if (padding === 'none') return
  const size =
    typeof padding === 'object' && padding !== null ? ('fixed' in padding ? padding.fixed : padding.min) : NaN
  if (!Number.isInteger(size) || size < 2 || size > MAX_CONFIGURED) {
    throw new InvalidInputError(`padding must be 'none', { min } or { fixed } with 2 to ${MAX_CONFIGURED} bytes`)
  }
}

/**
 * The padded length for a typed plaintext of `length` bytes, its padding marker included.
 *
 * @throws InvalidInputError when a fixed length is too short for the value
 */
export function paddedLength(length: number, padding: Exclude<Padding, 'none'>): number {
  if ('fixed' in padding) {
    if (length > padding.fixed) {
      throw new InvalidInputError(
        `value needs ${length} bytes, more than this column's fixed length of ${padding.fixed}`,
      )
    }
    return padding.fixed
  }
  return Math.max(Math.min(padme(length), MAX_PADDED), padding.min)
}

/** Rounds up so that at most 12 % is added and only O(log log n) bits of the length show. PADMÉ, PETS 2019. */
function padme(length: number): number {
  const exponent = 31 - Math.clz32(length)
  const kept = 32 - Math.clz32(exponent)
  const unit = 2 ** (exponent - kept)
  return exponent <= kept ? length : Math.ceil(length / unit) * unit
}
