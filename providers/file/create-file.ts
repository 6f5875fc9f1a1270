import { randomUUID } from 'node:crypto'
import { link, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncDirectory } from './replace-file.ts'

/**
 * Makes a file whole or not at all, for its owner alone, and never in place of another.
 *
 * @returns false when there is a file at `path` already, which is left as it is
 */
export async function createFile(path: string, pieces: readonly Uint8Array[]): Promise<boolean> {
  const fresh = `${path}.${randomUUID()}`
  try {
    const file = await open(fresh, 'wx', 0o600)
    try {
      for (const piece of pieces) await file.writeFile(piece)
      await file.sync()
    } finally {
      await file.close()
    }
    await link(fresh, path)
    await syncDirectory(dirname(path))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await unlink(fresh).catch(() => {})
  }
}
