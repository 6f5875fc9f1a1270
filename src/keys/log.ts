import { createHmac, hash } from 'node:crypto'
import { equalBytes, lengthPrefixed } from '../bytes.ts'
import { labels } from '../crypto/kdf.ts'
import type { KeyLogChange, KeyLogEntry, KeyLogHead } from '../key-store.ts'
import { refused } from './record.ts'

const DIGEST = /^[0-9a-f]{64}$/

/** What the hash of the first entry stands on. */
export const LOG_START: KeyLogHead = { seq: 0, hash: '0'.repeat(64) }

/** What a new entry says. */
export interface LogBody {
  readonly at: string
  readonly action: string
  readonly changes: readonly KeyLogChange[]
}

/** Makes the entry that follows `head`, with a MAC under a root key. Specification section 4.5. */
export function nextEntry(head: KeyLogHead, body: LogBody, root: string, macKey: Uint8Array): KeyLogEntry {
  const unsigned = { seq: head.seq + 1, ...body, previous: head.hash, root }
  const digest = entryHash(unsigned)
  return { ...unsigned, hash: digest, mac: entryMac(macKey, digest) }
}

/**
 * Follows a log from `head` through `entries`.
 *
 * @returns the new head
 * @throws KeyRecordError `log` when an entry is missing, changed or out of order
 */
export function followLog(head: KeyLogHead, entries: readonly KeyLogEntry[]): KeyLogHead {
  let { seq, hash: previous } = head
  for (const entry of entries) {
    const right =
      isEntry(entry) && entry.seq === seq + 1 && entry.previous === previous && entryHash(entry) === entry.hash
    if (!right)
      throw refused('log', 'log', `the key log is broken at entry ${seq + 1}: it was changed outside Strongroom`)
    seq = entry.seq
    previous = entry.hash
  }
  return { seq, hash: previous }
}

/** Whether an entry's MAC is right. The MAC of the last entry vouches for all before it. */
export function entryMacMatches(macKey: Uint8Array, entry: KeyLogEntry): boolean {
  return equalBytes(Buffer.from(entryMac(macKey, entry.hash), 'hex'), Buffer.from(entry.mac, 'hex'))
}

function entryMac(macKey: Uint8Array, digest: string): string {
  return createHmac('sha256', macKey)
    .update(lengthPrefixed([labels.logMac, digest]))
    .digest('hex')
}

function entryHash(entry: Omit<KeyLogEntry, 'hash' | 'mac'>): string {
  const changes = entry.changes.flatMap((change) => [change.id, String(change.rev), change.state])
  const parts = [
    labels.logMac,
    String(entry.seq),
    entry.at,
    entry.action,
    lengthPrefixed(changes),
    entry.previous,
    entry.root,
  ]
  return hash('sha256', lengthPrefixed(parts), 'hex')
}

function isEntry(entry: KeyLogEntry | null): boolean {
  return (
    typeof entry === 'object' &&
    entry !== null &&
    typeof entry.at === 'string' &&
    typeof entry.action === 'string' &&
    typeof entry.root === 'string' &&
    typeof entry.mac === 'string' &&
    DIGEST.test(entry.mac) &&
    Array.isArray(entry.changes) &&
    entry.changes.every(isChange)
  )
}

function isChange(change: KeyLogChange | null): boolean {
  return (
    typeof change === 'object' &&
    change !== null &&
    typeof change.id === 'string' &&
    typeof change.state === 'string' &&
    Number.isSafeInteger(change.rev)
  )
}
