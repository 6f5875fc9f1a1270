import { assertObject, assertText } from '../checks.ts'
import { InvalidInputError } from '../errors.ts'

/** Names and values that a ciphertext is bound to. They are authenticated, not secret: use opaque ids, no personal data. */
export type EncryptionContext = Readonly<Record<string, string>>

/** Most bytes of an encoded context, the limit of AWS KMS. */
export const MAX_CONTEXT = 8192
const MAX_PAIRS = 64
const RESERVED_PREFIX = 'aws-crypto-'

/**
 * The one reserved name that a context may carry: sealed messages with a signature keep their verification key there,
 * and providers bind it like any other pair. Callers of `seal` may not set it.
 */
export const PUBLIC_KEY_NAME = 'aws-crypto-public-key'

/**
 * Checks a context and returns its pairs sorted by the UTF-8 bytes of their names.
 *
 * @param context own enumerable string properties, or a Map; at most 64 pairs
 * @throws InvalidInputError on another type, an empty name, a lone surrogate, a name that starts with `aws-crypto-`
 *   (but for `PUBLIC_KEY_NAME`)
 */
export function contextPairs(
  context: EncryptionContext | ReadonlyMap<string, string>,
): [name: Uint8Array, value: Uint8Array][] {
  if (!(context instanceof Map)) assertObject(context, 'context')
  const entries = context instanceof Map ? [...context] : Object.entries(context as EncryptionContext)
  if (entries.length > MAX_PAIRS) {
    throw new InvalidInputError(`context must have at most ${MAX_PAIRS} pairs, received ${entries.length}`)
  }
  const pairs = entries.map(([name, value]): [Uint8Array, Uint8Array] => {
    assertText(name, 'a context name')
    if (name === '') throw new InvalidInputError('a context name must not be empty')
    if (name.startsWith(RESERVED_PREFIX) && name !== PUBLIC_KEY_NAME) {
      throw new InvalidInputError(`a context name must not start with "${RESERVED_PREFIX}"`)
    }
    assertText(value, `context value ${JSON.stringify(name)}`)
    return [UTF8.encode(name), UTF8.encode(value)]
  })
  return sortPairs(pairs)
}

/** Sorts pairs, in place, by the bytes of their names. */
export function sortPairs<Pair extends readonly [Uint8Array, Uint8Array]>(pairs: Pair[]): Pair[] {
  return pairs.length < 2 ? pairs : pairs.sort(([a], [b]) => compareBytes(a, b))
}

/** Encodes pairs that are already checked and sorted. `maxBytes` bounds the result. @throws InvalidInputError */
export function encodePairs(pairs: readonly (readonly [Uint8Array, Uint8Array])[], maxBytes: number): Uint8Array {
  if (pairs.length === 0) return new Uint8Array(0)
  let size = 2
  for (const [name, value] of pairs) size += 4 + name.byteLength + value.byteLength
  if (size > maxBytes) throw new InvalidInputError(`context must encode to at most ${maxBytes} bytes, received ${size}`)
  const out = new Uint8Array(size)
  const u16 = (value: number, at: number): number => {
    out[at] = value >> 8
    out[at + 1] = value & 255
    return at + 2
  }
  let at = u16(pairs.length, 0)
  for (const pair of pairs) {
    for (const part of pair) {
      at = u16(part.byteLength, at)
      out.set(part, at)
      at += part.byteLength
    }
  }
  return out
}

const UTF8 = new TextEncoder()

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
