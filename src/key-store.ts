/** What a key is for. */
export type KeyPurpose = 'root' | 'data' | 'index' | 'pepper'

/** Every purpose of a key. */
export const KEY_PURPOSES: readonly KeyPurpose[] = ['root', 'data', 'index', 'pepper']
/** The purposes of keys that a root key wraps. */
export const LOCAL_PURPOSES: readonly Exclude<KeyPurpose, 'root'>[] = ['data', 'index', 'pepper']

/** Where a key stands in its life. Specification section 4.3; SP 800-57 part 1 section 7. */
export type KeyState =
  | 'pending'
  | 'active'
  | 'suspended'
  | 'decrypt_only'
  | 'compromised'
  | 'destroy_scheduled'
  | 'destroyed'

/** Every state of a key. */
export const KEY_STATES: readonly KeyState[] = [
  'pending',
  'active',
  'suspended',
  'decrypt_only',
  'compromised',
  'destroy_scheduled',
  'destroyed',
]

/** One wrapping of a key, in JSON-safe form. */
export interface KeyWrap {
  readonly provider: string
  readonly keyId: string
  /** base64url */
  readonly ciphertext: string
  /** ISO 8601, UTC */
  readonly wrappedAt: string
}

/**
 * A key as the store keeps it: a flat value that survives JSON. Everything in it is public; nothing in it is trusted
 * until its MAC, its commitment and its revision are checked.
 */
export interface KeyRecord {
  readonly format: 1
  /** 32 hexadecimal characters: the first half of `commitment`, and what every ciphertext names. */
  readonly id: string
  /** 64 hexadecimal characters; the unwrapped key must reproduce it. */
  readonly commitment: string
  /** The name of the Strongroom that made it. */
  readonly store: string
  readonly purpose: KeyPurpose
  /** Canonical text of the scope, empty for the one key of an application without scopes. At most 4,096 characters. */
  readonly scope: string
  /** 1, 2, 3, … within one purpose and scope. */
  readonly generation: number
  /** The root key that wraps it; null for a root key, which is wrapped by the KMS. */
  readonly parent: string | null
  readonly createdAt: string
  readonly expiresAt: string | null
  /** Empty once the key is destroyed. */
  readonly wraps: readonly KeyWrap[]
  readonly state: KeyState
  readonly stateAt: string
  readonly reason: string | null
  /** 1 when created, one more with every change. */
  readonly rev: number
  /** 64 hexadecimal characters */
  readonly mac: string
}

/** One key's new revision in a log entry. */
export interface KeyLogChange {
  readonly id: string
  readonly rev: number
  readonly state: KeyState
}

/** One change to existing keys. Each entry holds the hash of the one before it, and a MAC under a root key. */
export interface KeyLogEntry {
  /** 1, 2, 3, … without a gap. */
  readonly seq: number
  readonly at: string
  readonly action: string
  readonly changes: readonly KeyLogChange[]
  /** 64 hexadecimal characters; 64 zeros in the first entry. */
  readonly previous: string
  readonly hash: string
  /** Id of the root key whose MAC this is. */
  readonly root: string
  readonly mac: string
}

/** Which records to list; every given property must match. */
export interface KeyQuery {
  readonly purpose?: KeyPurpose
  readonly state?: KeyState
  readonly scope?: string
  /** Records whose scope starts with this. */
  readonly scopePrefix?: string
  readonly parent?: string
  /** Continue behind this id. */
  readonly after?: string
  /** Records at most, 1 to 1,000. */
  readonly limit: number
}

/** One record to write: `replaces` is the revision it takes the place of, null when the key must not exist yet. */
export interface KeyPut {
  readonly record: KeyRecord
  readonly replaces: number | null
}

/** Changes that happen together or not at all. */
export interface KeyCommit {
  readonly puts: readonly KeyPut[]
  /** Appended as it is; its `seq` must be one more than the last. */
  readonly log: KeyLogEntry | null
}

