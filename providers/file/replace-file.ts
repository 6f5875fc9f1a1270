import type { Buffer } from 'node:buffer'
import { open, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Replaces a file so that a crash at any moment leaves the old content or the new: writes beside it, makes that
 * durable, renames it into place, and makes the name durable.
 *
 * @param pieces the new content
 * @param mayReplace asked once everything is written, right before the rename; false leaves the old file
 * @returns whether the file was replaced
 */
export async function replaceFile(
  path: string,
  pieces: readonly Buffer[],
  mayReplace: () => Promise<boolean>,
  step: (name: string) => void,
): Promise<boolean> {
  const fresh = `${path}.new`
  await unlink(fresh).catch(ignoreMissing)
  step('write')
  const file = await open(fresh, 'wx', 0o600)
  try {
    for (const [at, piece] of pieces.entries()) {
      await file.writeFile(piece)
      if (at === 0) step('half-written')
    }
    await keepOwner(path, file)
    step('sync')
    await file.sync()
  } finally {
    await file.close()
  }
  if (!(await mayReplace())) {
    await unlink(fresh).catch(ignoreMissing)
    return false
  }
  step('rename')
  await rename(fresh, path)
  step('sync-directory')
  await syncDirectory(dirname(path))
  return true
}

/** Makes the names in a directory durable, where the operating system can. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** A file that root rewrites still belongs to the service that reads it. */
async function keepOwner(path: string, file: { chown(uid: number, gid: number): Promise<void> }): Promise<void> {
  if (process.getuid?.() !== 0) return
  const old = await stat(path).catch(ignoreMissing)
  if (old !== undefined && (old.uid !== 0 || old.gid !== 0)) await file.chown(old.uid, old.gid)
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
