import assert from 'node:assert/strict'
import type { CommitResult, KeyRecord } from '../../src/key-store.ts'
import type { KeyStoreHarness } from './key-store-harness.ts'
import { write } from './key-store-reads.ts'
import { nextRevision, sampleEntry, sampleRecord } from './sample-records.ts'

const WRITERS = 20

export const concurrencyPromises: Record<string, (harness: KeyStoreHarness) => Promise<void>> = {
  [`of ${WRITERS} that create the first key of a scope at once, one wins`]: async ({ store, second = store }) => {
    const results = await atOnce((at) =>
      (at % 2 === 0 ? store : second).commit({
        puts: [{ record: sampleRecord({ scope: 's' }), replaces: null }],
        log: null,
      }),
    )
    assertOneWinner(results, ['active', 'generation'])
    assert.equal((await second.findActive('data', ['s'])).length, 1)
    assert.equal((await second.list({ limit: 100 })).length, 1)
  },

  [`of ${WRITERS} that replace one revision at once, one wins`]: async ({ store, second = store }) => {
    const record = sampleRecord()
    await write(store, [record])
    const changes = Array.from({ length: WRITERS }, (_, at) => nextRevision(record, { reason: `writer ${at}` }))
    const results = await atOnce((at) =>
      (at % 2 === 0 ? store : second).commit({ puts: [{ record: changes[at] as KeyRecord, replaces: 1 }], log: null }),
    )
    const winner = assertOneWinner(results, ['revision'])
    assert.deepEqual(await second.get([record.id]), [changes[winner]])
  },

  [`of ${WRITERS} that rotate at once, one wins, and its records and log entry belong together`]: async ({
    store,
    second = store,
  }) => {
    const old = sampleRecord()
    await write(store, [old])
    const fresh = Array.from({ length: WRITERS }, () => sampleRecord({ generation: 2 }))
    const results = await atOnce((at) =>
      (at % 2 === 0 ? store : second).commit({
        puts: [
          { record: nextRevision(old, { state: 'decrypt_only' }), replaces: 1 },
          { record: fresh[at] as KeyRecord, replaces: null },
        ],
        log: sampleEntry(1, { action: `writer ${at}` }),
      }),
    )
    const winner = assertOneWinner(results, ['revision', 'active', 'generation', 'log'])
    assert.deepEqual(await second.findActive('data', ['']), [fresh[winner]])
    assert.deepEqual(
      (await second.log(0, 10)).map((entry) => entry.action),
      [`writer ${winner}`],
    )
    assert.equal((await second.list({ limit: 100 })).length, 2)
  },

  'writers that try again after a conflict all get their entry into the log, without a gap': async ({
    store,
    second = store,
  }) => {
    await Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        const handle = writer % 2 === 0 ? store : second
        for (let turn = 0; turn < 4; turn++) {
          for (;;) {
            const seq = (await handle.log(0, 1000)).length + 1
            const result = await handle.commit({ puts: [], log: sampleEntry(seq, { action: `${writer} ${turn}` }) })
            if (result.written) break
            assert.equal(result.conflict, 'log')
          }
        }
      }),
    )
    const entries = await store.log(0, 1000)
    assert.deepEqual(
      entries.map((entry) => entry.seq),
      Array.from({ length: 32 }, (_, at) => at + 1),
    )
    assert.equal(new Set(entries.map((entry) => entry.action)).size, 32)
  },

  'keys of different scopes are created at once without a conflict': async ({ store, second = store }) => {
    const results = await atOnce((at) =>
      (at % 2 === 0 ? store : second).commit({
        puts: [{ record: sampleRecord({ scope: `tenant=${at}` }), replaces: null }],
        log: null,
      }),
    )
    assert.ok(results.every((result) => result.written))
    assert.equal((await store.list({ limit: 100 })).length, WRITERS)
  },
}

function atOnce(commit: (writer: number) => Promise<CommitResult>): Promise<CommitResult[]> {
  return Promise.all(Array.from({ length: WRITERS }, (_, at) => commit(at)))
}

function assertOneWinner(results: readonly CommitResult[], conflicts: readonly string[]): number {
  assert.equal(results.filter((result) => result.written).length, 1, 'exactly one must win')
  for (const result of results) {
    if (!result.written) assert.ok(conflicts.includes(result.conflict), `unexpected conflict ${result.conflict}`)
  }
  return results.findIndex((result) => result.written)
}
