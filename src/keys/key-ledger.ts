import type { KeyRecordError } from '../errors.ts'
import type { EventHub } from '../events.ts'
import type { KeyLogAnchor, KeyLogChange, KeyLogEntry, KeyLogHead, KeyRecord, KeyStore } from '../key-store.ts'
import { followLog, LOG_START } from './log.ts'
import { refused } from './record.ts'
import type { RootKeys } from './root-keys.ts'

/** What the key log holds of attempts to use a retired key. */
export interface Attempts {
  /** Entries in the key log: at most one a minute and process. */
  readonly reports: number
  /** ISO 8601; null when there was none. */
  readonly last: string | null
}

/** The action of a log entry that changes nothing: somebody wanted to decrypt under a retired key. */
export const ATTEMPT = 'attempt'

const PAGE = 1000

/**
 * What the key log says each changed key must look like. The log holds every change to an existing key, so a record
 * that is older than the log says was put back by somebody, and is refused.
 */
export class KeyLedger {
  readonly #store: KeyStore
  readonly #roots: RootKeys
  readonly #latest = new Map<string, KeyLogChange>()
  /** When retired keys were wanted, by key. */
  readonly #attempts = new Map<string, string[]>()
  readonly #events: EventHub
  readonly #anchor: KeyLogAnchor | undefined
  #anchored: KeyLogHead | undefined
  #head: KeyLogHead = LOG_START
  readonly #unfollowed = new Map<string, KeyLogChange>()
  #flight: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(options: { store: KeyStore; roots: RootKeys; events: EventHub; anchor?: KeyLogAnchor | undefined }) {
    this.#store = options.store
    this.#roots = options.roots
    this.#events = options.events
    this.#anchor = options.anchor
  }

  /** Where the log ends, as far as it was read. */
  get head(): KeyLogHead {
    return this.#head
  }

  /** Reads what is new in the log and checks it. @throws KeyRecordError `log` */
  sync(): Promise<void> {
    if (this.#flight === undefined) return this.#start()
    // A read that is under way may have begun before what its caller saw was written: those who come now share the next.
    const start = () => {
      this.#next = undefined
      return this.#start()
    }
    this.#next ??= this.#flight.then(start, start)
    return this.#next
  }

  /** Whether a record is the newest revision that the log, as far as it was read, knows of. */
  current(record: KeyRecord): 'current' | 'older' | 'newer' {
    const latest = this.#latest.get(record.id) ?? { rev: 1, state: record.state }
    if (record.rev < latest.rev) return 'older'
    if (record.rev > latest.rev) return 'newer'
    if (record.state !== latest.state) {
      throw refused(record.id, 'log', `its state is ${record.state} where the key log says ${latest.state}`)
    }
    return 'current'
  }

  /** Whether the log names this key at all. */
  knows(id: string): boolean {
    return this.#latest.has(id)
  }

  /** The newest change of a key that the log, as far as it was read, names. */
  latest(id: string): KeyLogChange | undefined {
    return this.#latest.get(id)
  }

  /** How often a retired key was wanted since a time, ISO 8601. */
  attempts(id: string, since: string): Attempts {
    const times = (this.#attempts.get(id) ?? []).filter((at) => at >= since)
    return { reports: times.length, last: times.at(-1) ?? null }
  }

  /** The newest change of each key that nobody has followed yet. */
  unfollowed(): KeyLogChange[] {
    return [...this.#unfollowed.values()]
  }

  /** Says that keys in memory are as these changes say. */
  followed(changes: readonly KeyLogChange[]): void {
    for (const change of changes) {
      if (this.#unfollowed.get(change.id) === change) this.#unfollowed.delete(change.id)
    }
  }

  #start(): Promise<void> {
    this.#flight = this.#read().finally(() => {
      this.#flight = undefined
    })
    return this.#flight
  }

  async #read(): Promise<void> {
    const changes: KeyLogChange[] = []
    const attempts: KeyLogEntry[] = []
    let head = this.#head
    let last: KeyLogEntry | undefined
    await this.#assertHeadStands()
    const anchored = this.#anchored ?? (await this.#anchor?.read()) ?? LOG_START
    for (;;) {
      const entries = await this.#store.log(head.seq, PAGE)
      head = followLog(head, entries)
      for (const entry of entries) {
        // An attempt changes nothing, whatever revision of the key it names.
        if (entry.action === ATTEMPT) attempts.push(entry)
        else changes.push(...entry.changes)
        if (entry.seq === anchored.seq && entry.hash !== anchored.hash) throw cut(anchored)
      }
      last = entries.at(-1) ?? last
      if (entries.length < PAGE) break
    }
    if (head.seq < anchored.seq) throw cut(anchored)
    this.#anchored = anchored
    if (last !== undefined) await this.#adopt(last, head, changes, attempts)
    await this.#writeAnchor()
  }

  async #adopt(
    last: KeyLogEntry,
    head: KeyLogHead,
    changes: readonly KeyLogChange[],
    attempts: readonly KeyLogEntry[],
  ): Promise<void> {
    const root = await this.#roots.get(last.root)
    if (!root.signedEntry(last)) {
      throw refused('log', 'log', `entry ${last.seq} of the key log is not signed by root key ${last.root}`)
    }
    this.#head = head
    for (const change of changes) {
      this.#latest.set(change.id, change)
      this.#unfollowed.set(change.id, change)
    }
    for (const { at, changes } of attempts) {
      for (const { id } of changes) this.#attempts.set(id, [...(this.#attempts.get(id) ?? []), at])
    }
  }

  /** A log that no longer holds the last entry seen here was cut or replaced. */
  async #assertHeadStands(): Promise<void> {
    const { seq, hash } = this.#head
    if (seq === 0) return
    const [entry] = await this.#store.log(seq - 1, 1)
    if (entry?.seq !== seq || entry.hash !== hash) throw cut(this.#head)
  }

  /** What is committed stays committed when the anchor cannot be reached: it is written with the next look at the log. */
  async #writeAnchor(): Promise<void> {
    if (this.#anchor === undefined || this.#head.seq <= (this.#anchored?.seq ?? 0)) return
    const head = this.#head
    try {
      await this.#anchor.write(head)
      this.#anchored = head
    } catch {
      this.#events.emit({ type: 'anchor.failed', seq: head.seq })
    }
  }
}

function cut({ seq }: KeyLogHead): KeyRecordError {
  return refused(
    'log',
    'log',
    `entry ${seq} of the key log is gone or changed: an older copy of the store was put back`,
  )
}
