import assert from 'node:assert/strict'
import type { KeyQuery, KeyRecord, KeyStore } from '../../src/key-store.ts'
import type { KeyStoreHarness } from './key-store-harness.ts'
import { nextRevision, sampleEntry, sampleRecord } from './sample-records.ts'

/** Texts that databases like to fold, trim, normalise or read as patterns. */
const STRANGE_SCOPES = [
  '',
  'tenant=acme',
  'tenant=Acme',
  'tenant=acme ',
  ' tenant=acme',
  'tenant=100%',
  'tenant=1000',
  'tenant=a_b',
  'tenant=axb',
  'tenant=back\\slash',
  "tenant='; drop table keys; --",
  'tenant="quoted"',
  'tenant=caf\u00e9',
  'tenant=cafe\u0301',
  'tenant=東京 🔑',
  'tenant=עברית',
  'tenant=line\nbreak\ttab',
  '__proto__',
  'constructor',
  'tenant=ß',
  'tenant=ss',
  'x'.repeat(1024),
]

export const readPromises: Record<string, (harness: KeyStoreHarness) => Promise<void>> = {
  'an empty store has no records, no active key and no log': async ({ store }) => {
    assert.deepEqual(await store.get(['0'.repeat(32)]), [])
    assert.deepEqual(await store.findActive('data', ['']), [])
    assert.deepEqual(await store.list({ limit: 10 }), [])
    assert.deepEqual(await store.log(0, 10), [])
  },

  'a record comes back exactly as it was written, wherever it is read': async ({ store, second = store }) => {
    const record = fullRecord()
    await write(store, [record])
    assert.deepEqual(await second.get([record.id]), [record])
    assert.deepEqual(await second.findActive(record.purpose, [record.scope]), [record])
    assert.deepEqual(await second.list({ limit: 1 }), [record])
  },

  'a destroyed record keeps its empty list of wraps': async ({ store }) => {
    const record = sampleRecord({
      state: 'destroyed',
      wraps: [],
      reason: 'retention',
      expiresAt: '2027-01-01T00:00:00.000Z',
    })
    await write(store, [record])
    assert.deepEqual(await store.get([record.id]), [record])
  },

  'scopes of any text are kept apart, byte for byte': async ({ store }) => {
    const records = STRANGE_SCOPES.map((scope) => sampleRecord({ scope }))
    await write(store, records)
    assert.deepEqual(byId(await store.findActive('data', STRANGE_SCOPES)), byId(records))
    for (const record of records) {
      assert.deepEqual(await store.findActive('data', [record.scope]), [record], JSON.stringify(record.scope))
      assert.deepEqual(await store.list({ scope: record.scope, limit: 10 }), [record], JSON.stringify(record.scope))
    }
  },

  'get returns the records that exist, once each, and nothing for the others': async ({ store }) => {
    const [a, b] = [sampleRecord({ scope: 'a' }), sampleRecord({ scope: 'b' })]
    await write(store, [a, b])
    assert.deepEqual(byId(await store.get([a.id, 'e'.repeat(32), b.id, a.id])), byId([a, b]))
    assert.deepEqual(await store.get([]), [])
  },

  'findActive returns active records of the purpose alone': async ({ store }) => {
    const active = sampleRecord({ scope: 's', generation: 2 })
    const index = sampleRecord({ scope: 's', purpose: 'index' })
    await write(store, [
      active,
      index,
      sampleRecord({ scope: 's', state: 'decrypt_only' }),
      sampleRecord({ scope: 'other' }),
    ])
    assert.deepEqual(await store.findActive('data', ['s', 'unknown', 's']), [active])
    assert.deepEqual(await store.findActive('index', ['s']), [index])
    assert.deepEqual(await store.findActive('pepper', ['s']), [])
    assert.deepEqual(await store.findActive('data', []), [])
  },

  'a thousand ids and a thousand scopes can be asked for at once': async ({ store, largestCommit = 10_000 }) => {
    const records = Array.from({ length: 1000 }, (_, at) => sampleRecord({ scope: `tenant=${at}` }))
    for (let at = 0; at < records.length; at += largestCommit) await write(store, records.slice(at, at + largestCommit))
    assert.deepEqual(byId(await store.get(records.map((record) => record.id))), byId(records))
    assert.deepEqual(
      byId(
        await store.findActive(
          'data',
          records.map((record) => record.scope),
        ),
      ),
      byId(records),
    )
  },

  'more than the limits is refused as the mistake of the caller': async ({ store }) => {
    const many = Array.from({ length: 1001 }, (_, at) => String(at))
    await assert.rejects(store.get(many), TypeError)
    await assert.rejects(store.findActive('data', many), TypeError)
    await assert.rejects(store.list({ limit: 0 }), TypeError)
    await assert.rejects(store.list({ limit: 1001 }), TypeError)
    await assert.rejects(store.list({ limit: 1.5 }), TypeError)
  },

  'what is no list of ids or scopes and no query is refused as the mistake of the caller': async ({ store }) => {
    for (const bad of [undefined, null, 5, {}]) {
      await assert.rejects(async () => store.get(bad as never), TypeError)
      await assert.rejects(async () => store.findActive('data', bad as never), TypeError)
      await assert.rejects(async () => store.list(bad as never), TypeError)
    }
  },

  'list filters by every property, alone and together': async ({ store }) => {
    const root = sampleRecord({ purpose: 'root', parent: null })
    const records = [
      root,
      sampleRecord({ scope: 'tenant=a', parent: root.id }),
      sampleRecord({ scope: 'tenant=a', generation: 2, state: 'decrypt_only' }),
      sampleRecord({ scope: 'tenant=ab', purpose: 'index', parent: root.id }),
      sampleRecord({ scope: 'tenant=b', state: 'suspended', parent: root.id }),
      sampleRecord({ scope: '' }),
    ]
    await write(store, records)
    const queries: Omit<KeyQuery, 'limit'>[] = [
      {},
      { purpose: 'root' },
      { purpose: 'pepper' },
      { state: 'active' },
      { state: 'suspended' },
      { scope: '' },
      { scope: 'tenant=a' },
      { scopePrefix: '' },
      { scopePrefix: 'tenant=a' },
      { scopePrefix: 'TENANT' },
      { parent: root.id },
      { purpose: 'data', state: 'active', scopePrefix: 'tenant=', parent: root.id },
    ]
    for (const query of queries) {
      const expected = byId(records.filter((record) => matches(record, query)))
      assert.deepEqual(await store.list({ ...query, limit: 100 }), expected, JSON.stringify(query))
    }
  },

  'a scope prefix is text, not a pattern': async ({ store }) => {
    const records = STRANGE_SCOPES.map((scope) => sampleRecord({ scope }))
    await write(store, records)
    for (const scopePrefix of [
      'tenant=100%',
      'tenant=a_',
      '%',
      '_',
      'tenant=back\\',
      'tenant=caf',
      'x',
      "tenant='",
      '[a-z]',
      '*',
    ]) {
      const expected = byId(records.filter((record) => record.scope.startsWith(scopePrefix)))
      assert.deepEqual(await store.list({ scopePrefix, limit: 100 }), expected, scopePrefix)
    }
  },

  'list goes through all records in order of id, page by page': async ({ store }) => {
    const records = byId(Array.from({ length: 25 }, (_, at) => sampleRecord({ scope: `tenant=${at}` })))
    await write(store, records)
    for (const limit of [1, 7, 25, 1000]) {
      const seen: KeyRecord[] = []
      for (;;) {
        const after = seen.at(-1)?.id
        const page = await store.list(after === undefined ? { limit } : { limit, after })
        assert.ok(page.length <= limit)
        if (page.length === 0) break
        seen.push(...page)
      }
      assert.deepEqual(seen, records)
    }
    assert.deepEqual(await store.list({ limit: 10, after: 'f'.repeat(32) }), [])
  },

  'what is returned and what was given are copies': async ({ store }) => {
    const record = fullRecord()
    const given = structuredClone(record) as Mutable<KeyRecord>
    await write(store, [given])
    given.scope = 'changed'
    given.wraps.forEach((wrap) => {
      wrap.keyId = 'changed'
    })
    for (const read of (await store.get([record.id])) as Mutable<KeyRecord>[]) {
      read.state = 'destroyed'
      read.wraps.length = 0
    }
    assert.deepEqual(await store.get([record.id]), [record])
    assert.deepEqual(await store.findActive('data', [record.scope]), [record])
    assert.deepEqual(await store.list({ limit: 10 }), [record])
  },

  'the log comes back in order, after a position, and bounded': async ({ store, second = store }) => {
    const entries = Array.from({ length: 12 }, (_, at) => sampleEntry(at + 1, { action: `rotate "é" ${at}` }))
    for (const log of entries) assert.deepEqual(await store.commit({ puts: [], log }), { written: true })
    assert.deepEqual(await second.log(0, 100), entries)
    assert.deepEqual(await second.log(0, 5), entries.slice(0, 5))
    assert.deepEqual(await second.log(5, 5), entries.slice(5, 10))
    assert.deepEqual(await second.log(12, 5), [])
  },

  'a second handle sees every change at once': async ({ store, second = store }) => {
    const record = sampleRecord()
    assert.deepEqual(await second.get([record.id]), [])
    await write(store, [record])
    assert.deepEqual(await second.get([record.id]), [record])
    const changed = nextRevision(record, { state: 'suspended' })
    assert.deepEqual(await second.commit({ puts: [{ record: changed, replaces: 1 }], log: sampleEntry(1) }), {
      written: true,
    })
    assert.deepEqual(await store.get([record.id]), [changed])
    assert.deepEqual(await store.findActive('data', ['']), [])
    assert.equal((await store.log(0, 10)).length, 1)
  },
}

type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T

/** Writes new records. */
export async function write(store: KeyStore, records: readonly KeyRecord[]): Promise<void> {
  const puts = records.map((record) => ({ record, replaces: null }))
  assert.deepEqual(await store.commit({ puts, log: null }), { written: true })
}

/** In order of id. */
export function byId(records: readonly KeyRecord[]): KeyRecord[] {
  return [...records].sort((a, b) => (a.id < b.id ? -1 : 1))
}

function fullRecord(): KeyRecord {
  const record = sampleRecord({
    scope: 'tenant=東京&subject=🔑',
    expiresAt: '2027-06-05T04:03:02.001Z',
    reason: 'it\'s "new"\nÅ',
  })
  return {
    ...record,
    wraps: [
      ...record.wraps,
      { ...(record.wraps[0] as (typeof record.wraps)[0]), provider: 'aws-kms', keyId: 'arn:aws:kms:…' },
    ],
  }
}

function matches(record: KeyRecord, { scopePrefix, ...equal }: Omit<KeyQuery, 'limit'>): boolean {
  const same = Object.entries(equal).every(([name, value]) => record[name as keyof KeyRecord] === value)
  return same && record.scope.startsWith(scopePrefix ?? '')
}
