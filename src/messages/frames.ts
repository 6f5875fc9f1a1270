import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { assertFrameNumber, FINAL_MARK, type FrameAad, type FrameKind, frameAad } from './frame-layout.ts'
import { IV, TAG } from './header.ts'
import type { Suite } from './suites.ts'

/** The cipher of one message: a key, and what every frame of it authenticates. */
export interface FrameCipher extends FrameAad {
  readonly suite: Suite
  readonly key: Buffer
}

/** Prepares the cipher of a message. Specification, section 5. */
export function frameCipher(suite: Suite, key: Buffer, messageId: Uint8Array): FrameCipher {
  return { suite, key, messageId, aad: {}, allocate: Buffer.allocUnsafe }
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
  assertFrameNumber(kind, seq)
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

function gcmCipher(name: Suite['cipher'], key: Uint8Array, iv: Uint8Array) {
  return createCipheriv(name, key, iv, TAG_OPTION)
}

function gcmDecipher(name: Suite['cipher'], key: Uint8Array, iv: Uint8Array) {
  return createDecipheriv(name, key, iv, TAG_OPTION)
}
