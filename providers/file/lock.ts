import { randomUUID } from 'node:crypto'
import { link, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KeyStoreError } from '../../src/errors.ts'
import { hasEnded, type ProcessIdentity, thisProcess } from './process-identity.ts'

/** A held lock. */
export interface FileLock {
  /** Whether it may still be relied on: it was not held for too long, and nobody took it over. */
  isHeld(): Promise<boolean>
  release(): Promise<void>
}

interface Claim extends ProcessIdentity {
  readonly token: string
  readonly since: string
}

const MAX_HELD_MS = 30_000
const FOREIGN_STALE_MS = 2 * MAX_HELD_MS
const POLL_MS = 5
const TOKEN = /^[\w.-]{1,64}$/
const MAX_POLL_MS = 50

/**
 * Takes a lock that survives the crash of its holder.
 *
 * The lock is a chain of claims, each made by `link`, which only one process can win. The first stands at `path`. When
 * its process has ended, another may claim its heir, `path.heir.<token>`, and so on: the last claim of the chain holds
 * the lock. A claim is never replaced and a token never used again, so two that find the same dead holder cannot both
 * win. Release removes the first claim, then the rest: whoever claims an heir looks afterwards whether the first claim
 * still stands, and has lost if it does not.
 *
 * A holder on another machine or in another container cannot be seen: it counts as ended when its claim is 60 s older
 * than ours by the clock of the file system, and no holder relies on a lock for longer than 30 s.
 *
 * @param timeoutMs how long to wait for a living holder
 * @throws KeyStoreError `locked` when the time is over
 */
export async function takeLock(path: string, timeoutMs: number, step: (name: string) => void): Promise<FileLock> {
  const claim: Claim = { ...thisProcess(), token: randomUUID(), since: new Date().toISOString() }
  const claimPath = `${path}.${claim.token}`
  const started = performance.now()
  step('claim')
  await writeFile(claimPath, JSON.stringify(claim), { mode: 0o600, flag: 'wx' })
  try {
    const { mtimeMs } = await stat(claimPath)
    const nowMs = () => mtimeMs + performance.now() - started
    for (let wait = POLL_MS; ; wait = Math.min(MAX_POLL_MS, wait * 1.5)) {
      step('link')
      if (await linked(claimPath, path)) return held(path, claim, [path])
      const holder = await lastOf(path)
      if (holder !== undefined && (hasEnded(holder.claim) ?? (await isOld(holder.paths.at(-1) as string, nowMs())))) {
        const heirPath = `${path}.heir.${holder.claim.token}`
        step('inherit')
        if (await linked(claimPath, heirPath)) {
          if ((await readClaim(path))?.token === holder.first) {
            const chain = [...holder.paths, heirPath]
            await removeLeftovers(path, chain, nowMs())
            return held(path, claim, chain)
          }
          await remove(heirPath)
        }
        continue
      }
      if (performance.now() - started > timeoutMs) throw lockedBy(path, holder?.claim)
      await sleep(wait * (0.5 + Math.random()))
    }
  } finally {
    await remove(claimPath)
  }
}

function held(path: string, claim: Claim, chain: readonly string[]): FileLock {
  const since = performance.now()
  const wallSince = Date.now()
  const takenOver = async () => (await readClaim(`${path}.heir.${claim.token}`)) !== undefined
  return {
    async isHeld() {
      const elapsed = Math.max(performance.now() - since, Math.abs(Date.now() - wallSince))
      return elapsed < MAX_HELD_MS && !(await takenOver())
    },
    async release() {
      if (await takenOver()) return
      for (const part of chain) await remove(part)
    },
  }
}

/** The last claim of the chain, and all its files; undefined when the lock is free. */
async function lastOf(path: string): Promise<{ claim: Claim; first: string; paths: string[] } | undefined> {
  let claim = await readClaim(path)
  if (claim === undefined) return undefined
  const first = claim.token
  const paths = [path]
  for (;;) {
    const heirPath = `${path}.heir.${claim.token}`
    const heir = await readClaim(heirPath)
    if (heir === undefined) return { claim, first, paths }
    paths.push(heirPath)
    claim = heir
  }
}

async function isOld(path: string, nowMs: number): Promise<boolean> {
  const last = await stat(path).catch(() => undefined)
  return last !== undefined && nowMs - last.mtimeMs > FOREIGN_STALE_MS
}

/** Removes what crashed takers left behind. Only the holder may: nobody else knows which claims still stand. */
async function removeLeftovers(path: string, chain: readonly string[], nowMs: number): Promise<void> {
  for (const entry of await readdir(dirname(path))) {
    const file = join(dirname(path), entry)
    if (!entry.startsWith(`${basename(path)}.`) || chain.includes(file)) continue
    const claim = await readClaim(file)
    if (claim !== undefined && (hasEnded(claim) ?? (await isOld(file, nowMs)))) await remove(file)
  }
}

/** Makes `to` another name of `from`, which happens whole or not at all, and only if `to` does not exist. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function readClaim(path: string): Promise<Claim | undefined> {
  try {
    const text = await readFile(path, 'utf8')
    const { ino, mtimeMs } = await stat(path)
    return (
      parseClaim(text) ?? { token: `unreadable-${ino}-${mtimeMs}`, pid: 0, started: null, place: 'unknown', since: '' }
    )
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** @returns undefined when the claim was cut short, by a crash or a power failure; such a claim ends by its age */
function parseClaim(text: string): Claim | undefined {
  try {
    const { token, pid, started, place, since } = JSON.parse(text)
    const texts = [token, place, since, started ?? '']
    const sound = TOKEN.test(token) && Number.isSafeInteger(pid) && texts.every((part) => typeof part === 'string')
    return sound ? { token, pid, started, place, since } : undefined
  } catch {
    return undefined
  }
}

async function remove(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

function lockedBy(path: string, holder: Claim | undefined): KeyStoreError {
  const who =
    holder === undefined ? '' : ` by process ${holder.pid} on ${holder.place.split(' ')[0]} since ${holder.since}`
  return new KeyStoreError('locked', `another process writes to the file: ${path} is held${who}`)
}
