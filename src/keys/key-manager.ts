import { assertArray, assertObject, assertText, describe } from '../bytes.ts'
import { InvalidInputError, KeyStateError } from '../errors.ts'
import type { EventHub } from '../events.ts'
import { KEY_PURPOSES, type KeyPurpose, type KeyStore, LOCAL_PURPOSES, type ShredLedger } from '../key-store.ts'
import { type AddOptions, addKey } from './add-key.ts'
import { AttemptLog } from './attempts.ts'
import type { Clock } from './clock.ts'
import { ensureActive } from './create-keys.ts'
import { makeFirstRoot } from './first-root.ts'
import { assertKeyId, assertOptions, assertPurpose, assertReason } from './key-arguments.ts'
import { type KeyInfo, keyInfo } from './key-info.ts'
import type { Attempts } from './key-ledger.ts'
import { keyPages } from './key-pages.ts'
import { commitSize, type KeyParts, readKey } from './key-parts.ts'
import { type KeyStep, type KeyStepPlan, STEP_ACTIONS } from './key-step.ts'
import { KeyWriter } from './key-writer.ts'
import type { Keyring } from './keyring.ts'
import type { KmsGroup } from './kms-group.ts'
import { type ListOptions, listKeys } from './list-keys.ts'
import {
  type Proved,
  proveReport,
  type ReportBody,
  type ReportVerdict,
  reportsScope,
  verifyReport,
} from './report-proof.ts'
import { type RewrapOptions, type RewrapReport, rewrapKeys } from './rewrap-keys.ts'
import { planRewrap, type RewrapPlan } from './rewrap-plan.ts'
import { type Rotation, rotateRoot, rotateScopes, swap } from './rotate-keys.ts'
import { planRootRotation, planScopeRotation, type RotationPlan } from './rotation-plan.ts'
import { encodeScope, type KeyScope } from './scope.ts'
import { replayShreds, type ShreddedKey, type ShredKeysOptions, shredExpired, shredScope } from './shred-keys.ts'
import { nextStates } from './states.ts'
import { planStep, takeStep } from './take-step.ts'

/** Which keys to rotate. */
export interface RotateOptions {
  /** `data` by default. */
  readonly purpose?: KeyPurpose
  /** The empty scope by default; `'all'` for every scope that has an active key. */
  readonly scope?: KeyScope | 'all'
  /** For the record; at most 1,000 characters. */
  readonly reason?: string
  /** Stops between two batches. */
  readonly signal?: AbortSignal
  /** Told the keys done so far, after each batch. */
  readonly onProgress?: (rotated: number) => void
}

const BATCH = 500

/** The life of keys. The only part of Strongroom that writes the key store. */
export class KeyManager {
  readonly #parts: KeyParts
  readonly #shredLedger: ShredLedger | undefined

  /** Made by `openStrongroom`; see `room.keys`. */
  constructor(options: {
    name: string
    store: KeyStore
    keyring: Keyring
    kms: KmsGroup
    events: EventHub
    clock: Clock
    shredLedger?: ShredLedger | undefined
  }) {
    this.#shredLedger = options.shredLedger
    this.#parts = { ...options, writer: new KeyWriter(options) }
    const attempts = new AttemptLog(options)
    options.keyring.onAttempt = (id) => attempts.note(id)
  }

