/**
 * Every error that Strongroom throws on purpose, one class per thing a caller does differently.
 *
 * Messages are lower-case, without a full stop, and never carry a secret, a plaintext or a ciphertext; key ids are fine.
 * Mistakes of the caller are `InvalidInputError`, a `TypeError`; everything else extends `StrongroomError`.
 */

/** The base of every error that is not the caller's mistake; `code` is stable across releases. */
export class StrongroomError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** An argument has the wrong type, size or shape; nothing was done. `code` is `ERR_INVALID_INPUT`. */
export class InvalidInputError extends TypeError {
  readonly code = 'ERR_INVALID_INPUT'

  constructor(message: string) {
    super(message)
    this.name = 'InvalidInputError'
  }
}

/** The configuration cannot work as written; the message says what to change. `code` is `ERR_CONFIG`. */
export class ConfigError extends StrongroomError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('ERR_CONFIG', message, options)
  }
}

/** The object was used after `close()`. `code` is `ERR_CLOSED`. */
export class ClosedError extends StrongroomError {
  constructor(what: string) {
    super('ERR_CLOSED', `${what} is closed`)
  }
}

/**
 * A value did not decrypt, for whatever reason that depends on the data: not ours, damaged, moved, truncated,
 * another key, another type. One message and no cause, so that nothing can be learned from which it was.
 * `code` is `ERR_DECRYPTION_FAILED`.
 */
export class DecryptionError extends StrongroomError {
  constructor() {
    super('ERR_DECRYPTION_FAILED', 'decryption failed')
  }
}

/**
 * Most rows of a batch failed to decrypt, which means a wrong key, context or schema rather than damaged rows.
 * `code` is `ERR_SYSTEMIC_FAILURE`.
 */
export class SystemicFailureError extends StrongroomError {
  /** Rows that failed. */
  readonly failed: number
  /** Rows of the batch. */
  readonly total: number

  constructor(
    failed: number,
    total: number,
    check = 'failed to decrypt: check the key store, the record name, the id and tenant columns before anything is written',
  ) {
    super('ERR_SYSTEMIC_FAILURE', `${failed} of ${total} rows ${check}`)
    this.failed = failed
    this.total = total
  }
}

/** A column in state `migrating` was read as plaintext after its `until` date. `code` is `ERR_MIGRATION_EXPIRED`. */
export class MigrationExpiredError extends StrongroomError {
  constructor(column: string, until: string) {
    super(
      'ERR_MIGRATION_EXPIRED',
      `column ${column} holds plaintext after its migration ended on ${until}: finish the migration, or move its \`until\``,
    )
  }
}

/**
 * A synchronous call needs a key that is not in memory. Nothing was encrypted or decrypted.
 * `code` is `ERR_KEY_NOT_RESIDENT`.
 */
export class KeyNotResidentError extends StrongroomError {
  constructor(what: string, hint: string) {
    super('ERR_KEY_NOT_RESIDENT', `${what} is not in memory: ${hint}`)
  }
}

/**
 * A synchronous call needs a tag of a slow index, which only a method with `Many` can make. Nothing was encrypted.
 * `code` is `ERR_SLOW_INDEX`.
 */
export class SlowIndexError extends StrongroomError {
  constructor(index: string) {
    super('ERR_SLOW_INDEX', `index ${index} is slow: use encryptMany, reencryptMany or indexMany`)
  }
}

/** A key exists but its state does not allow this use. `code` is `ERR_KEY_UNAVAILABLE`. */
export class KeyUnavailableError extends StrongroomError {
  /** Undefined when no key in particular was named, such as for a scope without an active key. */
  readonly keyId: string | undefined
  /** The state of the key; `expired` when its end has come, `none` when there is no key. */
  readonly state: string

  constructor(message: string, state: string, keyId?: string) {
    super('ERR_KEY_UNAVAILABLE', message)
    this.state = state
    this.keyId = keyId
  }
}

/** A step in the life of a key was asked for that its state does not allow. `code` is `ERR_KEY_STATE`. */
export class KeyStateError extends StrongroomError {
  readonly keyId: string
  /** The state that the key is in. */
  readonly state: string
  /** What was asked for, in words. */
  readonly action: string

  constructor(keyId: string, state: string, action: string, hint: string) {
    super('ERR_KEY_STATE', `cannot ${action} key ${keyId} while it is ${state}: ${hint}`)
    this.keyId = keyId
    this.state = state
    this.action = action
  }
}

/** No key has this id. `code` is `ERR_KEY_NOT_FOUND`. */
export class KeyNotFoundError extends StrongroomError {
  readonly keyId: string

  constructor(keyId: string) {
    super('ERR_KEY_NOT_FOUND', `the key store has no key ${keyId}`)
    this.keyId = keyId
  }
}

