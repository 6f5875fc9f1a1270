import { Buffer } from 'node:buffer'
import { parseBase64url } from '../base64url.ts'
import { asBuffer, Scratch } from '../bytes.ts'
import { labels } from '../crypto/kdf.ts'
import { NONCE_LENGTH, TAG_LENGTH } from '../crypto/xaes.ts'
import { MAX_VALUE_BYTES } from './typed-value.ts'

/*
 * The field ciphertext, specification section 3:
 *
 *   F9 · key id (16) · nonce (24) · ciphertext (n) · tag (16)
 *
 * and its text form: base64url of the three bytes that read `sr1_`, then all of the above.
 */
export const FIELD_FORMAT = 0xf9
const KEY_ID_LENGTH = 16
export const HEADER_LENGTH = 1 + KEY_ID_LENGTH
/** Bytes that a field ciphertext adds to its typed plaintext. */
export const FIELD_OVERHEAD = HEADER_LENGTH + NONCE_LENGTH + TAG_LENGTH
export const TEXT_PREFIX = 'sr1_'
/** `sr1_` is itself base64url of three bytes: with these in front, prefix and ciphertext are encoded in one go. */
export const TEXT_PREFIX_BYTES = Buffer.from(TEXT_PREFIX, 'base64url')

const MIN_LENGTH = FIELD_OVERHEAD + 1
const MAX_LENGTH = MAX_VALUE_BYTES + 1024
const MAX_TEXT_LENGTH = Math.ceil((MAX_LENGTH * 4) / 3) + TEXT_PREFIX.length

/** What is authenticated besides the plaintext: label, zero byte, header, encoded context. Specification section 3.3. */
export const AAD_LABEL = Buffer.from(`${labels.fieldContext}\0`, 'latin1')
export const AAD_CONTEXT_AT = AAD_LABEL.byteLength + HEADER_LENGTH

/**
 * Reads the text or binary form of a field ciphertext, strictly.
 *
 * @returns the binary form, or undefined when the value is not a field ciphertext. Its memory is the caller's, or is
 *   used again by the next call: read it at once
 */
export function parseField(value: unknown): Buffer | undefined {
  const bytes = typeof value === 'string' ? parseText(value) : value instanceof Uint8Array ? asBuffer(value) : undefined
  if (bytes === undefined || bytes[0] !== FIELD_FORMAT) return undefined
  return bytes.byteLength >= MIN_LENGTH && bytes.byteLength <= MAX_LENGTH ? bytes : undefined
}

/**
 * Whether a value has the form of a field ciphertext from its first character to its last: what `parseField` takes, without
 * its bytes.
 */
export function isField(value: unknown): boolean {
  if (typeof value !== 'string') return parseField(value) !== undefined
  const length = Math.floor((value.length * 3) / 4) - TEXT_PREFIX_BYTES.byteLength
  return length >= MIN_LENGTH && length <= MAX_LENGTH && FIELD_TEXT.test(value) && endsClean(value)
}

/** Whether a value begins like a field ciphertext, in text or binary form. It may still not be one. */
export function looksEncrypted(value: unknown): boolean {
  if (typeof value === 'string') return value.startsWith(TEXT_PREFIX)
  return value instanceof Uint8Array && value[0] === FIELD_FORMAT
}

/** The id of the key that a parsed field ciphertext names, as 32 hexadecimal characters. */
export function keyIdOf(field: Buffer): string {
  return field.toString('hex', 1, HEADER_LENGTH)
}

/** Characters of the text form that hold the key id, and its last bits. */
export const TEXT_HEAD_LENGTH = Math.ceil(((TEXT_PREFIX_BYTES.byteLength + HEADER_LENGTH) * 4) / 3)

/**
 * The id of the key that a value names which begins like this.
 *
 * @param head the first `TEXT_HEAD_LENGTH` characters, or `HEADER_LENGTH` bytes, of a stored value
 * @returns undefined when no field ciphertext begins like this
 */
export function keyIdOfHead(head: string | Uint8Array): string | undefined {
  if (typeof head !== 'string') {
    return head.byteLength === HEADER_LENGTH && head[0] === FIELD_FORMAT ? keyIdOf(asBuffer(head)) : undefined
  }
  if (head.length !== TEXT_HEAD_LENGTH || !head.startsWith(TEXT_PREFIX) || !BASE64URL.test(head)) return undefined
  const bytes = Buffer.from(head.slice(TEXT_PREFIX.length), 'base64url')
  return bytes.byteLength >= HEADER_LENGTH && bytes[0] === FIELD_FORMAT ? keyIdOf(bytes) : undefined
}

const BASE64URL = /^[A-Za-z0-9_-]+$/
/** The prefix, the byte of the format, which ends in the next character, and the rest. */
const FIELD_TEXT = /^sr1_-[Q-Za-f][A-Za-z0-9_-]+$/

const SCRATCH_SIZE = 16_384
const decoded = Buffer.alloc(SCRATCH_SIZE)
const field = new Scratch(decoded.subarray(TEXT_PREFIX_BYTES.byteLength))

/** Whether the bits of the last character that belong to no byte are zero. RFC 4648 section 3.5. */
function endsClean(text: string): boolean {
  const rest = text.length & 3
  if (rest === 0) return true
  const last = ALPHABET.indexOf(text[text.length - 1] as string)
  return rest === 2 ? (last & 15) === 0 : rest === 3 && (last & 3) === 0
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

function parseText(text: string): Buffer | undefined {
  if (text.length > MAX_TEXT_LENGTH || !text.startsWith(TEXT_PREFIX)) return undefined
  if (text.length > SCRATCH_SIZE) return parseBase64url(text)?.subarray(TEXT_PREFIX_BYTES.byteLength)
  // Strict in the same way as parseBase64url, at half its cost: no other alphabet, and no bits behind the last byte.
  if (!BASE64URL.test(text) || !endsClean(text)) return undefined
  const length = decoded.write(text, 'base64url')
  return field.view(length - TEXT_PREFIX_BYTES.byteLength)
}
