import { DecryptionError } from '../errors.ts'
import { Reader, u16At, utf8 } from './reader.ts'
import { type Suite, suites } from './suites.ts'

/** Most bytes of a header; a stream that claims more is refused before they are gathered. */
export const MAX_HEADER = 1024 * 1024
/** Bytes of the message id that version 2 writes; it salts the key derivation. */
export const MESSAGE_ID = 32
/** Bytes of a commitment in a version 2 header. */
export const COMMITMENT = 32
export const IV = 12
export const TAG = 16
/** Content types. Only framed is written. */
const FRAMED = 2
const UNFRAMED = 1

/** One encrypted data key as it stands in a header. */
export interface EncryptedDataKey {
  readonly provider: string
  readonly info: Uint8Array
  readonly ciphertext: Uint8Array
}

/** A header as its bytes say; nothing in it is trusted until its tag is checked. */
export interface Header {
  readonly suite: Suite
  readonly messageId: Uint8Array
  /** Pairs in the order in which they stand, names unique. */
  readonly context: ReadonlyMap<string, string>
  readonly recipients: readonly EncryptedDataKey[]
  readonly framed: boolean
  /** Bytes of plaintext in every frame but the last; 0 when not framed. */
  readonly frameLength: number
  /** Empty in version 1. */
  readonly commitment: Uint8Array
  /** Context and recipients as they stand: what decides which data key opens the message. */
  readonly keyMaterial: Uint8Array
  /** What the header tag authenticates. */
  readonly body: Uint8Array
  readonly iv: Uint8Array
  readonly tag: Uint8Array
  /** Bytes of the whole header, tag included: where the first frame starts. */
  readonly length: number
}

/** What a reader accepts before it has a key. */
export interface HeaderLimits {
  readonly maxRecipients: number
  readonly maxFrameLength: number
}

/**
 * How many bytes must be there to read on: walks over the lengths without touching what lies between them, so that a
 * stream can gather a header without reading it again and again.
 *
 * @returns the length of the header when `bytes` hold all of it, more than `bytes` have otherwise
 * @throws DecryptionError when no header can start like this
 */
export function headerExtent(bytes: Uint8Array, maxRecipients: number): number {
  if (bytes.length < 4) return 4
  const version = bytes[0]
  if (version !== 1 && version !== 2) throw new DecryptionError()
  const contextAt = version === 1 ? 4 + 16 : 3 + MESSAGE_ID
  if (bytes.length < contextAt + 2) return contextAt + 2
  let at = contextAt + 2 + u16At(bytes, contextAt)
  if (bytes.length < at + 2) return at + 2
  const count = u16At(bytes, at)
  if (count < 1 || count > maxRecipients) throw new DecryptionError()
  at += 2
  for (let field = 0; field < count * 3; field++) {
    if (at > MAX_HEADER) throw new DecryptionError()
    if (bytes.length < at + 2) return at + 2
    at += 2 + u16At(bytes, at)
  }
  const end = at + (version === 1 ? 1 + 4 + 1 + 4 + IV + TAG : 1 + 4 + COMMITMENT + TAG)
  if (end > MAX_HEADER) throw new DecryptionError()
  return end
}

/**
 * Reads the header at the start of `message`. Specification, section 3.
 *
 * @returns views into `message`, not copies
 * @throws DecryptionError for anything that is not exactly a header within `limits`
 */
export function parseHeader(message: Uint8Array, limits: HeaderLimits): Header {
  const length = headerExtent(message, limits.maxRecipients)
  if (length > message.length) throw new DecryptionError()
  const reader = new Reader(message)
  const version = reader.u8()
  if (version === 1 && reader.u8() !== CUSTOMER_DATA) throw new DecryptionError()
  const suite = suites.get(reader.u16())
  if (suite === undefined || suite.version !== version) throw new DecryptionError()
  const messageId = reader.take(version === 1 ? 16 : MESSAGE_ID)
  const materialAt = reader.at
  const context = parseContext(reader.sized())
  const recipients: EncryptedDataKey[] = []
  for (let count = reader.u16(); count > 0; count--) {
    recipients.push({ provider: utf8(reader.sized()), info: reader.sized(), ciphertext: reader.sized() })
  }
  const keyMaterial = message.subarray(materialAt, reader.at)
  const contentType = reader.u8()
  if (contentType !== FRAMED && contentType !== UNFRAMED) throw new DecryptionError()
  if (version === 1 && (reader.u32() !== 0 || reader.u8() !== IV)) throw new DecryptionError()
  const frameLength = reader.u32()
  const framed = contentType === FRAMED
  if (framed ? frameLength < 1 || frameLength > limits.maxFrameLength : frameLength !== 0) throw new DecryptionError()
  const commitment = reader.take(version === 1 ? 0 : COMMITMENT)
  const body = message.subarray(0, reader.at)
  const iv = version === 1 ? reader.take(IV) : ZERO_IV
  const tag = reader.take(TAG)
  return { suite, messageId, context, recipients, keyMaterial, framed, frameLength, commitment, body, iv, tag, length }
}

/** The initialisation vector of a version 2 header tag; it is used once, because the key is derived for this message alone. */
export const ZERO_IV: Uint8Array = new Uint8Array(IV)

/**
 * Encodes a version 2 header up to its tag, with zeros for message id and commitment, which change with every message
 * while the rest can be kept: the id stands at byte 3, the commitment in the last 32 bytes.
 *
 * @param context encoded pairs, zero bytes when there are none
 */
export function encodeHeader(
  suite: number,
  context: Uint8Array,
  recipients: readonly { readonly provider: string; readonly info: Uint8Array; readonly ciphertext: Uint8Array }[],
  frameLength: number,
): Uint8Array {
  const text = new TextEncoder()
  const u16 = (value: number) => [value >> 8, value & 255]
  const sized = (bytes: Uint8Array) => [u16(bytes.byteLength), bytes]
  const parts = [
    [2],
    u16(suite),
    new Uint8Array(MESSAGE_ID),
    ...sized(context),
    u16(recipients.length),
    ...recipients.flatMap(({ provider, info, ciphertext }) => [
      ...sized(text.encode(provider)),
      ...sized(info),
      ...sized(ciphertext),
    ]),
    [FRAMED],
    [frameLength >>> 24, (frameLength >> 16) & 255, (frameLength >> 8) & 255, frameLength & 255],
    new Uint8Array(COMMITMENT),
  ]
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

const CUSTOMER_DATA = 0x80

function parseContext(bytes: Uint8Array): Map<string, string> {
  const context = new Map<string, string>()
  if (bytes.length === 0) return context
  const reader = new Reader(bytes)
  const count = reader.u16()
  if (count === 0) throw new DecryptionError()
  for (let i = 0; i < count; i++) {
    const name = utf8(reader.sized())
    if (context.has(name)) throw new DecryptionError()
    context.set(name, utf8(reader.sized()))
  }
  if (reader.at !== bytes.length) throw new DecryptionError()
  return context
}
