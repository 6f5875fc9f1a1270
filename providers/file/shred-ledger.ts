import { type FileHandle, open, realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { assertFilled, assertObject, assertWhole } from '../../src/bytes.ts'
import { KeyStoreError, StrongroomError } from '../../src/errors.ts'
import type { ShredEntry, ShredLedger } from '../../src/key-store.ts'
import { checkedShredLedger } from '../../src/key-store-checks.ts'
import { takeLock } from './lock.ts'
import { syncDirectory } from './replace-file.ts'
import { lastLine, wholeLines } from './whole-lines.ts'

/** Where the ledger is. */
export interface FileShredLedgerOptions {
  /** The file; made at the first entry, its directory must exist. On another volume than the key store and its backups. */
  readonly path: string
  /** How long to wait for other processes, in ms: 0 to 600,000. Default 10,000. */
  readonly lockTimeoutMs?: number
}

const MAX_BYTES = 256 * 1024 * 1024

/**
 * Keeps the list of shredded keys in a file of its own, one line an entry, only ever appended to. A crash can leave an
 * unfinished last line, which counts as not written and is cut off by the next append.
 *
 * @param step called with the name of each step; for tests that end the process there
 * @throws InvalidInputError; its methods throw KeyStoreError: `locked` after `lockTimeoutMs`, `corrupt` for a file of more than
 *   256 MiB or with a line that is no entry
 */
export function fileShredLedger(options: FileShredLedgerOptions, step: (name: string) => void = () => {}): ShredLedger {
  assertObject(options, 'the options')
  assertFilled(options.path, 'path')
  const given = resolve(options.path)
  const { lockTimeoutMs = 10_000 } = options
  assertWhole(lockTimeoutMs, 'lockTimeoutMs', 0, 600_000)
  /** Where the entry behind the last that was read begins, so that page after page reads the file once. */
  let mark = { after: 0, at: 0 }

  return checkedShredLedger({
    name: 'file',
    read: (after, limit) =>
      attempt(async () => {
        const page = await reading(given, async (file) => {
          const { after: known, at } = mark
          if (known === after && known > 0) {
            const { lines, end } = await wholeLines(file, at, 0, limit)
            const entries = lines.map((line) => parse(line, given))
            if (entries[0]?.seq === after + 1) return { entries, end }
          }
          const { lines, end } = await wholeLines(file, 0, after, limit)
          return { entries: lines.map((line) => parse(line, given)), end }
        })
        const { entries, end } = page ?? { entries: [], end: 0 }
        mark = { after: after + entries.length, at: end }
        return entries
      }),
    append: (entries) =>
      attempt(async () => {
        const path = await realpath(given).catch(() => given)
        const lock = await takeLock(`${path}.lock`, lockTimeoutMs, step)
        try {
          const { line, length } = (await reading(path, lastLine)) ?? { line: undefined, length: 0 }
          const last = line === undefined ? 0 : parse(line, path).seq
          if (entries[0]?.seq !== last + 1) return false
          await write(path, entries, length, step)
          return true
        } finally {
          await lock.release()
        }
      }),
  })

  async function attempt<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (cause) {
      if (cause instanceof StrongroomError) throw cause
      const { code = 'unknown error' } = cause as NodeJS.ErrnoException
      throw new KeyStoreError('unavailable', `cannot use the shred ledger ${given}: ${code}`, { cause })
    }
  }
}

async function write(
  path: string,
  entries: readonly ShredEntry[],
  length: number,
  step: (name: string) => void,
): Promise<void> {
  const file = await open(path, 'a', 0o600)
  try {
    await file.truncate(length)
    step('truncated')
    const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')
    const half = lines.length >> 1
    await file.writeFile(lines.slice(0, half))
    step('half-written')
    await file.writeFile(lines.slice(half))
    step('written')
    await file.sync()
  } finally {
    await file.close()
  }
  await syncDirectory(dirname(path))
  step('synced')
}

/** Opens the file to read; nothing when there is none yet. @throws KeyStoreError `corrupt` for one that is too long */
async function reading<Result>(path: string, work: (file: FileHandle) => Promise<Result>): Promise<Result | undefined> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (file === undefined) return undefined
  try {
    if ((await file.stat()).size > MAX_BYTES) throw damaged(path)
    return await work(file)
  } finally {
    await file.close()
  }
}

function parse(line: string, path: string): ShredEntry {
  try {
    const { seq, at, store, keyId, proof, previous, hash } = JSON.parse(line)
    return { seq, at, store, keyId, proof, previous, hash }
  } catch {
    throw damaged(path)
  }
}

function damaged(path: string): KeyStoreError {
  return new KeyStoreError('corrupt', `the shred ledger ${path} is damaged; it was left as it is`)
}
