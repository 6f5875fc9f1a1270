import { type FileHandle, open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** One read of a file: its place in the file and its length, both in bytes. */
export interface FileRead {
  readonly from: number
  readonly bytes: number
}

/** Every read of every file while `work` runs. */
export async function fileReads(work: () => Promise<unknown>): Promise<FileRead[]> {
  const probe = await open(fileURLToPath(import.meta.url))
  const prototype = Object.getPrototypeOf(probe) as FileHandle
  await probe.close()
  const original = prototype.read
  const reads: FileRead[] = []
  prototype.read = async function (this: FileHandle, ...args: unknown[]) {
    const result = await (original as (...all: unknown[]) => Promise<{ bytesRead: number }>).apply(this, args)
    reads.push({ from: Number(args[3] ?? 0), bytes: result.bytesRead })
    return result
  } as FileHandle['read']
  try {
    await work()
  } finally {
    prototype.read = original
  }
  return reads
}
