import {
  KEY_PURPOSES,
  KEY_STATES,
  type KeyLogEntry,
  type KeyLogHead,
  type KeyRecord,
  type ShredEntry,
} from './key-store.ts'

/** Whether a value has the shape of a key record, with every length bounded. What it says is not trusted: see its MAC. */
export function isKeyRecord(value: unknown): value is KeyRecord {
  if (!isObject(value)) return false
  return (
    value.format === 1 &&
    isHex(value.id, 32) &&
    isHex(value.commitment, 64) &&
    isText(value.store, 256) &&
    PURPOSES.has(value.purpose) &&
    isText(value.scope, 4096) &&
    isCount(value.generation, 1) &&
    (value.parent === null || isHex(value.parent, 32)) &&
    isText(value.createdAt, 64) &&
    (value.expiresAt === null || isText(value.expiresAt, 64)) &&
    isList(value.wraps, 16, isWrap) &&
    STATES.has(value.state) &&
    isText(value.stateAt, 64) &&
    (value.reason === null || isText(value.reason, 4096)) &&
    isCount(value.rev, 1) &&
    isHex(value.mac, 64)
  )
}

/** Whether a value has the shape of a log entry, with this number where one is given. */
export function isLogEntry(value: unknown, seq?: number): value is KeyLogEntry {
  if (!isObject(value)) return false
  return (
    isCount(value.seq, 1) &&
    (seq === undefined || value.seq === seq) &&
    isText(value.at, 64) &&
    isText(value.action, 256) &&
    isList(value.changes, 10_000, isChange) &&
    isHex(value.previous, 64) &&
    isHex(value.hash, 64) &&
    isHex(value.root, 32) &&
    isHex(value.mac, 64)
  )
}

/** Whether a value has the shape of the end of a key log. */
export function isLogHead(value: unknown): value is KeyLogHead {
  return isObject(value) && isCount(value.seq, 1) && isHex(value.hash, 64)
}

/** Whether a value has the shape of an entry of a shred ledger. */
export function isShredEntry(value: unknown): value is ShredEntry {
  if (!isObject(value)) return false
  return (
    isCount(value.seq, 1) &&
    isText(value.at, 64) &&
    isText(value.store, MAX_LEDGER_TEXT) &&
    isHex(value.keyId, 32) &&
    isHex(value.proof, 64) &&
    isHex(value.previous, 64) &&
    isHex(value.hash, 64)
  )
}

/** The ledger of a file reads lines of any length, and what made one decides how long its name may be. */
const MAX_LEDGER_TEXT = 1024 * 1024
const PURPOSES = new Set<unknown>(KEY_PURPOSES)
const STATES = new Set<unknown>(KEY_STATES)

function isWrap(value: unknown): boolean {
  return (
    isObject(value) &&
    isText(value.provider, 64) &&
    isText(value.keyId, 2048) &&
    isText(value.ciphertext, 16_384) &&
    isText(value.wrappedAt, 64)
  )
}

function isChange(value: unknown): boolean {
  return isObject(value) && isHex(value.id, 32) && isCount(value.rev, 1) && STATES.has(value.state)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isList(value: unknown, most: number, isItem: (item: unknown) => boolean): boolean {
  // Array.from, because every skips the holes.
  return Array.isArray(value) && value.length <= most && Array.from(value).every(isItem)
}

function isText(value: unknown, most: number): boolean {
  return typeof value === 'string' && value.length <= most && value.isWellFormed()
}

function isHex(value: unknown, length: number): boolean {
  return typeof value === 'string' && value.length === length && /^[0-9a-f]+$/.test(value)
}

function isCount(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least
}
