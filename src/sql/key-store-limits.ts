import { assertWhole } from '../bytes.ts'
import { InvalidInputError } from '../errors.ts'
import type { KeyCommit, KeyLogEntry, KeyStore } from '../key-store.ts'

const MAX_READ = 1000
const MAX_COMMIT = 10_000
const MAX_LOG = 10_000

/** Holds callers to the limits of the contract, and reads a long log in pages, for a store that does neither itself. */
export function withLimits(store: KeyStore): KeyStore {
  return {
    ...store,
    get: async (ids) => {
      assertWhole(ids.length, 'ids', 0, MAX_READ)
      return store.get([...new Set(ids)])
    },
    findActive: async (purpose, scopes) => {
      assertWhole(scopes.length, 'scopes', 0, MAX_READ)
      return store.findActive(purpose, [...new Set(scopes)])
    },
    list: async (query) => {
      assertWhole(query.limit, 'limit', 1, MAX_READ)
      return store.list(query)
    },
    commit: async (commit) => {
      assertCommit(commit)
      return store.commit(commit)
    },
    log: async (after, limit) => {
      const most = Math.floor(limit)
      const entries: KeyLogEntry[] = []
      for (let last = Math.max(0, after); entries.length < most; last = entries.at(-1)?.seq as number) {
        const page = Math.min(MAX_LOG, most - entries.length)
        const read = await store.log(last, page)
        entries.push(...read)
        if (read.length < page) break
      }
      return entries
    },
  }
}

function assertCommit({ puts }: KeyCommit): void {
  assertWhole(puts.length, 'puts', 0, MAX_COMMIT)
  if (new Set(puts.map(({ record }) => record.id)).size < puts.length) {
    throw new InvalidInputError('a commit must write each record once')
  }
}