/** Why a key record was refused. */
export type KeyRecordFault =
  | 'malformed'
  | 'mac'
  | 'rollback'
  | 'commitment'
  | 'wrap'
  | 'parent'
  | 'store'
  | 'misplaced'
  | 'log'

/**
 * A key record or the key log was changed outside Strongroom, or an older copy was put back.
 * `fault` says which; the key is not used. `code` is `ERR_KEY_RECORD`.
 */
export class KeyRecordError extends StrongroomError {
  readonly keyId: string
  readonly fault: KeyRecordFault

  constructor(keyId: string, fault: KeyRecordFault, message: string) {
    super('ERR_KEY_RECORD', `key record ${keyId} refused: ${message}`)
    this.keyId = keyId
    this.fault = fault
  }
}

/** What went wrong in a key store. */
export type KeyStoreFault = 'unavailable' | 'conflict' | 'corrupt' | 'locked' | 'misconfigured'

/** The key store could not be read or written; `retryable` says whether trying again can help. `code` is `ERR_KEY_STORE`. */
export class KeyStoreError extends StrongroomError {
  readonly fault: KeyStoreFault
  readonly retryable: boolean

  constructor(fault: KeyStoreFault, message: string, options?: { cause?: unknown }) {
    super('ERR_KEY_STORE', message, options)
    this.fault = fault
    this.retryable = fault === 'unavailable' || fault === 'conflict' || fault === 'locked'
  }
}

/** Why a key management service refused or failed, the same words for every vendor. */
export type KmsErrorKind =
  | 'throttled'
  | 'unavailable'
  | 'denied'
  | 'key-disabled'
  | 'key-not-found'
  | 'context-mismatch'
  | 'invalid-ciphertext'
  | 'misconfigured'

/** A key management service refused or failed; the vendor's error is the `cause`. `code` is `ERR_KMS`. */
export class KmsError extends StrongroomError {
  /** The name of the provider. */
  readonly provider: string
  readonly kind: KmsErrorKind
  /** Whether trying again can help: when it was `throttled` or `unavailable`. */
  readonly retryable: boolean

  constructor(provider: string, kind: KmsErrorKind, message: string, options?: { cause?: unknown }) {
    super('ERR_KMS', `${provider}: ${message}`, options)
    this.provider = provider
    this.kind = kind
    this.retryable = kind === 'throttled' || kind === 'unavailable'
  }
}

/** What is wrong with a local key file. */
export type KeyFileFault = 'missing' | 'exists' | 'permissions' | 'damaged' | 'wrong-passphrase' | 'passphrase-required'

/** The local key file cannot be used; `fault` says why. `code` is `ERR_KEY_FILE`. */
export class KeyFileError extends StrongroomError {
  readonly fault: KeyFileFault

  constructor(fault: KeyFileFault, message: string, options?: { cause?: unknown }) {
    super('ERR_KEY_FILE', message, options)
    this.fault = fault
  }
}

/** Work was refused because its memory or queue budget is used up; try again after `retryAfter` ms. `code` is `ERR_OVERLOADED`. */
export class OverloadedError extends StrongroomError {
  /** ms to wait. */
  readonly retryAfter: number

  constructor(message: string, retryAfter: number) {
    super('ERR_OVERLOADED', message)
    this.retryAfter = retryAfter
  }
}

/** What went wrong with a table. */
export type TableFault = 'unavailable' | 'locked' | 'misconfigured'

/** A table could not be read or written; `retryable` says whether trying again can help. `code` is `ERR_TABLE`. */
export class TableError extends StrongroomError {
  readonly fault: TableFault
  readonly retryable: boolean

  constructor(fault: TableFault, message: string, options?: { cause?: unknown }) {
    super('ERR_TABLE', message, options)
    this.fault = fault
    this.retryable = fault !== 'misconfigured'
  }
}

/** Another job works on the table, or an unfinished one of another kind waits there. `code` is `ERR_JOB_BUSY`. */
export class JobBusyError extends StrongroomError {
  constructor(message: string) {
    super('ERR_JOB_BUSY', message)
  }
}

/** A job was taken over by another process while this one was silent; nothing was written. `code` is `ERR_JOB_LOST`. */
export class JobLostError extends StrongroomError {
  constructor() {
    super('ERR_JOB_LOST', 'the job was taken over by another process: this one stops')
  }
}

/** A step of a migration was asked for that its state does not allow; nothing was done. `code` is `ERR_MIGRATION_STATE`. */
export class MigrationStateError extends StrongroomError {
  /** The phase that the migration is in. */
  readonly phase: string

  constructor(phase: string, message: string) {
    super('ERR_MIGRATION_STATE', message)
    this.phase = phase
  }
}
