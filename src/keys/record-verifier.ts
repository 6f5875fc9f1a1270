import { KeyRecordError } from '../errors.ts'
import type { KeyPurpose, KeyRecord, KeyStore } from '../key-store.ts'
import type { KeyLedger } from './key-ledger.ts'
import { openKey } from './open-key.ts'
import { assertRecord, refused } from './record.ts'
import type { RootKey } from './root-key.ts'
import type { RootKeys } from './root-keys.ts'

/** Checks what a key store gives against the root keys and the key log, before any of it is used. */
export class RecordVerifier {
  readonly #name: string
  readonly #store: KeyStore
  readonly #roots: RootKeys
  readonly #ledger: KeyLedger

  constructor(options: { name: string; store: KeyStore; roots: RootKeys; ledger: KeyLedger }) {
    this.#name = options.name
    this.#store = options.store
    this.#roots = options.roots
    this.#ledger = options.ledger
  }

  /** A root key, checked against the key log, in which every root key stands. @throws KeyRecordError, KmsError */
  async root(id: string): Promise<RootKey> {
    const root = await this.#roots.get(id)
    if (this.#stands(root.record)) return root
    // The record was read before the log, or the log before the record: with both read again they must agree.
    await this.#ledger.sync()
    await this.#roots.reread(root)
    if (this.#stands(root.record)) return root
    const age = this.#ledger.current(root.record)
    if (age !== 'current') throw rolledBack(root.record, age)
    throw refused(id, 'log', 'the key log does not know this root key')
  }

  /** Checks a record; reads it again if it and the key log disagree. @throws KeyRecordError */
  async verified(record: KeyRecord): Promise<KeyRecord> {
    if (await this.#isCurrent(record)) return record
    await this.#ledger.sync()
    const [again] = await this.#store.get([record.id])
    if (again === undefined) throw refused(record.id, 'rollback', 'it is gone from the store')
    assertIsRecord(again, record.id)
    if (!(await this.#isCurrent(again))) throw rolledBack(again, this.#ledger.current(again))
    return again
  }

  #stands(root: KeyRecord): boolean {
    return this.#ledger.current(root) === 'current' && this.#ledger.knows(root.id)
  }

  async #isCurrent(record: KeyRecord): Promise<boolean> {
    assertRecord(record)
    if (record.store !== this.#name) {
      const owner = JSON.stringify(record.store)
      throw refused(record.id, 'store', `it belongs to ${owner}: check the name of this Strongroom`)
    }
    const root = await this.root(record.parent ?? record.id)
    if (!root.signed(record)) throw explain(root, record)
    return this.#ledger.current(record) === 'current'
  }
}

/** Refuses a record that a store gave in place of another. @throws KeyRecordError `misplaced` */
export function assertIsRecord(record: KeyRecord, id: string): void {
  assertRecord(record)
  if (record.id !== id) throw refused(id, 'misplaced', `the store gave the record of key ${record.id} in its place`)
}

/** Refuses a record that a store gave for another purpose or scope. @throws KeyRecordError `misplaced` */
export function assertPlace(record: KeyRecord, purpose: KeyPurpose, scopes: ReadonlySet<string>): void {
  assertRecord(record)
  if (record.purpose !== purpose || !scopes.has(record.scope)) {
    throw refused(record.id, 'misplaced', `the store gave it as the ${purpose} key of another scope`)
  }
}

/** Which kind of change broke the MAC: the wrap tells whether an attribute bound to it was changed as well. */
function explain(root: RootKey, record: KeyRecord): KeyRecordError {
  try {
    if (record.purpose !== 'root' && record.wraps.length > 0) openKey(root, record).wipe()
  } catch (error) {
    if (error instanceof KeyRecordError) return error
  }
  return refused(record.id, 'mac', 'its state, revision, reason or wraps were changed outside Strongroom')
}

function rolledBack(record: KeyRecord, age: string): KeyRecordError {
  return age === 'older'
    ? refused(
        record.id,
        'rollback',
        `it is at revision ${record.rev}, older than the key log says: an old copy was put back`,
      )
    : refused(record.id, 'log', `it is at revision ${record.rev}, which the key log does not know`)
}
