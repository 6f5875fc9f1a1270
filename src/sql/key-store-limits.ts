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
      assertWithin('ids', ids.length, 0, MAX_READ)
      return store.get([...new Set(ids)])
    },
    findActive: async (purpose, scopes) => {
      assertWithin('scopes', scopes.length, 0, MAX_READ)
      return store.findActive(purpose, [...new Set(scopes)])
    },
    list: async (query) => {
      assertWithin('limit', query.limit, 1, MAX_READ)
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

/** Refuses a whole number outside of a range. @throws InvalidInputError */
export function assertWithin(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new InvalidInputError(`${name} must be ${min} to ${max}, received ${value}`)
  }
}

function assertCommit({ puts }: KeyCommit): void {
  assertWithin('puts', puts.length, 0, MAX_COMMIT)
  if (new Set(puts.map(({ record }) => record.id)).size < puts.length) {
    throw new InvalidInputError('a commit must write each record once')
  }
}
