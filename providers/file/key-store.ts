import { closeSync, fstatSync, openSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { assertFilled, assertObject, assertWhole } from '../../src/bytes.ts'
import { ClosedError, KeyStoreError, StrongroomError } from '../../src/errors.ts'
import type { CommitResult, KeyCommit, KeyStore } from '../../src/key-store.ts'
import { checkedKeyStore } from '../../src/key-store-checks.ts'
import { KeyTable } from '../memory/key-table.ts'
import { takeLock } from './lock.ts'
import { replaceFile } from './replace-file.ts'
import { encodeStore, MAX_FILE_BYTES, parseStore } from './store-file.ts'

/** Where the key store is. */
export interface FileKeyStoreOptions {
  /** The file, made by `strongroom init` or `createKeyStoreFile`. Its directory must be writable. */
  readonly path: string
  /** How long a commit waits for other processes, in ms: 0 to 600,000. Default 10,000. */
  readonly lockTimeoutMs?: number
}

/** What one version of the file holds. Its descriptor stays open, so that no later version can have the same inode. */
interface Version {
  readonly descriptor: number
  readonly table: KeyTable
  readonly lines: Map<string, string>
  readonly log: string[]
}

/**
 * A key store in one file, for one machine or a shared volume. Every commit writes the whole file beside the old one
 * and renames it; a lock keeps processes apart. Reads look whether the file changed and parse it only then.
 *
 * A missing file is refused, not made: a wrong path or an unmounted volume must not look like a new store.
 *
 * @param step called with the name of each step of a commit; for tests that end the process there
 * @throws InvalidInputError; its methods throw KeyStoreError, `locked` after `lockTimeoutMs`, and ClosedError
 */
export function fileKeyStore(options: FileKeyStoreOptions, step: (name: string) => void = () => {}): KeyStore {
  assertObject(options, 'the options')
  assertFilled(options.path, 'path')
  const given = resolve(options.path)
  const { lockTimeoutMs = 10_000 } = options
  assertWhole(lockTimeoutMs, 'lockTimeoutMs', 0, 600_000)
  let version: Version | undefined
  let closed = false
  let queue: Promise<unknown> = Promise.resolve()

  return checkedKeyStore<KeyStore>({
    name: 'file',
    get: async (ids) => current().table.get(ids),
    findActive: async (purpose, scopes) => current().table.findActive(purpose, scopes),
    list: async (query) => current().table.list(query),
    log: async (after, limit) => current().table.log(after, limit),
    commit(commit) {
      const turn = queue.then(() => write(commit))
      queue = turn.catch(() => {})
      return turn
    },
    async close() {
      await queue
      closed = true
      forget()
    },
  })

  function current(): Version {
    if (closed) throw new ClosedError('the key store')
    try {
      if (version === undefined || !isSame(version.descriptor, given)) {
        forget()
        version = load(given)
      }
      return version
    } catch (error) {
      throw asStoreError(error, given)
    }
  }

  async function write(commit: KeyCommit): Promise<CommitResult> {
    const early = current().table.conflictOf(commit)
    if (early !== undefined) return { written: false, conflict: early }
    try {
      const path = realpathSync(given)
      const lock = await takeLock(`${path}.lock`, lockTimeoutMs, step)
      try {
        const { table, lines, log } = current()
        const conflict = table.conflictOf(commit)
        if (conflict !== undefined) return { written: false, conflict }
        const changed = new Map(commit.puts.map(({ record }) => [record.id, JSON.stringify(record)]))
        const nextLog = commit.log === null ? log : [...log, JSON.stringify(commit.log)]
        const nextLines = new Map([...lines, ...changed])
        const pieces = encodeStore(nextLines.values(), nextLog, nextLines.size)
        checkSize(pieces, path)
        if (!(await replaceFile(path, pieces, lock.isHeld, step))) {
          throw new KeyStoreError('locked', `writing ${path} took too long, and another process took the lock`)
        }
        table.apply(commit)
        keep({ table, lines: nextLines, log: nextLog }, path)
        return { written: true }
      } finally {
        step('unlock')
        await lock.release()
        step('unlocked')
      }
    } catch (error) {
      forget()
      throw asStoreError(error, given)
    }
  }

  function keep(next: Omit<Version, 'descriptor'>, path: string): void {
    const descriptor = openSync(path, 'r')
    forget()
    version = { ...next, descriptor }
  }

  function forget(): void {
    if (version !== undefined) closeSync(version.descriptor)
    version = undefined
  }
}

function load(path: string): Version {
  const descriptor = openSync(path, 'r')
  try {
    const { size } = fstatSync(descriptor)
    if (size > MAX_FILE_BYTES) throw tooLarge(path, size)
    const content = parseStore(readFileSync(descriptor))
    if (typeof content === 'string') {
      throw new KeyStoreError(
        'corrupt',
        `the key store ${path} is damaged: ${content}; it was left as it is: restore it from a backup`,
      )
    }
    const { records, log, lines } = content
    return {
      descriptor,
      table: new KeyTable(records, log),
      lines: new Map(records.map((record, at) => [record.id, lines[at] as string])),
      log: lines.slice(records.length),
    }
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

function isSame(descriptor: number, path: string): boolean {
  const loaded = fstatSync(descriptor, { bigint: true })
  const now = statSync(path, { bigint: true })
  return loaded.ino === now.ino && loaded.dev === now.dev && loaded.mtimeNs === now.mtimeNs && loaded.size === now.size
}

function checkSize(pieces: readonly Uint8Array[], path: string): void {
  const size = pieces.reduce((sum, piece) => sum + piece.byteLength, 0)
  if (size > MAX_FILE_BYTES) throw tooLarge(path, size)
}

function tooLarge(path: string, size: number): KeyStoreError {
  return new KeyStoreError(
    'misconfigured',
    `the key store ${path} would hold ${size} bytes, and ${MAX_FILE_BYTES} is the most: move it to a database`,
  )
}

function asStoreError(error: unknown, path: string): unknown {
  if (error instanceof StrongroomError || error instanceof TypeError) return error
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
  if (code === 'ENOENT') {
    return new KeyStoreError(
      'misconfigured',
      `there is no key store at ${path}: check the path, or make one with \`strongroom init\``,
      { cause: error },
    )
  }
  const fault = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'ENOTSUP'].includes(code)
    ? 'misconfigured'
    : 'unavailable'
  return new KeyStoreError(fault, `the key store ${path} cannot be used: ${code}`, { cause: error })
}
