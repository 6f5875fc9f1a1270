import { type MemoryKms, memoryKms } from '../../providers/memory/index.ts'
import { EventHub, type StrongroomEvent } from '../../src/events.ts'
import type { KeyCommit, KeyLogEntry, KeyRecord, KeyStore, ShredLedger } from '../../src/key-store.ts'
import type { Clock } from '../../src/keys/clock.ts'
import { KeyManager } from '../../src/keys/key-manager.ts'
import { Keyring, type KeyringOptions } from '../../src/keys/keyring.ts'
import { kmsGroup } from '../../src/keys/kms-group.ts'
import type { KmsProvider } from '../../src/kms.ts'

/** A clock that stands still until it is moved, and then runs the timers that are due. */
export class FakeClock implements Clock {
  #ms = 0
  #timers: { at: number; callback: () => void }[] = []
  readonly #epoch = Date.parse('2026-11-22T00:00:00.000Z')

  date(): Date {
    return new Date(this.#epoch + this.#ms)
  }

  now(): number {
    return this.#ms
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#ms + ms, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  hold(ms: number, callback: () => void): () => void {
    return this.after(ms, callback)
  }

  /** Times of the timers that wait, earliest first. */
  get waiting(): number[] {
    return this.#timers.map((timer) => timer.at).sort((a, b) => a - b)
  }

  /** Moves on, letting every timer that falls due finish its work. */
  async forward(ms: number): Promise<void> {
    await settled()
    const end = this.#ms + ms
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#ms = Math.max(this.#ms, due.at)
      this.#timers = this.#timers.filter((timer) => timer !== due)
      due.callback()
      await settled()
    }
    this.#ms = end
    await settled()
  }
}

/** Lets everything that waits for nothing but promises finish. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** A key store whose content a test can read and edit behind its back, and whose answers it can bend. */
export class EditableStore implements KeyStore {
  readonly name = 'editable'
  records = new Map<string, KeyRecord>()
  entries: KeyLogEntry[] = []
  readonly calls = { get: 0, findActive: 0, list: 0, commit: 0, log: 0 }
  /** Runs before each call; may throw. */
  before: (call: keyof EditableStore['calls'], argument?: unknown) => void = () => {}
  /** Bends what `get`, `findActive` and `list` answer. */
  bend: (call: 'get' | 'findActive' | 'list', records: KeyRecord[]) => KeyRecord[] = (_call, records) => records
  /** Runs after a commit was written; may throw, as a process dies. */
  after: (commit: KeyCommit) => void = () => {}

  async get(ids: readonly string[]): Promise<KeyRecord[]> {
    this.#count('get', ids)
    return this.bend(
      'get',
      this.#copies((record) => ids.includes(record.id)),
    )
  }

  async findActive(purpose: string, scopes: readonly string[]): Promise<KeyRecord[]> {
    this.#count('findActive', scopes)
    const wanted = new Set(scopes)
    const found = this.#copies((r) => r.purpose === purpose && r.state === 'active' && wanted.has(r.scope))
    return this.bend('findActive', found)
  }

