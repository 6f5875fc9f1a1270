import { Buffer } from 'node:buffer'
import { assertBytes, assertCallback, assertMethods, assertObject, describe, wipe } from '../bytes.ts'
import { DecryptionError, InvalidInputError } from '../errors.ts'
import type { KmsProvider } from '../kms.ts'
import type { OpenedHeader } from './authenticate.ts'
import { FINAL_MARK, FINAL_OVERHEAD, FINAL_PREFIX, REGULAR_OVERHEAD, REGULAR_PREFIX } from './frame-layout.ts'
import { type FrameCipher, openFrame } from './frames.ts'
import { type Header, headerExtent, parseHeader, TAG } from './header.ts'
import { openHeader } from './open.ts'
import { type OpenOptions, planOpen, type ReadRecipients } from './open-plan.ts'
import { providerList } from './recipients.ts'

/** Anything that bytes can be read from at a position: a file, an object store, a buffer. */
export interface RangeSource {
  /** Bytes of the whole message. */
  readonly size: number
  /** Reads bytes. @param position of the first one, from 0 @returns `length` bytes; fewer count as the end of the message */
  read(position: number, length: number): Promise<Uint8Array>
  /** Reads the detached recipients that lie beside the message, when there are any. */
  readonly recipients?: ReadRecipients
}

/** Where the frames of a message lie, which follows from its size alone. */
export interface BodyLayout {
  /** Frames, the final one included. */
  readonly frames: number
  /** Bytes of plaintext in the final frame. */
  readonly lastLength: number
  /** Bytes of plaintext in all frames. */
  readonly plaintextLength: number
}

/**
 * Opens the plaintext from `start` up to but not including `end`, reading only the frames that hold it, and the final
 * frame, which proves that the message was not shortened.
 *
 * @param source a file by `fileSource`, an object in a store, or anything else that reads at a position
 * @param start bytes of plaintext before the range
 * @param end bytes of plaintext up to its end; beyond the plaintext means its end
 * @returns the bytes of the range
 * @throws InvalidInputError for a range that cannot be, and for a signed message: a signature covers the whole
 * @throws DecryptionError whatever is wrong with the message; KmsError
 */
export async function openRange(
  kms: KmsProvider | readonly KmsProvider[],
  source: RangeSource,
  start: number,
  end: number,
  options: OpenOptions = {},
): Promise<Buffer> {
  return openRangeAs(kms, source, start, end, options)
}

/** Refuses what bytes cannot be read from. @throws InvalidInputError */
export function assertSource(source: unknown): asserts source is RangeSource {
  assertMethods(source, ['read'], 'source')
  const { size, recipients } = source as unknown as RangeSource
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new InvalidInputError(`the size of a source must be a number of bytes, received ${describe(size)}`)
  }
  assertCallback(recipients, 'the recipients of a source')
}

/** `openRange` for an application with a name. */
export async function openRangeAs(
  kms: KmsProvider | readonly KmsProvider[],
  source: RangeSource,
  start: number,
  end: number,
  options: OpenOptions,
  application?: string,
): Promise<Buffer> {
  assertSource(source)
  assertObject(options, 'the options')
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new InvalidInputError(
      `a range must be whole numbers, 0 <= start <= end, received ${describe(start)} and ${describe(end)}`,
    )
  }
  const providers = providerList(kms)
  const plan = planOpen(options, application, async () => source.recipients?.())
  const header = parseHeader(await readHeader(source, plan.maxRecipients), plan)
  const opened = await openHeader(header, providers, plan)
  try {
    if (header.suite.signature !== undefined) {
      throw new InvalidInputError('a range of a signed message cannot be verified: open the whole message')
    }
    return await readFrames(source, header, opened, start, end)
  } finally {
    wipe(opened.cipher.key)
  }
}

/** @throws DecryptionError when no framed message has this size */
export function bodyLayout(bodyLength: number, frameLength: number): BodyLayout {
  const regular = frameLength + REGULAR_OVERHEAD
  const before = Math.floor((bodyLength - FINAL_OVERHEAD) / regular)
  const lastLength = bodyLength - FINAL_OVERHEAD - before * regular
  if (bodyLength < FINAL_OVERHEAD || lastLength > frameLength) throw new DecryptionError()
  return { frames: before + 1, lastLength, plaintextLength: before * frameLength + lastLength }
}

