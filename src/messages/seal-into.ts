import type { FileHandle } from 'node:fs/promises'
import { wipe } from '../bytes.ts'
import { copyThrough, READ, TwoBuffers } from './file-copy.ts'
import { REGULAR_OVERHEAD } from './frame-layout.ts'
import type { StartedMessage } from './seal.ts'
import { FrameSealer } from './seal-frames.ts'
import type { Progress, StreamEvents } from './stream.ts'
import { sealWithThreads } from './threads.ts'

/** Seals an open file of known size into another, and wipes the key of the message. */
export async function sealInto(
  input: FileHandle,
  output: FileHandle,
  size: number,
  message: StartedMessage,
  threads: number,
  options: StreamEvents & { readonly signal?: AbortSignal },
): Promise<Progress> {
  const { frameLength, header, cipher } = message
  try {
    if (threads > 1) return await sealWithThreads(input, output, size, message, threads, options)
    const sealer = new FrameSealer(message)
    const memory = new TwoBuffers(READ + frameLength + (READ / frameLength + 1) * REGULAR_OVERHEAD)
    const onBytes = (read: number) => options.onProgress?.({ bytes: read, frames: sealer.frames })
    await output.write(header)
    const bytes = await copyThrough(input, output, { position: 0, signal: options.signal, onBytes }, (chunk, emit) =>
      emit(sealer.push(chunk, memory.next())),
    )
    await output.write(sealer.end())
    const progress = { bytes, frames: sealer.frames }
    options.onProgress?.(progress)
    return progress
  } finally {
    wipe(cipher.key)
  }
}
