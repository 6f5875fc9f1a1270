import { Buffer } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'

const NEWLINE = 0x0a
const CHUNK = 1024 * 1024
const TAIL = 64 * 1024

/**
 * Whole lines of a file of text, without what ends them.
 *
 * @param from where a line begins
 * @param skip how many lines to pass over before the first
 * @returns at most `limit` lines, and where the line behind them begins
 */
export async function wholeLines(
  file: FileHandle,
  from: number,
  skip: number,
  limit: number,
): Promise<{ lines: string[]; end: number }> {
  const { size } = await file.stat()
  const lines: string[] = []
  let end = from
  let unfinished: Buffer = Buffer.alloc(0)
  for (let at = from; at < size && lines.length < limit; ) {
    const chunk = await readAt(file, at, Math.min(CHUNK, size - at))
    if (chunk.byteLength === 0) break // cut off meanwhile
    at += chunk.byteLength
    const bytes = Buffer.concat([unfinished, chunk])
    let start = 0
    while (lines.length < limit) {
      const newline = bytes.indexOf(NEWLINE, start)
      if (newline < 0) break
      if (skip > 0) skip--
      else lines.push(bytes.toString('utf8', start, newline))
      start = newline + 1
    }
    end += start
    unfinished = bytes.subarray(start)
  }
  return { lines, end }
}

/** The last whole line of a file, undefined when it has none, and how many bytes the whole lines are. */
export async function lastLine(file: FileHandle): Promise<{ line: string | undefined; length: number }> {
  const { size } = await file.stat()
  for (let wanted = TAIL; ; wanted *= 2) {
    const from = Math.max(0, size - wanted)
    const bytes = await readAt(file, from, size - from)
    const last = bytes.lastIndexOf(NEWLINE)
    const before = last < 1 ? -1 : bytes.lastIndexOf(NEWLINE, last - 1)
    if (from > 0 && before < 0) continue // the line begins further back
    return { line: last < 0 ? undefined : bytes.toString('utf8', before + 1, last), length: from + last + 1 }
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return bytes.subarray(0, done)
}
