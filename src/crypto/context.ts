import type { Buffer } from 'node:buffer'
import { asBuffer } from '../bytes.ts'
import { contextPairs, type EncryptionContext, encodePairs, MAX_CONTEXT } from './context-pairs.ts'

export type { EncryptionContext } from './context-pairs.ts'

/**
 * The canonical encoding of a context, the same as in the AWS Encryption SDK: u16 count, then u16 length and bytes of
 * each name and value, sorted by name. An empty context is zero bytes. Specification section 2.
 *
 * @returns at most 8,192 bytes
 * @throws InvalidInputError as `contextPairs`, and when the encoding is longer
 */
export function encodeContext(context: EncryptionContext | ReadonlyMap<string, string>): Buffer {
  return asBuffer(encodePairs(contextPairs(context), MAX_CONTEXT))
}