  async list(query: Parameters<KeyStore['list']>[0]): Promise<KeyRecord[]> {
    this.#count('list', query)
    const matching = this.#copies(
      (r) =>
        (query.purpose === undefined || r.purpose === query.purpose) &&
        (query.state === undefined || r.state === query.state) &&
        (query.scope === undefined || r.scope === query.scope) &&
        (query.scopePrefix === undefined || r.scope.startsWith(query.scopePrefix)) &&
        (query.parent === undefined || r.parent === query.parent) &&
        (query.after === undefined || r.id > query.after),
    )
    return this.bend('list', matching.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, query.limit))
  }

  async log(after: number, limit: number): Promise<KeyLogEntry[]> {
    this.#count('log')
    return structuredClone(this.entries.slice(after, after + limit))
  }

  async commit(commit: KeyCommit): ReturnType<KeyStore['commit']> {
    this.#count('commit', commit)
    const ids = new Set(commit.puts.map((put) => put.record.id))
    const others = [...this.records.values()].filter((record) => !ids.has(record.id))
    const next = [...others, ...commit.puts.map((put) => put.record)]
    const active = next.filter((r) => r.state === 'active').map((r) => `${r.purpose} ${r.scope}`)
    const generations = next.map((r) => `${r.purpose} ${r.scope} ${r.generation}`)
    if (commit.log !== null && commit.log.seq !== this.entries.length + 1) return { written: false, conflict: 'log' }
    if (commit.puts.some(({ record, replaces }) => (this.records.get(record.id)?.rev ?? null) !== replaces)) {
      return { written: false, conflict: 'revision' }
    }
    if (new Set(active).size < active.length) return { written: false, conflict: 'active' }
    if (new Set(generations).size < generations.length) return { written: false, conflict: 'generation' }
    for (const { record } of commit.puts) this.records.set(record.id, structuredClone(record))
    if (commit.log !== null) this.entries.push(structuredClone(commit.log))
    this.after(commit)
    return { written: true }
  }

  /** Changes a stored record as somebody with access to the database could. */
  edit(id: string, changes: Partial<Record<keyof KeyRecord, unknown>>): void {
    const record = this.records.get(id)
    if (record === undefined) throw new Error(`no record ${id}`)
    this.records.set(id, { ...structuredClone(record), ...changes } as KeyRecord)
  }

  /** A copy of everything, to put back later. */
  snapshot(): { records: Map<string, KeyRecord>; entries: KeyLogEntry[] } {
    return { records: structuredClone(this.records), entries: structuredClone(this.entries) }
  }

  #count(call: keyof EditableStore['calls'], argument?: unknown): void {
    this.calls[call]++
    this.before(call, argument)
  }

  #copies(matches: (record: KeyRecord) => boolean): KeyRecord[] {
    return structuredClone([...this.records.values()].filter(matches))
  }
}

/** What `openKeys` takes; all optional. */
export interface KeysOptions extends Partial<Pick<KeyringOptions, 'name' | 'store' | 'maxKeys' | 'refreshInterval'>> {
  readonly kms?: KmsProvider | readonly KmsProvider[]
  readonly clock?: Clock
  readonly ttl?: number
  readonly grace?: number
  readonly minWraps?: number
  readonly shredLedger?: ShredLedger
  readonly init?: boolean
  readonly open?: boolean
}

/** One process: a keyring and a manager over a store, with everything they said. */
export async function openKeys(options: KeysOptions = {}) {
  const store = options.store ?? new EditableStore()
  const kms = options.kms ?? memoryKms()
  const clock = options.clock ?? new FakeClock()
  const events = new EventHub()
  const heard: StrongroomEvent[] = []
  events.on('*', (event) => heard.push(event))
  const providers = Array.isArray(kms) ? kms : [kms as KmsProvider]
  const group = kmsGroup({
    providers,
    events,
    maxAttempts: 1,
    openAfter: 1000, // its waits are real time, the clock here is not
    recoveryMs: 0,
    ...(options.minWraps === undefined ? {} : { minWraps: options.minWraps }),
  })
  const name = options.name ?? 'tests'
  const keyring = new Keyring({
    name,
    store,
    kms: group,
    events,
    clock,
    lease: { ttl: options.ttl ?? 300_000, grace: options.grace ?? 0 },
    maxKeys: options.maxKeys ?? 1000,
    refreshInterval: options.refreshInterval ?? 30_000,
    shredLedger: options.shredLedger,
  })
  const { shredLedger } = options
  const manager = new KeyManager({ name, store, keyring, kms: group, events, clock, shredLedger })
  if (options.init ?? true) await manager.init()
  if (options.open ?? true) await keyring.open()
  return { store, kms, clock, events, heard, keyring, manager, name }
}

/** A store, its KMS and its clock, with one process on them. */
export async function freshKeys(options: Omit<KeysOptions, 'store' | 'kms' | 'clock'> = {}) {
  const store = new EditableStore()
  const kms: MemoryKms = memoryKms()
  const clock = new FakeClock()
  const first = await openKeys({ ...options, store, kms, clock })
  return {
    ...first,
    store,
    kms,
    clock,
    again: async (more: KeysOptions = {}) => ({ ...(await openKeys({ store, kms, clock, ...more })), store, kms }),
  }
}
