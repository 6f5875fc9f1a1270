import { Buffer } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'

/** Bytes per read: the size of reads decides the speed more than the cipher does. */
export const READ = 1024 * 1024

/** Memory for what `work` emits, by turns: one piece is being written while the next is made, and never a third. */
export class TwoBuffers {
  readonly #buffers: readonly [Buffer, Buffer]
  #turn = 0

  constructor(length: number) {
    this.#buffers = [Buffer.allocUnsafeSlow(Math.ceil(length)), Buffer.allocUnsafeSlow(Math.ceil(length))]
  }

  /** The one that was not handed out last. */
  next(): Buffer {
    this.#turn ^= 1
    return this.#buffers[this.#turn] as Buffer
  }
}

export interface CopyOptions {
  /** Where in the input to start. */
  readonly position: number
  readonly signal: AbortSignal | undefined
  /** Called after every read with the bytes read so far. */
  readonly onBytes?: (read: number) => void
}

/**
 * Reads a file to its end, hands each chunk to `work`, and writes what that emits. The next read and the last write go
 * on while `work` runs, so disk and cipher wait for each other as little as they can; memory is two chunks and what
 * `work` keeps.
 *
 * @returns bytes read
 */
export async function copyThrough(
  input: FileHandle,
  output: FileHandle | undefined,
  { position, signal, onBytes }: CopyOptions,
  work: (chunk: Buffer, emit: (bytes: Buffer | undefined) => void) => void,
): Promise<number> {
  let [chunk, other] = [Buffer.allocUnsafeSlow(READ), Buffer.allocUnsafeSlow(READ)]
  let at = position
  let reading = input.read(chunk, 0, READ, at)
  let writing: Promise<unknown> = Promise.resolve()
  try {
    for (;;) {
      signal?.throwIfAborted()
      const { bytesRead } = await reading
      if (bytesRead === 0) break
      at += bytesRead
      reading = input.read(other, 0, READ, at)
      const parts: Buffer[] = []
      work(chunk.subarray(0, bytesRead), (bytes) => bytes !== undefined && bytes.length > 0 && parts.push(bytes))
      await writing
      if (output !== undefined && parts.length > 0) writing = writeAll(output, parts)
      onBytes?.(at - position)
      ;[chunk, other] = [other, chunk]
    }
    await writing
    return at - position
  } finally {
    // Neither may outlive the buffers and the file.
    await Promise.allSettled([reading, writing])
    chunk.fill(0)
    other.fill(0)
  }
}

async function writeAll(output: FileHandle, parts: readonly Buffer[]): Promise<void> {
  let rest = parts
  for (;;) {
    let { bytesWritten } = await output.writev(rest as Buffer[])
    let whole = 0
    while (whole < rest.length && bytesWritten >= (rest[whole] as Buffer).length)
      bytesWritten -= (rest[whole++] as Buffer).length
    if (whole === rest.length) return
    rest = [(rest[whole] as Buffer).subarray(bytesWritten), ...rest.slice(whole + 1)]
  }
}
