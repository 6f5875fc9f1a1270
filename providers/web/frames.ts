import { DecryptionError } from '../../src/errors.ts'
import {
  assertFrameNumber,
  FINAL_MARK,
  FINAL_OVERHEAD,
  FINAL_PREFIX,
  frameAad,
  putU32,
  REGULAR_OVERHEAD,
  REGULAR_PREFIX,
} from '../../src/messages/frame-layout.ts'
import { type Header, IV, TAG } from '../../src/messages/header.ts'
import type { BodyPart } from '../../src/messages/message-reader.ts'
import { type PlatformKey, subtle } from './subtle.ts'

/** The cipher of one message: a key that cannot be read, and the id that every frame authenticates. */
export interface FrameCipher {
  readonly key: PlatformKey
  readonly messageId: Uint8Array
}

/** The longest run of frames that is in work at once: the platform computes in threads of its own. */
export const IN_FLIGHT = 8

/** Encrypts one frame. @param seq as in `src/messages/frames.ts` @returns the whole frame */
export async function sealFrame(
  cipher: FrameCipher,
  kind: 'regular' | 'final',
  seq: number,
  plaintext: Uint8Array,
): Promise<Uint8Array> {
  assertFrameNumber(kind, seq)
  const isFinal = kind === 'final'
  const out = new Uint8Array(plaintext.byteLength + (isFinal ? FINAL_OVERHEAD : REGULAR_OVERHEAD))
  const ivAt = putU32(out, seq, isFinal ? putU32(out, FINAL_MARK, 0) : 0)
  putU32(out, seq, ivAt + IV - 4)
  if (isFinal) putU32(out, plaintext.byteLength, ivAt + IV)
  const algorithm = gcm(out.subarray(ivAt, ivAt + IV), aadOf(cipher, kind, seq, plaintext.byteLength))
  out.set(
    new Uint8Array(await subtle().encrypt(algorithm, cipher.key, plaintext)),
    isFinal ? FINAL_PREFIX : REGULAR_PREFIX,
  )
  return out
}

/** Decrypts one part; its bytes are copied before this returns. @throws DecryptionError when the tag is wrong */
export async function openFrame(cipher: FrameCipher, part: BodyPart): Promise<Uint8Array> {
  const { kind, seq, iv, ciphertext, tag } = part
  const sealed = new Uint8Array(ciphertext.byteLength + TAG)
  sealed.set(ciphertext)
  sealed.set(tag, ciphertext.byteLength)
  const algorithm = gcm(iv, aadOf(cipher, kind, seq, ciphertext.byteLength))
  try {
    return new Uint8Array(await subtle().decrypt(algorithm, cipher.key, sealed))
  } catch {
    throw new DecryptionError()
  }
}

/** The tag over a header: an empty plaintext, everything else authenticated. */
export async function headerTag(key: PlatformKey, iv: Uint8Array, authenticated: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await subtle().encrypt(gcm(iv, authenticated), key, NOTHING))
}

/** Verifies the tag of a header. @throws DecryptionError */
export async function assertHeaderTag(key: PlatformKey, header: Header, unstored: Uint8Array): Promise<void> {
  try {
    await subtle().decrypt(gcm(header.iv, concat([header.body, unstored])), key, header.tag)
  } catch {
    throw new DecryptionError()
  }
}

/** Everything, one behind the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((length, part) => length + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.byteLength
  }
  return out
}

const NOTHING = new Uint8Array(0)

function gcm(iv: Uint8Array, additionalData: Uint8Array) {
  return { name: 'AES-GCM', iv, additionalData, tagLength: TAG * 8 }
}

/** Memory of its own for each frame, because several are in work at once. */
function aadOf({ messageId }: FrameCipher, kind: BodyPart['kind'], seq: number, length: number): Uint8Array {
  return frameAad({ messageId, aad: {}, allocate: (size) => new Uint8Array(size) }, kind, seq, length)
}
