import { fileKeyStore } from '../../providers/file/index.ts'
import { nextRevision, sampleEntry, sampleRecord } from '../../providers/testing/sample-records.ts'

/**
 * Rotates the one key of a store again and again, and dies at the step named, without warning: at its `times`-th
 * occurrence, or never when the step is `none`. Says `ready` before the first rotation.
 */
const [path, dieAt, times] = process.argv.slice(2) as [string, string, string]
let left = Number(times)
const store = fileKeyStore({ path, lockTimeoutMs: 30_000 }, (step) => {
  if (step === dieAt && --left === 0) process.kill(process.pid, 'SIGKILL')
})
process.stdout.write('ready\n')
for (;;) {
  const [old] = await store.findActive('data', [''])
  const seq = (await store.log(0, 1_000_000)).length + 1
  const generation = (old?.generation ?? 0) + 1
  const fresh = sampleRecord({ generation })
  const puts = [{ record: fresh, replaces: null }]
  const retired = old === undefined ? [] : [{ record: nextRevision(old, { state: 'decrypt_only' }), replaces: old.rev }]
  const changes = [{ id: fresh.id, rev: 1, state: fresh.state }]
  await store.commit({ puts: [...puts, ...retired], log: sampleEntry(seq, { changes }) })
}
