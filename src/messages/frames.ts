import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { InvalidInputError } from '../errors.ts'
import { IV, TAG } from './header.ts'
import type { Suite } from './suites.ts'

/** Bytes around the ciphertext of a regular and of the final frame. */
export const REGULAR_OVERHEAD: number = 4 + IV + TAG
export const FINAL_OVERHEAD: number = 4 + 4 + IV + 4 + TAG
/** Where the ciphertext starts in a frame. */
export const REGULAR_PREFIX: number = 4 + IV
export const FINAL_PREFIX: number = 4 + 4 + IV + 4
/** Stands where a regular frame has its number. */
export const FINAL_MARK = 0xffffffff
/** The highest frame number: one more would repeat an initialisation vector. */
export const MAX_FRAMES = 0xffffffff

/** Which of the three kinds of body part is authenticated. */
export type FrameKind = 'regular' | 'final' | 'whole'

/** The cipher of one message: a key, and what every frame of it authenticates. */
export interface FrameCipher {
  readonly suite: Suite
  readonly key: Buffer
  readonly messageId: Buffer
  /** Made when the first frame of the kind comes: most messages have one frame. */
  readonly aad: Partial<Record<FrameKind, Buffer>>
}

/** Prepares the cipher of a message. Specification, section 5. */
export function frameCipher(suite: Suite, key: Buffer, messageId: Buffer): FrameCipher {
  return { suite, key, messageId, aad: {} }
}

/**
 * Encrypts one frame and writes all of it to `out`.
 *
 * @param seq 1, 2, 3, …; it is also the initialisation vector, so no number may be used twice
 * @returns where the frame ends in `out`
 */
export function sealFrame(
  cipher: FrameCipher,
  kind: 'regular' | 'final',
  seq: number,
  plaintext: Uint8Array,
  out: Buffer,
  at: number,
): number {
  if (seq < 1 || seq > MAX_FRAMES || (kind === 'regular' && seq === MAX_FRAMES)) {
    throw new InvalidInputError('a message has at most 4,294,967,295 frames: choose longer frames')
  }
  let next = kind === 'final' ? out.writeUInt32BE(FINAL_MARK, at) : at
  next = out.writeUInt32BE(seq, next)
  const iv = out.subarray(next, next + IV)
  iv.fill(0, 0, 8)
  iv.writeUInt32BE(seq, 8)
  next += IV
  if (kind === 'final') next = out.writeUInt32BE(plaintext.byteLength, next)
  const gcm = gcmCipher(cipher.suite.cipher, cipher.key, iv)
  gcm.setAAD(frameAad(cipher, kind, seq, plaintext.byteLength))
  if (plaintext.byteLength > 0) next += gcm.update(plaintext).copy(out, next)
  gcm.final()
  return next + gcm.getAuthTag().copy(out, next)
}

/**
 * Decrypts one frame; its bytes are released only when its tag is right.
 *
 * @param iv as it stands in the frame: other writers choose their own
 * @returns undefined when the tag is wrong
 */
export function openFrame(
  cipher: FrameCipher,
  kind: FrameKind,
  seq: number,
  iv: Uint8Array,
  ciphertext: Uint8Array,
  tag: Uint8Array,
): Buffer | undefined {
  const gcm = gcmDecipher(cipher.suite.cipher, cipher.key, iv)
  gcm.setAAD(frameAad(cipher, kind, seq, ciphertext.byteLength))
  gcm.setAuthTag(tag)
  const plaintext = gcm.update(ciphertext)
  try {
    gcm.final()
  } catch {
    plaintext.fill(0)
    return undefined
  }
  return plaintext
}

/** The tag over a header: an empty plaintext, everything else authenticated. */
export function headerTag(
  suite: Suite,
  key: Uint8Array,
  iv: Uint8Array,
  ...authenticated: readonly Uint8Array[]
): Buffer {
  const gcm = gcmCipher(suite.cipher, key, iv)
  gcm.setAAD(authenticated.length === 1 ? (authenticated[0] as Uint8Array) : Buffer.concat(authenticated))
  gcm.final()
  return gcm.getAuthTag()
}

const TAG_OPTION = { authTagLength: TAG } as const

const LABELS: Readonly<Record<FrameKind, Buffer>> = {
  regular: Buffer.from('AWSKMSEncryptionClient Frame', 'latin1'),
  final: Buffer.from('AWSKMSEncryptionClient Final Frame', 'latin1'),
  whole: Buffer.from('AWSKMSEncryptionClient Single Block', 'latin1'),
}

/** Message id, label, u32 number, u64 length of the plaintext. */
export function frameAad(cipher: FrameCipher, kind: FrameKind, seq: number, length: number): Buffer {
  const { messageId } = cipher
  const label = LABELS[kind]
  const at = messageId.length + label.length
  let aad = cipher.aad[kind]
  if (aad === undefined) {
    aad = Buffer.allocUnsafe(at + 12)
    messageId.copy(aad)
    label.copy(aad, messageId.length)
    cipher.aad[kind] = aad
  }
  aad.writeUInt32BE(seq, at)
  aad.writeUInt32BE(Math.floor(length / 0x1_0000_0000), at + 4)
  aad.writeUInt32BE(length >>> 0, at + 8)
  return aad
}

function gcmCipher(name: Suite['cipher'], key: Uint8Array, iv: Uint8Array) {
  return createCipheriv(name, key, iv, TAG_OPTION)
}

function gcmDecipher(name: Suite['cipher'], key: Uint8Array, iv: Uint8Array) {
  return createDecipheriv(name, key, iv, TAG_OPTION)
}
