import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import type { Readable, Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { assertAbsent } from '../messages/replace-file.ts'
import { MESSAGE_START, replaceMessage } from '../messages/replace-message.ts'
import { CommandError } from './output.ts'

/** Passes a stream to stdout, which stays open, at the pace of whoever reads it. */
export async function pipeOut(source: Readable, through: Transform, stdout: Writable): Promise<void> {
  let gone = false
  try {
    await pipeline(source, through, async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        if (stdout.write(chunk)) continue
        await once(stdout, 'drain').catch((error: Error) => {
          gone = true
          throw error
        })
      }
    })
  } catch (error) {
    // The pipeline itself would only say that it was aborted.
    if (gone) throw new CommandError('whoever reads the output went away')
    throw error
  }
}

/** Passes a stream into a new file, which only its owner may read and which appears when the stream ended well. */
export async function pipeToFile(source: Readable, through: Transform, path: string, force: boolean): Promise<void> {
  await assertAbsent(path, force)
  let start = Buffer.alloc(0)
  async function* watched(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      if (start.length < MESSAGE_START) start = Buffer.concat([start, chunk]).subarray(0, MESSAGE_START)
      yield chunk
    }
  }
  await replaceMessage(
    path,
    0o600,
    { force },
    async () => start,
    (file) =>
      pipeline(source, watched, through, async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) await file.writeFile(chunk)
      }),
  )
}