/**
 * Whether a commit was written. It is not when, at the moment of writing,
 * a record was not at the revision it `replaces` (`revision`),
 * two records of one purpose and scope would be active (`active`) or share a generation (`generation`),
 * or the log already holds that `seq` (`log`).
 */
export type CommitResult =
  | { readonly written: true }
  | { readonly written: false; readonly conflict: 'revision' | 'active' | 'generation' | 'log' }

/** Tables that a key store needs, and that are made on purpose or not at all. */
export interface KeyStoreTables {
  /** The SQL that makes them. */
  sql(): string
  /** Makes them where they do not exist. @returns whether it did @throws KeyStoreError */
  create(): Promise<boolean>
}

/**
 * Keeps key records and the key log. It decides nothing and checks nothing but the conditions of `commit`, which must
 * hold against every other process. A call with no list, query or commit is refused with a TypeError. Prove yours with `keyStoreConformance` from `strongroom/testing`.
 */
export interface KeyStore {
  /** What kind of store this is, for people. */
  readonly name: string

  /** The most records that one commit takes, where that is less than 10,000. */
  readonly maxCommit?: number

  /** The records with these ids, in any order, without those that do not exist. At most 1,000 ids. @throws KeyStoreError */
  get(ids: readonly string[]): Promise<KeyRecord[]>

  /** The active records of one purpose in these scopes, in any order. At most 1,000 scopes. @throws KeyStoreError */
  findActive(purpose: KeyPurpose, scopes: readonly string[]): Promise<KeyRecord[]>

  /** Records in order of id. @throws KeyStoreError */
  list(query: KeyQuery): Promise<KeyRecord[]>

  /** Writes everything or nothing, durably. At most 10,000 records. @throws KeyStoreError */
  commit(commit: KeyCommit): Promise<CommitResult>

  /** Log entries with `seq` above `after`, in order, at most `limit`. @throws KeyStoreError */
  log(after: number, limit: number): Promise<KeyLogEntry[]>

  /** How its tables are made, in a store that needs tables. */
  readonly tables?: KeyStoreTables

  /** Frees connections and files. Called by `Strongroom.close`. */
  close?(): Promise<void>
}

/** Where the key log ended when it was last seen: its length and the hash of its last entry, which covers all before it. */
export interface KeyLogHead {
  readonly seq: number
  /** 64 hexadecimal characters */
  readonly hash: string
}

/**
 * Keeps the head of the key log where whoever can write the key store cannot: another database, an object with a lock.
 * With it, putting an old copy of the whole store back is noticed.
 */
export interface KeyLogAnchor {
  /** The newest head that was written; undefined before the first. @throws KeyStoreError */
  read(): Promise<KeyLogHead | undefined>
  /** Keeps a head, unless a newer one is there already. @throws KeyStoreError */
  write(head: KeyLogHead): Promise<void>
}

/** One key that was shredded, as the ledger keeps it. It names no person and no tenant. */
export interface ShredEntry {
  /** 1, 2, 3, … without a gap. */
  readonly seq: number
  readonly at: string
  /** The name of the Strongroom. */
  readonly store: string
  readonly keyId: string
  /** 64 hexadecimal characters: made with the shredded key itself, which proves the entry wherever the key comes back. */
  readonly proof: string
  /** `hash` of the entry before; 64 zeros in the first. */
  readonly previous: string
  readonly hash: string
}

/**
 * An append-only list of shredded keys, kept apart from the key store and its backups: a restored copy of the store
 * that brings such a key back is noticed, and the key is destroyed again.
 */
export interface ShredLedger {
  /** What kind of ledger this is, for people. */
  readonly name: string
  /** Entries with `seq` above `after`, in order, at most `limit`. @throws KeyStoreError */
  read(after: number, limit: number): Promise<ShredEntry[]>
  /**
   * Appends entries in order, durably. After a crash a beginning of them may stand.
   *
   * @returns false, and nothing was written, when the first `seq` is not one more than the last that stands
   * @throws KeyStoreError
   */
  append(entries: readonly ShredEntry[]): Promise<boolean>
}
