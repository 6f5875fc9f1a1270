import { Buffer } from 'node:buffer'
import { wipe } from '../bytes.ts'
import { hkdfExpand, labels } from '../crypto/kdf.ts'
import { KEY_LENGTH, NONCE_LENGTH, TAG_LENGTH, Xaes256Gcm } from '../crypto/xaes.ts'
import type { KeyLogEntry, KeyLogHead, KeyRecord } from '../key-store.ts'
import { entryMacMatches, type LogBody, nextEntry } from './log.ts'
import { recordMac, recordMacMatches, type UnsignedRecord, wrapAad } from './record.ts'

/**
 * A root key in memory: wraps other keys locally, and signs their records and the key log. It may be used until its
 * lease ends; only the KMS renews the lease, so that a KMS which takes a permission away takes the keys away too.
 */
export class RootKey {
  readonly #wrapper: Xaes256Gcm
  readonly #recordMacKey: Buffer
  readonly #logMacKey: Buffer
  record: KeyRecord
  /** Clock time in ms until which the key may be used. */
  validUntil = 0
  /** Clock time in ms until which the key may be used while the KMS cannot be reached; 0 outside such a time. */
  graceUntil = 0

  /** @param secret 32 bytes; not kept */
  constructor(secret: Uint8Array, record: KeyRecord) {
    const wrapKey = hkdfExpand(secret, labels.keyWrap, KEY_LENGTH)
    this.#wrapper = new Xaes256Gcm(wrapKey)
    wipe(wrapKey)
    this.#recordMacKey = hkdfExpand(secret, labels.recordMac, 32)
    this.#logMacKey = hkdfExpand(secret, labels.logMac, 32)
    this.record = record
  }

  get id(): string {
    return this.record.id
  }

  usable(now: number): boolean {
    return now < this.validUntil || now < this.graceUntil
  }

  /** @returns nonce, ciphertext and tag: 72 bytes for a key */
  wrap(secret: Uint8Array, record: UnsignedRecord): Buffer {
    const out = Buffer.alloc(NONCE_LENGTH + secret.byteLength + TAG_LENGTH)
    this.#wrapper.sealInto(out, 0, secret, wrapAad(record))
    return out
  }

  /** @returns the key, which the caller wipes, or undefined when the wrap or an attribute bound to it was changed */
  unwrap(wrapped: Buffer, record: UnsignedRecord): Buffer | undefined {
    return this.#wrapper.decryptFrom(wrapped, 0, wrapped.byteLength, wrapAad(record))
  }

  sign(record: UnsignedRecord): KeyRecord {
    return { ...record, mac: recordMac(this.#recordMacKey, record).toString('hex') }
  }

  signed(record: KeyRecord): boolean {
    return recordMacMatches(this.#recordMacKey, record)
  }

  signEntry(head: KeyLogHead, body: LogBody): KeyLogEntry {
    return nextEntry(head, body, this.id, this.#logMacKey)
  }

  signedEntry(entry: KeyLogEntry): boolean {
    return entryMacMatches(this.#logMacKey, entry)
  }

  wipe(): void {
    this.validUntil = 0
    this.graceUntil = 0
    this.#wrapper.wipe()
    wipe(this.#recordMacKey, this.#logMacKey)
  }
}
