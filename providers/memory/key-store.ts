import { InvalidInputError } from '../../src/errors.ts'
import type {
  CommitResult,
  KeyCommit,
  KeyLogEntry,
  KeyPut,
  KeyQuery,
  KeyRecord,
  KeyStore,
} from '../../src/key-store.ts'

/** A key store in memory that can say how much it holds. */
export interface MemoryKeyStore extends KeyStore {
  readonly size: number
}

/**
 * A key store inside this process: for tests, demonstrations, and as the working copy of stores that keep everything in
 * one place. Finding by id or by scope takes the same time with 10 records and with a million.
 *
 * @param initial records and log to start from; they are not checked
 */
export function memoryKeyStore(
  initial: { records?: readonly KeyRecord[]; log?: readonly KeyLogEntry[] } = {},
): MemoryKeyStore {
  const records = new Map<string, KeyRecord>()
  const active = new Map<string, string>()
  const generations = new Map<string, string>()
  const log: KeyLogEntry[] = (initial.log ?? []).map(copyEntry)
  let sortedIds: string[] | undefined

  for (const record of initial.records ?? []) set(record)

  return {
    name: 'memory',
    get size() {
      return records.size
    },
    async get(ids) {
      bound('ids', ids.length, 0, MAX_READ)
      return [...new Set(ids)].flatMap((id) => copyOf(records.get(id)))
    },
    async findActive(purpose, scopes) {
      bound('scopes', scopes.length, 0, MAX_READ)
      return [...new Set(scopes)].flatMap((scope) => copyOf(records.get(active.get(slot(purpose, scope)) ?? '')))
    },
    async list(query) {
      bound('limit', query.limit, 1, MAX_READ)
      sortedIds ??= [...records.keys()].sort()
      const page: KeyRecord[] = []
      for (let at = query.after === undefined ? 0 : firstAbove(sortedIds, query.after); at < sortedIds.length; at++) {
        const record = records.get(sortedIds[at] as string) as KeyRecord
        if (matches(record, query)) page.push(copy(record))
        if (page.length === query.limit) break
      }
      return page
    },
    async commit(commit) {
      bound('puts', commit.puts.length, 0, MAX_COMMIT)
      const conflict = conflictOf(commit)
      if (conflict !== undefined) return { written: false, conflict }
      for (const { record } of commit.puts) unset(record.id)
      for (const { record } of commit.puts) set(record)
      if (commit.log !== null) log.push(copyEntry(commit.log))
      return { written: true }
    },
    async log(after, limit) {
      return log.slice(Math.max(0, after), Math.max(0, after) + limit).map(copyEntry)
    },
  }

  function conflictOf(commit: KeyCommit): Exclude<CommitResult, { written: true }>['conflict'] | undefined {
    const ids = new Set(commit.puts.map((put) => put.record.id))
    if (ids.size < commit.puts.length) throw new InvalidInputError('a commit must write each record once')
    if (commit.log !== null && commit.log.seq !== log.length + 1) return 'log'
    if (commit.puts.some((put) => (records.get(put.record.id)?.rev ?? null) !== put.replaces)) return 'revision'
    if (
      taken(
        commit.puts.filter((put) => put.record.state === 'active'),
        ids,
        active,
        activeSlot,
      )
    )
      return 'active'
    if (taken(commit.puts, ids, generations, generationSlot)) return 'generation'
    return undefined
  }

  function set(record: KeyRecord): void {
    if (!records.has(record.id)) sortedIds = undefined
    const kept = copy(record)
    records.set(kept.id, kept)
    generations.set(generationSlot(kept), kept.id)
    if (kept.state === 'active') active.set(activeSlot(kept), kept.id)
  }

  function unset(id: string): void {
    const old = records.get(id)
    if (old === undefined) return
    generations.delete(generationSlot(old))
    if (old.state === 'active') active.delete(activeSlot(old))
  }
}

const MAX_READ = 1000
const MAX_COMMIT = 10_000

/** Whether two puts want one slot, or a put wants a slot of a record that this commit leaves as it is. */
function taken(
  puts: readonly KeyPut[],
  ids: ReadonlySet<string>,
  slots: ReadonlyMap<string, string>,
  slotOf: (record: KeyRecord) => string,
): boolean {
  const wanted = new Set<string>()
  for (const { record } of puts) {
    const slot = slotOf(record)
    const holder = slots.get(slot)
    if (wanted.has(slot) || (holder !== undefined && !ids.has(holder))) return true
    wanted.add(slot)
  }
  return false
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

function copyOf(record: KeyRecord | undefined): KeyRecord[] {
  return record === undefined ? [] : [copy(record)]
}

function copy(record: KeyRecord): KeyRecord {
  return { ...record, wraps: record.wraps.map((wrap) => ({ ...wrap })) }
}

function copyEntry(entry: KeyLogEntry): KeyLogEntry {
  return { ...entry, changes: entry.changes.map((change) => ({ ...change })) }
}

function bound(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidInputError(`${name} must be ${min} to ${max}, received ${value}`)
  }
}
