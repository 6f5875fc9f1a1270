import type { CommitResult, KeyCommit, KeyLogEntry, KeyPurpose, KeyQuery, KeyRecord } from '../../src/key-store.ts'

/** Why a commit cannot be written. */
export type Conflict = Exclude<CommitResult, { written: true }>['conflict']

/**
 * Key records and their log in memory, with the conditions of the `KeyStore` contract. What goes in and comes out is
 * copied, and arguments are not checked: `checkedKeyStore` is before it. Finding by id or by scope takes the same time with ten records and with a million.
 */
export class KeyTable {
  readonly #records = new Map<string, KeyRecord>()
  readonly #active = new Map<string, string>()
  readonly #generations = new Map<string, string>()
  readonly #log: KeyLogEntry[] = []
  #sortedIds: string[] | undefined

  /** Starts from records and log entries that are not checked and not copied: they belong to the table from now on. */
  constructor(records: Iterable<KeyRecord> = [], log: Iterable<KeyLogEntry> = []) {
    for (const record of records) this.#set(record)
    for (const entry of log) this.#log.push(entry)
  }

  get size(): number {
    return this.#records.size
  }

  get(ids: readonly string[]): KeyRecord[] {
    return ids.flatMap((id) => this.#copyOf(id))
  }

  findActive(purpose: KeyPurpose, scopes: readonly string[]): KeyRecord[] {
    return scopes.flatMap((scope) => this.#copyOf(this.#active.get(slot(purpose, scope))))
  }

  list(query: KeyQuery): KeyRecord[] {
    this.#sortedIds ??= [...this.#records.keys()].sort()
    const ids = this.#sortedIds
    const page: KeyRecord[] = []
    for (let at = query.after === undefined ? 0 : firstAbove(ids, query.after); at < ids.length; at++) {
      const record = this.#records.get(ids[at] as string) as KeyRecord
      if (matches(record, query)) page.push(copyRecord(record))
      if (page.length === query.limit) break
    }
    return page
  }

  log(after: number, limit: number): KeyLogEntry[] {
    return this.#log.slice(after, after + limit).map(copyEntry)
  }

  /** Which condition of the contract a commit breaks, if any. */
  conflictOf(commit: KeyCommit): Conflict | undefined {
    const ids = new Set(commit.puts.map((put) => put.record.id))
    if (commit.log !== null && commit.log.seq !== this.#log.length + 1) return 'log'
    if (commit.puts.some((put) => (this.#records.get(put.record.id)?.rev ?? null) !== put.replaces)) return 'revision'
    const records = commit.puts.map((put) => put.record)
    const active = records.filter((record) => record.state === 'active')
    if (taken(active.map(activeSlot), ids, this.#active)) return 'active'
    if (taken(records.map(generationSlot), ids, this.#generations)) return 'generation'
    return undefined
  }

  /** Writes a commit that has no conflict. */
  apply(commit: KeyCommit): void {
    for (const { record } of commit.puts) this.#unset(record.id)
    for (const { record } of commit.puts) this.#set(copyRecord(record))
    if (commit.log !== null) this.#log.push(copyEntry(commit.log))
  }

  #set(record: KeyRecord): void {
    if (!this.#records.has(record.id)) this.#sortedIds = undefined
    this.#records.set(record.id, record)
    this.#generations.set(generationSlot(record), record.id)
    if (record.state === 'active') this.#active.set(activeSlot(record), record.id)
  }

  #unset(id: string): void {
    const old = this.#records.get(id)
    if (old === undefined) return
    this.#generations.delete(generationSlot(old))
    if (old.state === 'active') this.#active.delete(activeSlot(old))
  }

  #copyOf(id: string | undefined): KeyRecord[] {
    const record = id === undefined ? undefined : this.#records.get(id)
    return record === undefined ? [] : [copyRecord(record)]
  }
}

/** Whether two of the wanted slots are one, or one belongs to a record outside this commit. */
function taken(wanted: readonly string[], ids: ReadonlySet<string>, slots: ReadonlyMap<string, string>): boolean {
  if (new Set(wanted).size < wanted.length) return true
  return wanted.some((slot) => {
    const holder = slots.get(slot)
    return holder !== undefined && !ids.has(holder)
  })
}

function slot(purpose: string, scope: string): string {
  return `${purpose} ${scope}`
}

function activeSlot(record: KeyRecord): string {
  return slot(record.purpose, record.scope)
}

function generationSlot(record: KeyRecord): string {
  return `${record.generation} ${activeSlot(record)}`
}

function matches(record: KeyRecord, query: KeyQuery): boolean {
  return (
    (query.purpose === undefined || record.purpose === query.purpose) &&
    (query.state === undefined || record.state === query.state) &&
    (query.scope === undefined || record.scope === query.scope) &&
    (query.scopePrefix === undefined || record.scope.startsWith(query.scopePrefix)) &&
    (query.parent === undefined || record.parent === query.parent)
  )
}

function firstAbove(sorted: readonly string[], id: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as string) > id) high = middle
    else low = middle + 1
  }
  return low
}

/** A record whose changes change nothing else. */
export function copyRecord(record: KeyRecord): KeyRecord {
  return { ...record, wraps: record.wraps.map((wrap) => ({ ...wrap })) }
}

/** A log entry whose changes change nothing else. */
export function copyEntry(entry: KeyLogEntry): KeyLogEntry {
  return { ...entry, changes: entry.changes.map((change) => ({ ...change })) }
}