  /**
   * Makes the first root key of an empty store: one KMS call for each configured KMS. Does nothing when there is one.
   *
   * @returns whether it made one
   * @throws KmsError, KeyStoreError
   */
  async init(): Promise<boolean> {
    return makeFirstRoot(this.#parts)
  }

  /**
   * One page of keys in order of id, each checked.
   *
   * @throws KeyRecordError when a record was changed outside Strongroom; InvalidInputError, KeyStoreError
   */
  async list(options: ListOptions = {}): Promise<KeyInfo[]> {
    assertOptions(options)
    return listKeys(this.#parts, options)
  }

  /** One key, read now and checked. @throws InvalidInputError, KeyNotFoundError, KeyRecordError, KeyStoreError */
  async get(id: string): Promise<KeyInfo> {
    return keyInfo(await readKey(this.#parts, id))
  }

  /** Makes a key that waits: it encrypts nothing until `promote`. @throws InvalidInputError, KeyStoreError */
  async add(options: AddOptions = {}): Promise<KeyInfo> {
    assertOptions(options)
    return addKey(this.#parts, options)
  }

  /** Lets a waiting key take over: it becomes active, the active key of its scope decrypt_only. @throws KeyStateError */
  async promote(id: string, reason?: string): Promise<Rotation> {
    assertReason(reason)
    const waiting = await readKey(this.#parts, id)
    if (waiting.state !== 'pending') throw new KeyStateError(id, waiting.state, 'promote', nextStates(waiting.state))
    const [rotation] = await swap(this.#parts, 'promote', [waiting], reason)
    return rotation as Rotation
  }

  /**
   * Makes a new key the writing key of a scope, or of all. Data under the old key stays readable until it is encrypted
   * again. Safe to run again after a crash at any moment.
   *
   * @returns what was rotated, one entry a scope
   * @throws KeyUnavailableError when the scope has no active key; the signal's reason
   * @throws InvalidInputError, KmsError, KeyStoreError, KeyRecordError
   */
  async rotate(options: RotateOptions = {}): Promise<Rotation[]> {
    assertOptions(options)
    const { purpose = 'data', scope = {}, reason } = options
    assertPurpose(purpose, KEY_PURPOSES)
    assertReason(reason)
    if (purpose === 'root') return [await rotateRoot(this.#parts, reason)]
    if (scope !== 'all') return rotateScopes(this.#parts, purpose, [encodeScope(scope, this.#parts.name)], reason)
    const rotations: Rotation[] = []
    const scopes = await this.#activeScopes(purpose)
    const batch = commitSize(this.#parts.store, BATCH * 2) >> 1 // an old and a new key for each scope
    for (let at = 0; at < scopes.length; at += batch) {
      options.signal?.throwIfAborted()
      rotations.push(...(await rotateScopes(this.#parts, purpose, scopes.slice(at, at + batch), reason)))
      options.onProgress?.(rotations.length)
    }
    return rotations
  }

  /**
   * What `rotate` would do now. Makes no key and changes nothing.
   *
   * @throws KeyUnavailableError when the scope has no active key
   */
  async planRotation(options: Pick<RotateOptions, 'purpose' | 'scope'> = {}): Promise<RotationPlan> {
    assertOptions(options)
    const { purpose = 'data', scope = {} } = options
    assertPurpose(purpose, KEY_PURPOSES)
    if (purpose === 'root') return planRootRotation(this.#parts)
    const scopes = scope === 'all' ? await this.#activeScopes(purpose) : [encodeScope(scope, this.#parts.name)]
    return planScopeRotation(this.#parts, purpose, scopes)
  }

  /**
   * Wraps the same keys anew: root keys under every KMS configured now, all other keys under the active root key.
   * Repairs missing wraps, and moves from one KMS to another. No data is touched. Safe to run again after a crash.
   *
   * @throws KmsError, KeyStoreError
   */
  async rewrap(options: RewrapOptions = {}): Promise<RewrapReport> {
    assertOptions(options)
    return rewrapKeys(this.#parts, options)
  }

  /** What `rewrap` would do now. Has every root key opened by the KMS; wraps none and changes nothing. @throws KmsError, KeyStoreError */
  async planRewrap(): Promise<RewrapPlan> {
    return planRewrap(this.#parts)
  }

  /**
   * Stops all use of a key until `resume`. Its scope cannot encrypt meanwhile.
   *
   * @throws KeyStateError unless it is active, and for a root key, on which all others stand
   */
  async suspend(id: string, reason?: string): Promise<KeyInfo> {
    return this.#step('suspend', id, reason)
  }

  /** Ends a suspension: the key is active again, or decrypt_only when another key took its place. @throws KeyStateError */
  async resume(id: string, reason?: string): Promise<KeyInfo> {
    return this.#step('resume', id, reason)
  }

  /**
   * Declares a key known to others. A key that still writes is rotated first. From then on it decrypts only where
   * `allow: ['compromised']` is given, so that its data can be encrypted again.
   *
   * @throws KeyStateError
   */
  async compromise(id: string, reason?: string): Promise<KeyInfo> {
    return this.#step('compromise', id, reason)
  }

  /** Takes a key out of use before it is destroyed; `cancelRetire` takes it back. @throws KeyStateError */
  async retire(id: string, reason?: string): Promise<KeyInfo> {
    return this.#step('retire', id, reason)
  }

  /** Takes a retired key back into use for decryption. @throws KeyStateError, also for one that was shredded */
  async cancelRetire(id: string, reason?: string): Promise<KeyInfo> {
    return this.#step('cancelRetire', id, reason)
  }

  /**
   * Destroys a key: its wraps are deleted, and what it encrypted can never be read again. The record stays as a
   * tombstone. Copies in backups of the store live until the root key they are wrapped under is destroyed too, and the
   * backups expire or the KMS key that wrapped that root key is deleted: see the guide to operating keys.
   *
   * @throws KeyStateError unless the key is pending, active, suspended or retired
   */
  async destroy(id: string, reason?: string): Promise<KeyInfo> {
    return this.#step('destroy', id, reason)
  }

  /**
   * What one of these steps would do to a key now. Changes nothing.
   *
   * @throws KeyStateError when the key may not take it; InvalidInputError, KeyNotFoundError, KeyRecordError
   */
  async planStep(step: KeyStep, id: string): Promise<KeyStepPlan> {
    if (!Object.keys(STEP_ACTIONS).includes(step)) {
      throw new InvalidInputError(
        `step must be one of ${Object.keys(STEP_ACTIONS).join(', ')}, received ${describe(step)}`,
      )
    }
    return planStep(this.#parts, this.#shredLedger, step, id)
  }

  /**
   * Erases by destroying keys: every key of this scope, and of the scopes within it, whatever its state. Each is first
   * taken out of use, then written into the shred ledger, if there is one, then destroyed; safe to run again after a crash.
   * `shred` does this and clears index columns too.
   *
   * @param scope a tenant, a subject, a bucket, or several of them, exactly as they were encrypted under; a UUID in either
   *   case takes the keys of rows
   * @returns every key of the scope, those that were destroyed before included
   * @throws InvalidInputError for the empty scope, and for the bucket `strongroom.reports`, whose key proves receipts
   * @throws KeyRecordError, KeyStoreError
   */
  async shred(scope: KeyScope, options: ShredKeysOptions = {}): Promise<ShreddedKey[]> {
    assertOptions(options)
    assertReason(options.reason)
    assertObject(scope, 'scope')
    return shredScope(this.#parts, this.#shredLedger, scope, options)
  }

  /** Shreds every key whose `expiresAt` has come. @returns those keys @throws as `shred`; the signal's reason */
  async shredExpired(options: ShredKeysOptions = {}): Promise<ShreddedKey[]> {
    assertOptions(options)
    assertReason(options.reason)
    return shredExpired(this.#parts, this.#shredLedger, options)
  }

  /**
   * Destroys the keys that the shred ledger names and that an old copy of the store brought back.
   *
   * @returns the keys that were back
   * @throws InvalidInputError without a ledger
   * @throws KeyStoreError `corrupt` for a ledger that was changed: nothing was destroyed
   */
  async replayShreds(options: ShredKeysOptions = {}): Promise<ShreddedKey[]> {
    assertOptions(options)
    if (this.#shredLedger === undefined) throw new InvalidInputError('the configuration has no shredLedger')
    return replayShreds(this.#parts, this.#shredLedger, options)
  }

  /** How often others wanted to decrypt under a key since it was retired. @throws KeyNotFoundError, KeyRecordError */
  async attempts(id: string): Promise<Attempts> {
    const { state, stateAt } = await readKey(this.#parts, id)
    if (state !== 'destroy_scheduled') return { reports: 0, last: null }
    await this.#parts.keyring.ledger.sync()
    return this.#parts.keyring.ledger.attempts(id, stateAt)
  }

  /** How many keys, and tombstones of keys, stand under a root key. Read now, a page at a time. @throws KeyStoreError */
  async countWrapped(rootId: string): Promise<number> {
    assertKeyId(rootId)
    let count = 0
    for await (const page of keyPages(this.#parts.store, { parent: rootId })) count += page.length
    return count
  }

  /** The canonical text of a key's scope, which `KeyInfo` shows in words. @throws KeyNotFoundError, KeyRecordError */
  async scopeText(id: string): Promise<string> {
    return (await readKey(this.#parts, id)).scope
  }

  /** Adds to a report what proves that it was made with these keys and not changed since. @throws KmsError, KeyStoreError */
  async proveReport<Body extends ReportBody>(body: Body): Promise<Proved<Body>> {
    await this.ensureActive('data', [reportsScope(this.#parts.name)])
    return proveReport(this.#parts.keyring, body)
  }

  /** Whether a report, as read from JSON, was made with these keys and not changed since. @throws InvalidInputError when it is none */
  verifyReport(report: unknown): Promise<ReportVerdict> {
    return verifyReport(this.#parts.keyring, report)
  }

  /**
   * Brings the active keys of these scopes into memory, making those that never existed.
   *
   * @param scopes canonical texts, as `scopeText` gives them
   * @throws KeyUnavailableError when a scope has keys and none is active
   * @throws InvalidInputError, KmsError, KeyStoreError, KeyRecordError
   */
  async ensureActive(purpose: 'data' | 'index' | 'pepper', scopes: readonly string[]): Promise<void> {
    if (purpose === undefined) throw new InvalidInputError('purpose must be data, index or pepper, received undefined')
    assertPurpose(purpose, LOCAL_PURPOSES)
    assertArray(scopes, 'scopes')
    for (const scope of scopes) assertText(scope, 'a scope')
    return ensureActive(this.#parts, purpose, scopes)
  }

  async #step(step: KeyStep, id: string, reason: string | undefined): Promise<KeyInfo> {
    assertReason(reason)
    return takeStep(this.#parts, this.#shredLedger, step, id, reason)
  }

  async #activeScopes(purpose: KeyPurpose): Promise<string[]> {
    const scopes: string[] = []
    for await (const page of keyPages(this.#parts.store, { purpose, state: 'active' })) {
      scopes.push(...page.map((record) => record.scope))
    }
    return scopes
  }
}
