import { KEY_PURPOSES, KEY_STATES, type KeyLogEntry, type KeyRecord } from '../../src/key-store.ts'

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

/** Whether a value has the shape of the log entry with this number. */
export function isLogEntry(value: unknown, seq: number): value is KeyLogEntry {
  if (!isObject(value)) return false
  return (
    value.seq === seq &&
    isText(value.at, 64) &&
    isText(value.action, 256) &&
    isList(value.changes, 10_000, isChange) &&
    isHex(value.previous, 64) &&
    isHex(value.hash, 64) &&
    isHex(value.root, 32) &&
    isHex(value.mac, 64)
  )
}

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
  return Array.isArray(value) && value.length <= most && value.every(isItem)
}

function isText(value: unknown, most: number): boolean {
  return typeof value === 'string' && value.length <= most
}

function isHex(value: unknown, length: number): boolean {
  return typeof value === 'string' && value.length === length && /^[0-9a-f]+$/.test(value)
}

function isCount(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least
}
