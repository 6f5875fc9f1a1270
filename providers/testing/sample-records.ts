import { randomBytes } from '../../src/crypto/random.ts'
import type { KeyLogEntry, KeyRecord } from '../../src/key-store.ts'

/** A record of a data key that looks like a real one; its MAC is random, for a store does not check it. */
export function sampleRecord(changes: Partial<KeyRecord> = {}): KeyRecord {
  const commitment = randomBytes(32).toString('hex')
  const id = changes.id ?? commitment.slice(0, 32)
  return {
    format: 1,
    id,
    commitment: id + commitment.slice(32),
    store: 'conformance',
    purpose: 'data',
    scope: '',
    generation: 1,
    parent: 'f'.repeat(32),
    createdAt: '2026-01-02T03:04:05.678Z',
    expiresAt: null,
    wraps: [
      {
        provider: 'memory',
        keyId: 'memory-1',
        ciphertext: randomBytes(72).toString('base64url'),
        wrappedAt: '2026-01-02T03:04:05.678Z',
      },
    ],
    state: 'active',
    stateAt: '2026-01-02T03:04:05.678Z',
    reason: null,
    rev: 1,
    mac: randomBytes(32).toString('hex'),
    ...changes,
  }
}

/** The next revision of a record. */
export function nextRevision(record: KeyRecord, changes: Partial<KeyRecord> = {}): KeyRecord {
  return { ...record, ...changes, rev: record.rev + 1, mac: randomBytes(32).toString('hex') }
}

/** A log entry that looks like a real one. */
export function sampleEntry(seq: number, changes: Partial<KeyLogEntry> = {}): KeyLogEntry {
  return {
    seq,
    at: '2026-01-02T03:04:05.678Z',
    action: 'rotate',
    changes: [{ id: randomBytes(16).toString('hex'), rev: 2, state: 'decrypt_only' }],
    previous: seq === 1 ? '0'.repeat(64) : randomBytes(32).toString('hex'),
    hash: randomBytes(32).toString('hex'),
    root: 'f'.repeat(32),
    mac: randomBytes(32).toString('hex'),
    ...changes,
  }
}
