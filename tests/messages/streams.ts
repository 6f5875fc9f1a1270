import { Buffer } from 'node:buffer'
import { ReadableStream } from 'node:stream/web'

/** A stream of these bytes in chunks of `size`, all in the same memory, as a reader with one buffer would make it. */
export function streamOf(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0
  const shared = new Uint8Array(size)
  return new ReadableStream(
    {
      pull(controller) {
        const length = Math.min(size, bytes.byteLength - at)
        if (length === 0) return controller.close()
        shared.set(bytes.subarray(at, at + length))
        at += length
        controller.enqueue(shared.subarray(0, length))
      },
    },
    { highWaterMark: 0 },
  )
}

export async function collect(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}
