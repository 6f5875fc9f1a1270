import type { KeyRecord, KeyStore } from '../key-store.ts'
import { type Finding, finding, messageOf } from './finding.ts'
import { timed } from './timed.ts'

const NEVER_REACHED = 1_000_000

/**
 * Reads one key, offers the store a change it must refuse, and writes one record over itself. Nothing in the store is
 * different afterwards: even a store that ignores conditions would write what already stands there.
 */
export async function examineStore(store: KeyStore, timeoutMs: number): Promise<Finding[]> {
  const read = await timed(timeoutMs, async () => {
    const [root] = await store.findActive('root', [''])
    return root ?? (await store.list({ limit: 1 }))[0]
  })
  if ('error' in read) return [finding('store.read', store.name, 'problem', messageOf(read.error), { ms: read.ms })]
  const { value: record, ms } = read
  if (record === undefined) {
    const hint = 'run `strongroom init` if this is a new store; otherwise the configuration names the wrong one'
    return [finding('store.read', store.name, 'problem', 'the store holds no keys', { hint, ms })]
  }
  const found = [finding('store.read', store.name, 'ok', 'reachable', { ms })]
  const conditions = await examineConditions(store, record, timeoutMs)
  found.push(conditions)
  if (conditions.status === 'ok') found.push(await examineWrite(store, record.id, timeoutMs))
  return found
}

async function examineConditions(store: KeyStore, record: KeyRecord, timeoutMs: number): Promise<Finding> {
  const check = 'store.compare-and-set'
  const put = { record, replaces: record.rev + NEVER_REACHED }
  const offer = await timed(timeoutMs, () => store.commit({ puts: [put], log: null }))
  if ('error' in offer) return finding(check, store.name, 'problem', messageOf(offer.error), { hint: WRITE_HINT })
  if (!offer.value.written) return finding(check, store.name, 'ok', 'refused a change to a revision that is not there')
  return finding(check, store.name, 'problem', 'wrote a change to a revision that is not there', {
    hint: 'two processes would overwrite each other: do not use this store',
  })
}

/** Somebody may change the record meanwhile: the condition then refuses ours, which shows as much. */
async function examineWrite(store: KeyStore, id: string, timeoutMs: number): Promise<Finding> {
  const write = await timed(timeoutMs, async () => {
    const [record] = await store.get([id])
    return record && store.commit({ puts: [{ record, replaces: record.rev }], log: null })
  })
  if ('error' in write)
    return finding('store.write', store.name, 'problem', messageOf(write.error), { hint: WRITE_HINT })
  return write.value === undefined
    ? finding('store.write', store.name, 'problem', `key ${id} disappeared while it was read`)
    : finding('store.write', store.name, 'ok', 'writable', { ms: write.ms })
}

const WRITE_HINT = 'grant this identity the right to write to the key store, or run the key commands as one that has it'
