import { Buffer } from 'node:buffer'
import { createHmac } from 'node:crypto'
import { parseBase64url } from '../base64url.ts'
import { equalBytes, lengthPrefixed } from '../bytes.ts'
import type { EncryptionContext } from '../crypto/context.ts'
import { hkdfExpand, labels } from '../crypto/kdf.ts'
import { KeyRecordError, type KeyRecordFault } from '../errors.ts'
import { KEY_PURPOSES, KEY_STATES, type KeyRecord } from '../key-store.ts'
import type { WrappedKey } from '../kms.ts'

/** Everything in a record but its MAC. */
export type UnsignedRecord = Omit<KeyRecord, 'mac'>

const ID = /^[0-9a-f]{32}$/
const DIGEST = /^[0-9a-f]{64}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const MAX_WRAPS = 10

/** The commitment of a key, 32 bytes: its first 16 are the key's id. Specification section 4.1. */
export function commitmentOf(secret: Uint8Array): Buffer {
  return hkdfExpand(secret, labels.commitment, 32)
}

/** The MAC of a record, over every field but itself. Specification section 4.4. */
export function recordMac(macKey: Uint8Array, record: UnsignedRecord): Buffer {
  return createHmac('sha256', macKey).update(encodeRecord(record)).digest()
}

/** Whether a record's MAC is right. */
export function recordMacMatches(macKey: Uint8Array, record: KeyRecord): boolean {
  return equalBytes(recordMac(macKey, record), Buffer.from(record.mac, 'hex'))
}

/** The attributes that never change, bound into the wrap of a key under its root key. Specification section 4.2. */
export function wrapAad(record: UnsignedRecord): Buffer {
  return lengthPrefixed([
    labels.keyWrapContext,
    String(record.format),
    record.id,
    record.commitment,
    record.store,
    record.purpose,
    record.scope,
    String(record.generation),
    record.parent ?? '',
    record.createdAt,
    record.expiresAt ?? '',
  ])
}

/** The context under which the KMS wraps a root key. It is not secret: services write it to their logs. */
export function rootContext(record: Pick<UnsignedRecord, 'id' | 'store' | 'createdAt'>): EncryptionContext {
  return {
    'strongroom:purpose': 'root',
    'strongroom:store': record.store,
    'strongroom:key': record.id,
    'strongroom:created': record.createdAt,
  }
}

/** The wraps of a record as a key management service takes them. */
export function wrappedKeys(record: KeyRecord): WrappedKey[] {
  return record.wraps.map(({ provider, keyId, ciphertext }) => {
    const bytes = parseBase64url(ciphertext)
    if (bytes === undefined) throw refused(record.id, 'malformed', 'a wrap is not base64url')
    return { provider, keyId, ciphertext: bytes }
  })
}

/**
 * Checks the shape of a record that came from a store; nothing in it is trusted yet.
 *
 * @throws KeyRecordError `malformed`, naming the field
 */
export function assertRecord(record: KeyRecord): void {
  const id = typeof record?.id === 'string' && ID.test(record.id) ? record.id : 'unknown'
  const check = (good: boolean, field: string) => {
    if (!good) throw refused(id, 'malformed', `its ${field} is not what a key record holds`)
  }
  check(record !== null && typeof record === 'object' && record.format === 1, 'format')
  check(id !== 'unknown', 'id')
  check(isText(record.commitment, DIGEST) && record.commitment.startsWith(id), 'commitment')
  check(isText(record.store) && record.store.length <= 64, 'store')
  check(KEY_PURPOSES.includes(record.purpose), 'purpose')
  check(isText(record.scope) && record.scope.length <= 4096, 'scope')
  check(isCount(record.generation), 'generation')
  check(isText(record.parent, ID) === hasParent(record), 'parent')
  check(hasParent(record) || record.parent === null, 'parent')
  check(isText(record.createdAt, TIME), 'createdAt')
  check(record.expiresAt === null || isText(record.expiresAt, TIME), 'expiresAt')
  check(KEY_STATES.includes(record.state), 'state')
  check(isText(record.stateAt, TIME), 'stateAt')
  check(record.reason === null || (isText(record.reason) && record.reason.length <= 1024), 'reason')
  check(isCount(record.rev), 'rev')
  check(isText(record.mac, DIGEST), 'mac')
  check(Array.isArray(record.wraps) && record.wraps.length <= MAX_WRAPS, 'wraps')
  check((record.wraps.length === 0) === (record.state === 'destroyed'), 'wraps')
  for (const wrap of record.wraps) {
    check(isText(wrap.provider) && wrap.provider.length <= 64, 'wrap provider')
    check(isText(wrap.keyId) && wrap.keyId.length <= 2048, 'wrap key')
    check(isText(wrap.ciphertext) && wrap.ciphertext.length <= 12_288, 'wrap ciphertext')
    check(isText(wrap.wrappedAt, TIME), 'wrap time')
  }
}

/** The error for a record that cannot be trusted. */
export function refused(keyId: string, fault: KeyRecordFault, message: string): KeyRecordError {
  return new KeyRecordError(keyId, fault, message)
}

function encodeRecord(record: UnsignedRecord): Buffer {
  const wraps = record.wraps.flatMap((wrap) => [wrap.provider, wrap.keyId, wrap.ciphertext, wrap.wrappedAt])
  return lengthPrefixed([
    labels.recordMac,
    wrapAad(record),
    lengthPrefixed(wraps),
    record.state,
    record.stateAt,
    record.reason === null ? '0' : `1${record.reason}`,
    String(record.rev),
  ])
}

/** A root key has none; the tombstone of a root key is signed by the root key that was active when it was destroyed. */
function hasParent(record: KeyRecord): boolean {
  return record.purpose !== 'root' || record.state === 'destroyed'
}

function isText(value: unknown, pattern?: RegExp): value is string {
  return typeof value === 'string' && value.isWellFormed() && (pattern === undefined || pattern.test(value))
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1
}
