import { Buffer } from 'node:buffer'
import { assertText, describe } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'

/** Names and values that a ciphertext is bound to. They are authenticated, not secret: use opaque ids, no personal data. */
export type EncryptionContext = Readonly<Record<string, string>>

const MAX_PAIRS = 64
const MAX_BYTES = 8192
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
): [name: Buffer, value: Buffer][] {
  if (typeof context !== 'object' || context === null || Array.isArray(context)) {
    throw new InvalidInputError(`context must be an object of strings, received ${describe(context)}`)
  }
  const entries = context instanceof Map ? [...context] : Object.entries(context as EncryptionContext)
  if (entries.length > MAX_PAIRS) {
    throw new InvalidInputError(`context must have at most ${MAX_PAIRS} pairs, received ${entries.length}`)
  }
  const pairs = entries.map(([name, value]): [Buffer, Buffer] => {
    assertText(name, 'a context name')
    if (name === '') throw new InvalidInputError('a context name must not be empty')
    if (name.startsWith(RESERVED_PREFIX) && name !== PUBLIC_KEY_NAME) {
      throw new InvalidInputError(`a context name must not start with "${RESERVED_PREFIX}"`)
    }
    assertText(value, `context value ${JSON.stringify(name)}`)
    return [Buffer.from(name, 'utf8'), Buffer.from(value, 'utf8')]
  })
  return pairs.sort(([a], [b]) => Buffer.compare(a, b))
}

/**
 * The canonical encoding of a context, the same as in the AWS Encryption SDK: u16 count, then u16 length and bytes of
 * each name and value, sorted by name. An empty context is zero bytes. Specification section 2.
 *
 * @returns at most 8,192 bytes
 * @throws InvalidInputError as `contextPairs`, and when the encoding is longer
 */
export function encodeContext(context: EncryptionContext | ReadonlyMap<string, string>): Buffer {
  return encodePairs(contextPairs(context), MAX_BYTES)
}

/** Encodes pairs that are already checked and sorted. `maxBytes` bounds the result. @throws InvalidInputError */
export function encodePairs(pairs: readonly (readonly [Uint8Array, Uint8Array])[], maxBytes: number): Buffer {
  if (pairs.length === 0) return Buffer.alloc(0)
  let size = 2
  for (const [name, value] of pairs) size += 4 + name.byteLength + value.byteLength
  if (size > maxBytes) throw new InvalidInputError(`context must encode to at most ${maxBytes} bytes, received ${size}`)
  const out = Buffer.alloc(size)
  let at = out.writeUInt16BE(pairs.length, 0)
  for (const pair of pairs) {
    for (const part of pair) {
      at = out.writeUInt16BE(part.byteLength, at)
      out.set(part, at)
      at += part.byteLength
    }
  }
  return out
}
