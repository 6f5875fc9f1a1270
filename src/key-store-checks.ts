import { assertArray, assertObject, assertOneOf, assertText, assertTexts, assertWhole } from './bytes.ts'
import { InvalidInputError } from './errors.ts'
import { isKeyRecord, isLogEntry, isLogHead, isShredEntry } from './key-record-shape.ts'
import {
  KEY_PURPOSES,
  KEY_STATES,
  type KeyCommit,
  type KeyLogAnchor,
  type KeyLogEntry,
  type KeyQuery,
  type KeyStore,
  type ShredLedger,
} from './key-store.ts'

const MAX_READ = 1000
const MAX_COMMIT = 10_000
const MAX_LOG = 10_000
const QUERY_TEXTS = ['scope', 'scopePrefix', 'parent', 'after'] as const

/**
 * Has a store refuse arguments of another kind, and more than the contract allows, with InvalidInputError, before any
 * work: what could not be read again is not written. It asks for each id once, and for a long log in pages.
 *
 * @param store changed in place, so that what is read when it is asked for stays so
 */
export function checkedKeyStore<Store extends KeyStore>(store: Store): Store {
  const { get, findActive, list, commit, log } = store
  const checked: Pick<KeyStore, 'get' | 'findActive' | 'list' | 'commit' | 'log'> = {
    async get(ids) {
      assertRead(ids, 'ids')
      return get([...new Set(ids)])
    },
    async findActive(purpose, scopes) {
      assertOneOf(KEY_PURPOSES, purpose, 'purpose')
      assertRead(scopes, 'scopes')
      return findActive(purpose, [...new Set(scopes)])
    },
    async list(query) {
      assertQuery(query)
      return list(query)
    },
    async commit(given) {
      assertCommit(given)
      return commit(given)
    },
    async log(after, limit) {
      assertPage(after, limit)
      const entries: KeyLogEntry[] = []
      for (let last = after; entries.length < limit; last = entries.at(-1)?.seq as number) {
        const page = Math.min(MAX_LOG, limit - entries.length)
        const read = await log(last, page)
        entries.push(...read)
        if (read.length < page) break
      }
      return entries
    },
  }
  return Object.assign(store, checked)
}

/** Has a ledger refuse what is no page and no entries, as `checkedKeyStore` does. */
export function checkedShredLedger({ name, read, append }: ShredLedger): ShredLedger {
  return {
    name,
    async read(after, limit) {
      assertPage(after, limit)
      return read(after, limit)
    },
    async append(entries) {
      assertArray(entries, 'entries')
      for (let at = 0; at < entries.length; at++) {
        const entry = entries[at]
        if (isShredEntry(entry) && entry.seq === (entries[0]?.seq as number) + at) continue
        throw new InvalidInputError('a ledger entry has a property of the wrong type or length, or is out of order')
      }
      return append(entries)
    },
  }
}

/** Has an anchor refuse what is no end of a key log, as `checkedKeyStore` does. */
export function checkedAnchor({ read, write }: KeyLogAnchor): KeyLogAnchor {
  return {
    read,
    async write(head) {
      if (!isLogHead(head)) {
        throw new InvalidInputError('the head of a key log must have a seq from 1 and a hash of 64 hexadecimal digits')
      }
      return write(head)
    },
  }
}

/** As many texts as one read may ask for. */
function assertRead(texts: unknown, name: string): asserts texts is readonly string[] {
  assertTexts(texts, name)
  assertWhole(texts.length, `the number of ${name}`, 0, MAX_READ)
}

function assertQuery(query: KeyQuery): void {
  assertObject(query, 'the query')
  assertWhole(query.limit, 'limit', 1, MAX_READ)
  if (query.purpose !== undefined) assertOneOf(KEY_PURPOSES, query.purpose, 'purpose')
  if (query.state !== undefined) assertOneOf(KEY_STATES, query.state, 'state')
  for (const name of QUERY_TEXTS) if (query[name] !== undefined) assertText(query[name], name)
}

function assertCommit(commit: KeyCommit): void {
  assertObject(commit, 'the commit')
  const { puts, log } = commit
  assertArray(puts, 'puts')
  assertWhole(puts.length, 'the number of puts', 0, MAX_COMMIT)
  for (const put of puts) {
    assertObject(put, 'each of the puts')
    if (!isKeyRecord(put.record)) throw new InvalidInputError('a key record has a property of the wrong type or length')
    if (put.replaces !== null) assertWhole(put.replaces, 'replaces', 0, Number.MAX_SAFE_INTEGER)
  }
  if (new Set(puts.map(({ record }) => record.id)).size < puts.length) {
    throw new InvalidInputError('a commit must write each record once')
  }
  if (log !== null && !isLogEntry(log)) {
    throw new InvalidInputError('a log entry has a property of the wrong type or length')
  }
}

function assertPage(after: number, limit: number): void {
  assertWhole(after, 'after', 0, Number.MAX_SAFE_INTEGER)
  assertWhole(limit, 'limit', 0, Number.MAX_SAFE_INTEGER)
}
