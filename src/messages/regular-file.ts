import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { assertFilled, assertWhole } from '../bytes.ts'
import { DecryptionError, InvalidInputError } from '../errors.ts'
import type { RangeSource } from './range.ts'

/** Opens a file to read. @throws InvalidInputError when it is no regular file */
export async function openRegular(path: string): Promise<FileHandle> {
  assertFilled(path, 'path')
  // Without O_NONBLOCK, opening a pipe would wait for a writer before we could say that it is no file.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw new InvalidInputError('only regular files can be sealed or opened by path: use a stream for anything else')
}

/** An open file of this size as a source of ranges. */
export function handleSource(file: FileHandle, size: number): RangeSource {
  return {
    size,
    async read(position, length) {
      assertWhole(position, 'position', 0, Number.MAX_SAFE_INTEGER)
      assertWhole(length, 'length', 0, Number.MAX_SAFE_INTEGER)
      if (position + length > size) throw new DecryptionError()
      const bytes = new Uint8Array(length)
      let done = 0
      while (done < length) {
        const { bytesRead } = await file.read(bytes, done, length - done, position + done)
        if (bytesRead === 0) throw new DecryptionError()
        done += bytesRead
      }
      return bytes
    },
  }
}
