import { randomUUID } from 'node:crypto'
import { link, open, unlink } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { KeyStoreError } from '../../src/errors.ts'
import { syncDirectory } from './replace-file.ts'
import { encodeStore } from './store-file.ts'

/**
 * Makes an empty key store in one file, readable by its owner alone.
 *
 * @param options.path where; its directory must exist
 * @returns false when a file is there already, which is left as it is
 * @throws KeyStoreError `misconfigured` when the file cannot be made
 */
export async function createKeyStoreFile({ path }: { readonly path: string }): Promise<boolean> {
  const target = resolve(path)
  const fresh = `${target}.${randomUUID()}`
  try {
    const file = await open(fresh, 'wx', 0o600)
    try {
      for (const piece of encodeStore([], [], 0)) await file.writeFile(piece)
      await file.sync()
    } finally {
      await file.close()
    }
    await link(fresh, target)
    await syncDirectory(dirname(target))
    return true
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    throw new KeyStoreError('misconfigured', `cannot make a key store at ${target}: ${code ?? 'unknown error'}`, {
      cause,
    })
  } finally {
    await unlink(fresh).catch(() => {})
  }
}
