import { InvalidInputError } from '../errors.ts'
import { IV, TAG } from './header.ts'

/** Bytes around the ciphertext of a regular and of the final frame. */
export const REGULAR_OVERHEAD: number = 4 + IV + TAG
export const FINAL_OVERHEAD: number = 4 + 4 + IV + 4 + TAG
/** Where the ciphertext starts in a frame. */
export const REGULAR_PREFIX: number = 4 + IV
export const FINAL_PREFIX: number = 4 + 4 + IV + 4
/** Stands where a regular frame has its number. */
export const FINAL_MARK = 0xffffffff
/** The highest frame number: one more would repeat an initialisation vector. */
const MAX_FRAMES = 0xffffffff

/** Which of the three kinds of body part is authenticated. */
export type FrameKind = 'regular' | 'final' | 'whole'

/** What every frame of one message authenticates. */
export interface FrameAad {
  readonly messageId: Uint8Array
  /** Made when the first frame of the kind comes: most messages have one frame. */
  readonly aad: Partial<Record<FrameKind, Uint8Array>>
  /** Memory of so many bytes, which are written at once: Node has a pool for that. */
  readonly allocate: (length: number) => Uint8Array
}

/** How many frames hold this many bytes, the final one included. @throws InvalidInputError when there would be too many */
export function frameCount(bytes: number, frameLength: number): number {
  const count = Math.max(1, Math.ceil(bytes / frameLength))
  if (count > MAX_FRAMES) throw tooManyFrames()
  return count
}

/** Refuses a number that no frame of this kind can have. @throws InvalidInputError */
export function assertFrameNumber(kind: 'regular' | 'final', seq: number): void {
  if (seq < 1 || seq > MAX_FRAMES || (kind === 'regular' && seq === MAX_FRAMES)) throw tooManyFrames()
}

/** Message id, label, u32 number, u64 length of the plaintext; valid until the next call for the same kind. */
export function frameAad(message: FrameAad, kind: FrameKind, seq: number, length: number): Uint8Array {
  const { messageId } = message
  const label = LABELS[kind]
  const at = messageId.length + label.length
  let aad = message.aad[kind]
  if (aad === undefined) {
    aad = message.allocate(at + 12)
    aad.set(messageId)
    aad.set(label, messageId.length)
    message.aad[kind] = aad
  }
  putU32(aad, seq, at)
  putU32(aad, Math.floor(length / 0x1_0000_0000), at + 4)
  putU32(aad, length >>> 0, at + 8)
  return aad
}

/** Writes a number as four bytes. @returns where they end */
export function putU32(out: Uint8Array, value: number, at: number): number {
  out[at] = value >>> 24
  out[at + 1] = (value >>> 16) & 255
  out[at + 2] = (value >>> 8) & 255
  out[at + 3] = value & 255
  return at + 4
}

const UTF8 = new TextEncoder()

const LABELS: Readonly<Record<FrameKind, Uint8Array>> = {
  regular: UTF8.encode('AWSKMSEncryptionClient Frame'),
  final: UTF8.encode('AWSKMSEncryptionClient Final Frame'),
  whole: UTF8.encode('AWSKMSEncryptionClient Single Block'),
}

function tooManyFrames(): InvalidInputError {
  return new InvalidInputError('a message has at most 4,294,967,295 frames: choose longer frames')
}
