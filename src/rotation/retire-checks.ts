import type { KeyInfo } from '../keys/key-info.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { REPORTS_BUCKET } from '../keys/report-proof.ts'
import type { AnyRecord } from '../records/record-types.ts'
import { indexList } from '../records/schema.ts'
import type { Table } from '../table.ts'
import { countCiphertexts, countTags, type KeyRows } from './key-rows.ts'

/** How long backups are kept: what a destroyed key encrypted is unreadable in them too. */
export interface BackupPolicy {
  /** Days after which no backup of the data is left. */
  readonly keepDays: number
  /** Days after which no backup of the key store is left; as `keepDays` by default. */
  readonly keyStoreKeepDays?: number
}

/** What a verdict on a key is made from: a configuration has all of it. */
export interface RetireParts {
  readonly name: string
  readonly records?: Readonly<Record<string, AnyRecord>>
  readonly tables?: Readonly<Record<string, Table | undefined>>
  readonly keyring?: { readonly refreshInterval?: number }
  readonly backups?: BackupPolicy
  /** Days between the retirement of a key and its destruction; 7 by default. */
  readonly quarantineDays?: number
}

/** What can stand against retiring or destroying a key. */
export type RetireCheckName =
  | 'state'
  | 'writers'
  | 'rows'
  | 'uncounted'
  | 'wraps'
  | 'jobs'
  | 'quarantine'
  | 'attempts'
  | 'backups'

/** One thing that was looked at. */
export interface RetireCheck {
  readonly check: RetireCheckName
  /** `later` stands against the next step, and not against this one. */
  readonly result: 'ok' | 'no' | 'later' | 'overridden'
  /** What was found, in plain words. */
  readonly message: string
  /** When it will be `ok` by itself, ISO 8601; absent where only somebody can make it so. */
  readonly until?: string
}

const DAY_MS = 86_400_000
const DEFAULT_QUARANTINE_DAYS = 7
const DEFAULT_REFRESH_MS = 30_000
const STALE_MS = 60_000
const MAX_JOBS = 1000

/** Whether the key is in a state from which this step may be taken. */
export function checkState({ state }: KeyInfo): RetireCheck {
  const no: Partial<Record<KeyInfo['state'], string>> = {
    active: 'it is the key that writes: rotate it first',
    pending: 'it has never written: `keys destroy` removes it',
    suspended: 'it is suspended: resume it, and re-encrypt its rows',
    destroyed: 'it is destroyed already',
  }
  const message = no[state]
  return message === undefined
    ? { check: 'state', result: 'ok', message: `it is ${state}: nothing is written under it` }
    : { check: 'state', result: 'no', message }
}

/** Processes that have not yet heard of the rotation still write under the old key. */
export function checkWriters({ keyring = {} }: RetireParts, { stateAt }: KeyInfo, now: Date): RetireCheck {
  const waitMs = 2 * (keyring.refreshInterval ?? DEFAULT_REFRESH_MS)
  const until = new Date(stateAt.getTime() + waitMs)
  return now >= until
    ? { check: 'writers', result: 'ok', message: 'every process has had the time to hear that it no longer writes' }
    : {
        check: 'writers',
        result: 'no',
        message: `processes that have not heard of the rotation may still write under it (twice keyring.refreshInterval)`,
        until: until.toISOString(),
      }
}

/** Rows under the key, counted now in every configured table. */
export async function countRows(
  { name, records = {}, tables = {} }: RetireParts,
  keys: Pick<KeyManager, 'scopeText'>,
  key: KeyInfo,
): Promise<KeyRows[]> {
  if (key.purpose === 'root') return []
  const scope = key.purpose === 'index' ? await keys.scopeText(key.id) : ''
  const counted: KeyRows[] = []
  for (const [record, table] of Object.entries(tables)) {
    const schema = records[record]
    if (table === undefined || schema === undefined) continue
    counted.push(
      ...(key.purpose === 'index'
        ? await countTags(name, schema, table, key, scope)
        : await countCiphertexts(schema, table, key.id)),
    )
  }
  return counted
}

/** What the count of rows says. */
export function checkRows(key: KeyInfo, counted: readonly KeyRows[]): RetireCheck {
  if (key.purpose === 'root') return { check: 'rows', result: 'ok', message: 'a root key encrypts no rows' }
  const left = counted.filter(({ rows }) => rows > 0)
  if (left.length === 0) {
    const columns = `${counted.length} ${counted.length === 1 ? 'column' : 'columns'}`
    return { check: 'rows', result: 'ok', message: `no row under it in ${columns}, counted now` }
  }
  const list = left.map(({ table, column, rows }) => `${rows.toLocaleString('en')} in ${table}.${column}`)
  return { check: 'rows', result: 'no', message: `rows are left under it: ${list.join(', ')}: re-encrypt them` }
}

