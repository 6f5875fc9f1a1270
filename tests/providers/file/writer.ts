import { fileKeyStore } from '../../../providers/file/index.ts'
import { sampleEntry, sampleRecord } from '../../../providers/testing/sample-records.ts'

/** Writes `count` keys, each with a log entry, into a key store that others write to at the same time. */
const [path, writer, count] = process.argv.slice(2) as [string, string, string]
const store = fileKeyStore({ path, lockTimeoutMs: 30_000 })
for (let at = 0; at < Number(count); at++) {
  for (;;) {
    const seq = (await store.log(0, 10_000)).length + 1
    const record = sampleRecord({ scope: `writer=${writer}&at=${at}` })
    const result = await store.commit({ puts: [{ record, replaces: null }], log: sampleEntry(seq) })
    if (result.written) break
  }
}
await store.close?.()
