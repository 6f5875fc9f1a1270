import { describe, expect, test } from 'vitest'
import { keyStoreConformance, kmsConformance, memoryKeyStore, memoryKms } from '../../../providers/testing/index.ts'
import type { KeyStore } from '../../../src/key-store.ts'
import type { KmsProvider } from '../../../src/kms.ts'

async function failures(cases: readonly { name: string; run: () => Promise<void> }[]): Promise<string[]> {
  const failed: string[] = []
  for (const { name, run } of cases) await run().catch(() => failed.push(name))
  return failed
}

/** Each breaks one promise in a way that a real back-end might. */
const brokenKms: Record<string, [(good: KmsProvider) => Partial<KmsProvider>, RegExp]> = {
  'ignores the context': [
    (good) => ({
      wrap: (key) => good.wrap(key, { context: {} }),
      unwrap: (wrapped) => good.unwrap(wrapped, { context: {} }),
    }),
    /wrong context/,
  ],
  'ignores the case of the context': [
    (good) => {
      const folded = (call: { context: Readonly<Record<string, string>> }) => ({
        context: JSON.parse(JSON.stringify(call.context).toLowerCase()),
      })
      return {
        wrap: (key, call) => good.wrap(key, folded(call)),
        unwrap: (key, call) => good.unwrap(key, folded(call)),
      }
    },
    /wrong context/,
  ],
  'accepts any key': [() => ({ accepts: () => true }), /another key/],
  'ignores bytes behind the ciphertext': [
    (good) => ({
      unwrap: (wrapped, call) => good.unwrap({ ...wrapped, ciphertext: wrapped.ciphertext.slice(0, 72) }, call),
    }),
    /truncated, extended/,
  ],
  'wipes the key it is given': [
    (good) => ({
      wrap: async (key, call) => {
        const wrapped = await good.wrap(key, call)
        key.fill(0)
        return wrapped
      },
    }),
    /not changed/,
  ],
  'returns a slice of shared memory': [
    (good) => ({
      unwrap: async (wrapped, call) => {
        const shared = Buffer.alloc(64)
        shared.set(await good.unwrap(wrapped, call))
        return shared.subarray(0, 32)
      },
    }),
    /memory of its own/,
  ],
  'ignores the signal': [
    (good) => ({ wrap: (key, { context }) => good.wrap(key, { context }) }),
    /signal that is already aborted/,
  ],
  'throws errors of its own': [
    (good) => ({ unwrap: (wrapped, call) => good.unwrap(wrapped, call).catch(() => Promise.reject(new Error('no'))) }),
    /wrong context/,
  ],
  'shows the key': [
    (good) => {
      const seen: string[] = []
      return {
        seen,
        wrap: (key, call) => {
          seen.push(Buffer.from(key).toString('hex'))
          return good.wrap(key, call)
        },
      }
    },
    /show a secret/,
  ],
}

const brokenStores: Record<string, [(good: KeyStore) => Partial<KeyStore>, RegExp]> = {
  'lets the last writer win': [
    (good) => ({
      commit: async (commit) => {
        const puts = []
        for (const put of commit.puts)
          puts.push({ ...put, replaces: (await good.get([put.record.id]))[0]?.rev ?? null })
        return good.commit({ ...commit, puts })
      },
    }),
    /no other|not created again/,
  ],
  'checks before it writes, not while': [
    (good) => ({
      commit: async (commit) => {
        const found = await good.get(commit.puts.map((put) => put.record.id))
        if (
          commit.puts.some((put) => (found.find((record) => record.id === put.record.id)?.rev ?? null) !== put.replaces)
        ) {
          return { written: false, conflict: 'revision' }
        }
        await new Promise((resolve) => setTimeout(resolve, 1))
        const puts = []
        for (const put of commit.puts)
          puts.push({ ...put, replaces: (await good.get([put.record.id]))[0]?.rev ?? null })
        return good.commit({ ...commit, puts })
      },
    }),
    /replace one revision at once/,
  ],
  'writes records one by one': [
    (good) => ({
      commit: async ({ puts, log }) => {
        for (const put of puts) {
          const result = await good.commit({ puts: [put], log: null })
          if (!result.written) return result
        }
        return good.commit({ puts: [], log })
      },
    }),
    /whole or not at all/,
  ],
  'folds case': [
    (good) => ({
      findActive: async (purpose, scopes) =>
        good.findActive(
          purpose,
          scopes.map((scope) => scope.toLowerCase()),
        ),
    }),
    /kept apart/,
  ],
  'forgets the log': [(good) => ({ commit: ({ puts }) => good.commit({ puts, log: null }) }), /log/],
  'lists without order': [(good) => ({ list: async (query) => (await good.list(query)).reverse() }), /order of id/],
  'has no limits': [(good) => ({ get: (ids) => good.get(ids.slice(0, 1000)) }), /limits/],
}

describe('the KMS suite finds a provider that', () => {
  for (const [name, [broken, found]] of Object.entries(brokenKms)) {
    test(name, async () => {
      const failed = await failures(
        kmsConformance(async () => {
          const good = memoryKms()
          return { provider: { ...good, ...broken(good) }, other: memoryKms() }
        }),
      )
      expect(
        failed.some((promise) => found.test(promise)),
        failed.join('; '),
      ).toBe(true)
    })
  }

  test('calls the service for a key that is not configured', async () => {
    let calls = 0
    const failed = await failures(
      kmsConformance(async () => {
        const good = memoryKms()
        const unwrap: KmsProvider['unwrap'] = (wrapped, call) => {
          calls++
          return good.unwrap(wrapped, call)
        }
        return { provider: { ...good, unwrap }, calls: () => calls }
      }),
    )
    expect(failed).toContain('a wrapped key that names another key, host or provider is refused without a call')
  })
})

describe('the key store suite finds a store that', () => {
  for (const [name, [broken, found]] of Object.entries(brokenStores)) {
    test(name, async () => {
      const failed = await failures(
        keyStoreConformance(async () => {
          const good = memoryKeyStore()
          return { store: { ...good, ...broken(good) }, largestCommit: 1000 }
        }),
      )
      expect(
        failed.some((promise) => found.test(promise)),
        failed.join('; '),
      ).toBe(true)
    })
  }
})