/** What holds values and cannot be counted. What is not known to be zero is not zero. */
export function checkUncounted(
  { records = {}, tables = {} }: RetireParts,
  { purpose, scope }: KeyInfo,
  counted: readonly KeyRows[],
  passwords: string | undefined,
): RetireCheck {
  const ok = (message: string): RetireCheck => ({ check: 'uncounted', result: 'ok', message })
  const no = (message: string): RetireCheck => ({ check: 'uncounted', result: 'no', message })
  if (purpose === 'root') return ok('nothing of it is outside the key store')
  if (scope === `bucket=${REPORTS_BUCKET}`) {
    return no('reports and receipts proved with it could not be verified any more')
  }
  if (purpose === 'pepper') {
    const [record, column] = passwords?.split('.') ?? []
    const found = counted.some((one) => records[record ?? '']?.name === one.record && one.column === column)
    if (found) return ok(`the passwords in ${passwords} were counted`)
    return no(
      passwords === undefined
        ? 'nobody said which column of a configured table holds the passwords: they cannot be counted'
        : `${passwords} is no column of text or bytes of a configured table: the passwords cannot be counted`,
    )
  }
  const missing = Object.entries(records)
    .filter(([name]) => tables[name] === undefined)
    .filter(([, schema]) => purpose === 'data' || hasIndex(schema))
    .map(([name]) => name)
  if (missing.length > 0) return no(`without a table, and so not counted: ${missing.join(', ')}`)
  if (Object.keys(tables).length === 0) return no('the configuration names no table: nothing can be counted')
  return ok(
    'every record has a table; values that `room.encrypt` made are counted where they stand in these tables alone',
  )
}

/** What a root key still wraps. */
export async function checkWraps(keys: Pick<KeyManager, 'countWrapped'>, key: KeyInfo): Promise<RetireCheck> {
  if (key.purpose !== 'root') return { check: 'wraps', result: 'ok', message: 'it wraps no other key' }
  const count = await keys.countWrapped(key.id)
  return count === 0
    ? { check: 'wraps', result: 'ok', message: 'no key is wrapped under it' }
    : { check: 'wraps', result: 'no', message: `${count.toLocaleString('en')} keys stand under it: rewrap` }
}

/** Jobs that are running, or wait to be started again, may have rows of the key in hand. */
export async function checkJobs({ tables = {} }: RetireParts, { purpose }: KeyInfo): Promise<RetireCheck> {
  if (purpose === 'root') return { check: 'jobs', result: 'ok', message: 'no job works with a root key' }
  const query = { limit: MAX_JOBS, staleMs: STALE_MS }
  const jobs = (await Promise.all(Object.values(tables).map((table) => table?.jobs.list(query) ?? []))).flat()
  const open = new Map(jobs.filter(({ state }) => state !== 'done').map((job) => [job.id, job]))
  if (open.size === 0) return { check: 'jobs', result: 'ok', message: 'no job is unfinished' }
  const list = [...open.values()].map(({ kind, record, state }) => `${kind} of ${record} (${state})`)
  return { check: 'jobs', result: 'no', message: `jobs are not finished: ${list.join(', ')}` }
}

/** The time between retirement and destruction, in which whoever needs the key can say so. */
export function checkQuarantine(parts: RetireParts, key: KeyInfo, now: Date): RetireCheck {
  const days = parts.quarantineDays ?? DEFAULT_QUARANTINE_DAYS
  const from = isRetired(key) ? key.stateAt : now
  const until = new Date(from.getTime() + days * DAY_MS)
  if (isRetired(key) && now >= until) {
    return { check: 'quarantine', result: 'ok', message: `it was out of use for ${days} days` }
  }
  const result = isRetired(key) ? 'no' : 'later'
  return {
    check: 'quarantine',
    result,
    message: `it stays out of use for ${days} days first`,
    until: until.toISOString(),
  }
}

/** Whoever wanted to decrypt under the key meanwhile still needs it. */
export async function checkAttempts(keys: Pick<KeyManager, 'attempts'>, key: KeyInfo): Promise<RetireCheck> {
  if (!isRetired(key))
    return { check: 'attempts', result: 'later', message: 'attempts to use it are counted from then on' }
  const { reports, last } = await keys.attempts(key.id)
  return reports === 0
    ? { check: 'attempts', result: 'ok', message: 'nobody wanted to decrypt under it since it was retired' }
    : {
        check: 'attempts',
        result: 'no',
        message: `something still wants to decrypt under it: ${reports.toLocaleString('en')} reports, the last at ${last}`,
      }
}

/**
 * Backups of the data. They may hold rows under the key until its retirement, when the count was zero; from then on every
 * new backup is free of it.
 */
export function checkBackups({ backups }: RetireParts, key: KeyInfo, now: Date): RetireCheck {
  if (key.purpose === 'root')
    return { check: 'backups', result: 'ok', message: 'backups of the data hold nothing of it' }
  const result = isRetired(key) ? 'no' : 'later'
  if (backups === undefined) {
    return { check: 'backups', result, message: 'the configuration does not say how long backups are kept (`backups`)' }
  }
  const { keepDays } = backups
  const from = isRetired(key) ? key.stateAt : now
  const until = new Date(from.getTime() + keepDays * DAY_MS)
  const message = `backups from before its retirement can hold rows under it; they are kept for ${keepDays} days`
  return isRetired(key) && now >= until
    ? { check: 'backups', result: 'ok', message: `backups from before its retirement have expired (${keepDays} days)` }
    : { check: 'backups', result, message, until: until.toISOString() }
}

/** Whether the key waits to be destroyed. */
export function isRetired({ state }: KeyInfo): boolean {
  return state === 'destroy_scheduled'
}

function hasIndex({ fields, options }: AnyRecord): boolean {
  return (
    Object.values(fields).some((field) => indexList(field.options).length > 0) ||
    Object.keys(options.indexes ?? {}).length > 0
  )
}
