import assert from 'node:assert/strict'
import type { KeyCommit, KeyRecord, KeyStore } from '../../src/key-store.ts'
import type { KeyStoreHarness } from './key-store-harness.ts'
import { byId, write } from './key-store-reads.ts'
import { nextRevision, sampleEntry, sampleRecord } from './sample-records.ts'

export const commitPromises: Record<string, (harness: KeyStoreHarness) => Promise<void>> = {
  'a key that exists is not created again': async ({ store }) => {
    const record = sampleRecord()
    await write(store, [record])
    await assertConflict(store, 'revision', { puts: [{ record: nextRevision(record), replaces: null }], log: null })
  },

  'a record is replaced at the revision that was read, and at no other': async ({ store }) => {
    const first = sampleRecord()
    await write(store, [first])
    const second = nextRevision(first, { state: 'suspended', reason: 'incident' })
    assert.deepEqual(await store.commit({ puts: [{ record: second, replaces: 1 }], log: null }), { written: true })
    assert.deepEqual(await store.get([first.id]), [second])
    for (const replaces of [null, 1, 3]) {
      await assertConflict(store, 'revision', { puts: [{ record: nextRevision(second), replaces }], log: null })
    }
  },

  'a key that does not exist is not replaced': async ({ store }) => {
    await assertConflict(store, 'revision', { puts: [{ record: sampleRecord({ rev: 2 }), replaces: 1 }], log: null })
  },

  'one purpose and scope has one active key': async ({ store }) => {
    const active = sampleRecord({ scope: 's' })
    const pending = sampleRecord({ scope: 's', generation: 2, state: 'pending' })
    await write(store, [active, pending])
    const another = sampleRecord({ scope: 's', generation: 3 })
    await assertConflict(store, 'active', { puts: [{ record: another, replaces: null }], log: null })
    const promoted = nextRevision(pending, { state: 'active' })
    await assertConflict(store, 'active', { puts: [{ record: promoted, replaces: 1 }], log: null })
  },

  'two active keys for one purpose and scope in one commit are refused': async ({ store }) => {
    const records = [sampleRecord({ scope: 's' }), sampleRecord({ scope: 's', generation: 2 })]
    await assertConflict(store, 'active', { puts: records.map((record) => ({ record, replaces: null })), log: null })
  },

  'each purpose and each scope has its own active key': async ({ store }) => {
    const records = (['root', 'data', 'index', 'pepper'] as const).flatMap((purpose) =>
      ['', 'tenant=a', 'tenant=b'].map((scope) => sampleRecord({ purpose, scope })),
    )
    await write(store, records)
    assert.deepEqual(await store.list({ limit: 100 }), byId(records))
  },

  'the active key is swapped in one commit, in either order': async ({ store }) => {
    let old = sampleRecord({ scope: 's' })
    await write(store, [old])
    for (const oldFirst of [true, false]) {
      const retired = nextRevision(old, { state: 'decrypt_only' })
      const fresh = sampleRecord({ scope: 's', generation: old.generation + 1 })
      const puts = [
        { record: retired, replaces: old.rev },
        { record: fresh, replaces: null },
      ]
      assert.deepEqual(await store.commit({ puts: oldFirst ? puts : puts.reverse(), log: null }), { written: true })
      assert.deepEqual(await store.findActive('data', ['s']), [fresh])
      assert.deepEqual(byId(await store.get([old.id, fresh.id])), byId([retired, fresh]))
      old = fresh
    }
  },

  'a generation is used once within one purpose and scope': async ({ store }) => {
    await write(store, [sampleRecord({ scope: 's', state: 'decrypt_only' })])
    await assertConflict(store, 'generation', {
      puts: [{ record: sampleRecord({ scope: 's', state: 'pending' }), replaces: null }],
      log: null,
    })
    await write(store, [
      sampleRecord({ scope: 't', state: 'pending' }),
      sampleRecord({ scope: 's', purpose: 'index', state: 'pending' }),
      sampleRecord({ scope: 's', generation: 2, state: 'pending' }),
    ])
  },

  'the log grows by one entry at a time: a number that is taken or left out is refused': async ({ store }) => {
    await assertConflict(store, 'log', { puts: [], log: sampleEntry(2) })
    assert.deepEqual(await store.commit({ puts: [], log: sampleEntry(1) }), { written: true })
    for (const seq of [1, 3, 100]) await assertConflict(store, 'log', { puts: [], log: sampleEntry(seq) })
    assert.deepEqual(await store.commit({ puts: [], log: sampleEntry(2) }), { written: true })
  },

  'a commit is written whole or not at all': async ({ store }) => {
    const existing = sampleRecord({ scope: 's' })
    await write(store, [existing])
    const good = sampleRecord({ scope: 'new' })
    const changed = nextRevision(existing, { state: 'decrypt_only' })
    const bad: [KeyRecord, number | null][] = [
      [nextRevision(sampleRecord({ scope: 'x' })), 1],
      [sampleRecord({ scope: 'new', generation: 2 }), null],
    ]
    for (const [record, replaces] of bad) {
      for (const badFirst of [true, false]) {
        const puts = [
          { record: good, replaces: null },
          { record: changed, replaces: 1 },
          { record, replaces },
        ]
        await assertConflict(store, undefined, { puts: badFirst ? puts.reverse() : puts, log: sampleEntry(1) })
      }
    }
    await assertConflict(store, 'log', {
      puts: [
        { record: good, replaces: null },
        { record: changed, replaces: 1 },
      ],
      log: sampleEntry(2),
    })
  },

  'records and log entry are written together': async ({ store, second = store }) => {
    const record = sampleRecord()
    const log = sampleEntry(1)
    assert.deepEqual(await store.commit({ puts: [{ record, replaces: null }], log }), { written: true })
    assert.deepEqual(await second.get([record.id]), [record])
    assert.deepEqual(await second.log(0, 10), [log])
  },

  'an empty commit changes nothing': async ({ store }) => {
    await write(store, [sampleRecord()])
    const before = await contents(store)
    assert.deepEqual(await store.commit({ puts: [], log: null }), { written: true })
    assert.deepEqual(await contents(store), before)
  },

  'the largest commit is written, and a larger one is refused as the mistake of the caller': async ({
    store,
    largestCommit = 10_000,
  }) => {
    const records = Array.from({ length: largestCommit }, (_, at) => sampleRecord({ scope: `tenant=${at}` }))
    await write(store, records)
    assert.equal((await store.list({ limit: 1000 })).length, Math.min(1000, largestCommit))
    const last = records.at(-1) as KeyRecord
    assert.deepEqual(await store.findActive('data', [last.scope]), [last])
    const more = Array.from({ length: 10_001 }, (_, at) => ({
      record: sampleRecord({ scope: `more=${at}` }),
      replaces: null,
    }))
    await assert.rejects(store.commit({ puts: more, log: null }), TypeError)
  },

  'what is no commit is refused as the mistake of the caller, and nothing is written': async ({ store }) => {
    for (const bad of NO_COMMITS) await assert.rejects(async () => store.commit(bad as never), TypeError)
    assert.deepEqual(await contents(store), [[], []])
  },
}

/** What calls of plain JavaScript give by mistake. */
const NO_COMMITS = [undefined, null, 5, 'x', {}, { puts: null, log: null }, { puts: [null], log: null }]

/** Fails unless the commit is refused for this reason and leaves everything as it was. */
async function assertConflict(store: KeyStore, conflict: string | undefined, commit: KeyCommit): Promise<void> {
  const before = await contents(store)
  const result = await store.commit(commit)
  assert.equal(result.written, false, 'the commit was written')
  if (conflict !== undefined) assert.equal(result.conflict, conflict)
  assert.deepEqual(await contents(store), before, 'a refused commit left something behind')
}

async function contents(store: KeyStore): Promise<unknown> {
  return [await store.list({ limit: 1000 }), await store.log(0, 1000)]
}
