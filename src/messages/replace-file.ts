import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { randomBytes } from '../crypto/random.ts'
import { StrongroomError } from '../errors.ts'

/** How a file is put into place. */
export interface ReplaceOptions {
  /** Takes the place of a file that is already there. Default false: `ERR_FILE_EXISTS`. */
  readonly force?: boolean
  /** Waits until the bytes are on the disk before the file appears under its name. Default true. */
  readonly durable?: boolean
}

/**
 * Writes a file under a temporary name beside `path` and gives it its name once `write` is done: whatever happens in
 * between, a crash included, `path` holds what it held before or all of the new file. What a crash leaves behind is
 * called `.NAME.XXXXXXXX.part`.
 *
 * @param mode permissions of the finished file; until then only the owner may read it
 * @throws StrongroomError `ERR_FILE_EXISTS`
 */
export async function replaceFile<Result>(
  path: string,
  mode: number,
  { force = false, durable = true }: ReplaceOptions,
  write: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
  const part = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.part`)
  const file = await open(part, 'wx+', 0o600)
  try {
    let result: Result
    try {
      result = await write(file)
      await file.chmod(mode & 0o777)
      if (durable) await file.sync()
    } finally {
      await file.close()
    }
    await (force ? rename(part, path) : giveName(part, path))
    if (durable) await syncDirectory(dirname(path))
    return result
  } catch (error) {
    await unlink(part).catch(() => {})
    throw error
  }
}

/** Refuses early what would be refused at the end anyway. @throws StrongroomError `ERR_FILE_EXISTS` */
export async function assertAbsent(path: string, force: boolean | undefined): Promise<void> {
  if (force === true) return
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (file === undefined) return
  await file.close()
  throw exists(path)
}

/** A name that is free, in one step: unlike rename, link fails when somebody else took it meanwhile. */
async function giveName(part: string, path: string): Promise<void> {
  try {
    await link(part, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw exists(path)
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error
    await assertAbsent(path, false) // a file system without links: a race is possible here, and only here
    return rename(part, path)
  }
  await unlink(part)
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r').catch(() => undefined)
  await directory?.sync().catch(() => {})
  await directory?.close()
}

function exists(path: string): StrongroomError {
  return new StrongroomError('ERR_FILE_EXISTS', `${path} exists already`)
}
