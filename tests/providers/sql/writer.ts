import { nextRevision, sampleEntry, sampleRecord } from '../../../providers/testing/sample-records.ts'
import { storeAt } from './at.ts'

/** Writes commits of `size` new keys, one rotation and one log entry, until it is killed. Says `ready` first. */
const [url, size] = process.argv.slice(2) as [string, string]
const store = storeAt(url, 'crash')
await store.get([])
process.stdout.write('ready\n')
for (;;) {
  const [old] = await store.findActive('data', [''])
  const seq = (old?.generation ?? 0) + 1
  const fresh = sampleRecord({ generation: seq })
  const retired = old === undefined ? [] : [{ record: nextRevision(old, { state: 'decrypt_only' }), replaces: old.rev }]
  const more = Array.from({ length: Number(size) }, (_, at) =>
    sampleRecord({ purpose: 'index', scope: `${seq} ${at}` }),
  )
  const puts = [...[fresh, ...more].map((record) => ({ record, replaces: null })), ...retired]
  await store.commit({ puts, log: sampleEntry(seq) })
}