/** Reads exactly the header, in as few reads as its length allows. @throws DecryptionError */
export async function readHeader(source: RangeSource, maxRecipients: number): Promise<Buffer> {
  let bytes = await readExactly(source, 0, Math.min(FIRST_READ, source.size))
  for (;;) {
    const extent = headerExtent(bytes, maxRecipients)
    if (extent <= bytes.length) return bytes.subarray(0, extent)
    if (extent > source.size) throw new DecryptionError()
    bytes = await readExactly(source, 0, Math.min(source.size, extent + FIRST_READ))
  }
}

const FIRST_READ = 4096
const READ_AHEAD = 1024 * 1024

async function readFrames(
  source: RangeSource,
  header: Header,
  opened: OpenedHeader,
  start: number,
  end: number,
): Promise<Buffer> {
  if (!header.framed) throw new InvalidInputError('a message without frames has no ranges: open the whole message')
  const { frameLength } = header
  const { frames, lastLength, plaintextLength } = bodyLayout(source.size - header.length, frameLength)
  const until = Math.min(end, plaintextLength)
  const from = Math.min(start, until)
  const lastAt = header.length + (frames - 1) * (frameLength + REGULAR_OVERHEAD)
  const last = openFinal(opened.cipher, frames, await readExactly(source, lastAt, FINAL_OVERHEAD + lastLength))
  const out = Buffer.alloc(until - from)
  const put = (frame: Buffer, frameStart: number): void => {
    const skip = Math.max(0, from - frameStart)
    frame.copy(out, frameStart + skip - from, skip, Math.min(frame.length, until - frameStart))
    frame.fill(0)
  }
  const stop = Math.min(frames, Math.ceil(until / frameLength) + 1)
  const perRead = Math.max(1, Math.floor(READ_AHEAD / (frameLength + REGULAR_OVERHEAD)))
  let seq = from === until ? stop : Math.floor(from / frameLength) + 1
  while (seq < stop) {
    const count = Math.min(perRead, stop - seq)
    const at = header.length + (seq - 1) * (frameLength + REGULAR_OVERHEAD)
    const bytes = await readExactly(source, at, count * (frameLength + REGULAR_OVERHEAD))
    for (let i = 0; i < count; i++, seq++) {
      put(
        openRegular(opened.cipher, seq, bytes.subarray(i * (frameLength + REGULAR_OVERHEAD)), frameLength),
        (seq - 1) * frameLength,
      )
    }
  }
  if (until > (frames - 1) * frameLength && until > from) put(last, (frames - 1) * frameLength)
  return out
}

/** Opens the regular frame at the start of `bytes`. @throws DecryptionError */
export function openRegular(cipher: FrameCipher, seq: number, bytes: Buffer, frameLength: number): Buffer {
  const tagAt = REGULAR_PREFIX + frameLength
  const iv = bytes.subarray(4, REGULAR_PREFIX)
  const frame =
    bytes.length >= tagAt + TAG && bytes.readUInt32BE(0) === seq
      ? openFrame(cipher, 'regular', seq, iv, bytes.subarray(REGULAR_PREFIX, tagAt), bytes.subarray(tagAt, tagAt + TAG))
      : undefined
  if (frame === undefined) throw new DecryptionError()
  return frame
}

/** Opens the final frame, which `bytes` hold exactly. @throws DecryptionError */
export function openFinal(cipher: FrameCipher, seq: number, bytes: Buffer): Buffer {
  const tagAt = bytes.length - TAG
  const isFinal =
    bytes.length >= FINAL_OVERHEAD &&
    bytes.readUInt32BE(0) === FINAL_MARK &&
    bytes.readUInt32BE(4) === seq &&
    bytes.readUInt32BE(FINAL_PREFIX - 4) === tagAt - FINAL_PREFIX
  const iv = bytes.subarray(8, FINAL_PREFIX - 4)
  const frame = isFinal
    ? openFrame(cipher, 'final', seq, iv, bytes.subarray(FINAL_PREFIX, tagAt), bytes.subarray(tagAt))
    : undefined
  if (frame === undefined) throw new DecryptionError()
  return frame
}

async function readExactly(source: RangeSource, position: number, length: number): Promise<Buffer> {
  const bytes = await source.read(position, length)
  assertBytes(bytes, 'what the source read')
  if (bytes.byteLength !== length) throw new DecryptionError()
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
