import { Buffer } from 'node:buffer'
import { open, readFile, realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { assertFilled, assertObject } from '../../src/bytes.ts'
import { KeyStoreError, StrongroomError } from '../../src/errors.ts'
import type { ShredEntry, ShredLedger } from '../../src/key-store.ts'
import { takeLock } from './lock.ts'
import { syncDirectory } from './replace-file.ts'

/** Where the ledger is. */
export interface FileShredLedgerOptions {
  /** The file; made at the first entry, its directory must exist. On another volume than the key store and its backups. */
  readonly path: string
  /** How long to wait for other processes, in ms. Default 10,000. */
  readonly lockTimeoutMs?: number
}

const NEWLINE = 0x0a
const MAX_BYTES = 256 * 1024 * 1024

/**
 * Keeps the list of shredded keys in a file of its own, one line an entry, only ever appended to. A crash can leave an
 * unfinished last line, which counts as not written and is cut off by the next append.
 *
 * @param step called with the name of each step; for tests that end the process there
 */
export function fileShredLedger(options: FileShredLedgerOptions, step: (name: string) => void = () => {}): ShredLedger {
  assertObject(options, 'the options')
  assertFilled(options.path, 'path')
  const given = resolve(options.path)
  const { lockTimeoutMs = 10_000 } = options

  return {
    name: 'file',
    read: (after, limit) => attempt(async () => (await load(given)).entries.slice(after, after + limit)),
    append: (entries) =>
      attempt(async () => {
        const path = await realpath(given).catch(() => given)
        const lock = await takeLock(`${path}.lock`, lockTimeoutMs, step)
        try {
          const { entries: known, length } = await load(path)
          if (entries[0]?.seq !== known.length + 1) return false
          await write(path, entries, length, step)
          return true
        } finally {
          await lock.release()
        }
      }),
  }

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

/** The whole lines of the file, and how many bytes they are. */
async function load(path: string): Promise<{ entries: ShredEntry[]; length: number }> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0)
    throw error
  })
  if (bytes.byteLength > MAX_BYTES) throw damaged(path)
  const length = bytes.lastIndexOf(NEWLINE) + 1
  const lines = bytes.toString('utf8', 0, length).split('\n').slice(0, -1)
  return { entries: lines.map((line) => parse(line, path)), length }
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
