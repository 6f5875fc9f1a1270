import type { KeyRecord, KeyStore } from '../key-store.ts'
import { type Finding, finding, messageOf } from './finding.ts'

const NEVER_REACHED = 1_000_000

/**
 * Reads one key, offers the store a change it must refuse, and writes one record over itself. Nothing in the store is
 * different afterwards: even a store that ignores conditions would write what already stands there.
 */
export async function examineStore(store: KeyStore): Promise<Finding[]> {
  const start = performance.now()
  let record: KeyRecord | undefined
  try {
    record = (await store.findActive('root', ['']))[0] ?? (await store.list({ limit: 1 }))[0]
  } catch (error) {
    return [
      finding('store.read', store.name, 'problem', messageOf(error), {
        hint: 'check address, credentials and network',
      }),
    ]
  }
  const ms = performance.now() - start
  if (record === undefined) {
    const hint = 'run `strongroom init` if this is a new store; otherwise the configuration names the wrong one'
    return [finding('store.read', store.name, 'problem', 'the store holds no keys', { hint, ms })]
  }
  const found = [finding('store.read', store.name, 'ok', 'reachable', { ms })]
  const conditions = await examineConditions(store, record)
  found.push(conditions)
  if (conditions.status === 'ok') found.push(await examineWrite(store, record.id))
  return found
}

async function examineConditions(store: KeyStore, record: KeyRecord): Promise<Finding> {
  const check = 'store.compare-and-set'
  try {
    const put = { record, replaces: record.rev + NEVER_REACHED }
    const result = await store.commit({ puts: [put], log: null })
    if (!result.written) return finding(check, store.name, 'ok', 'refused a change to a revision that is not there')
    return finding(check, store.name, 'problem', 'wrote a change to a revision that is not there', {
      hint: 'two processes would overwrite each other: do not use this store',
    })
  } catch (error) {
    return finding(check, store.name, 'problem', messageOf(error), { hint: WRITE_HINT })
  }
}

/** Somebody may change the record meanwhile: the condition then refuses ours, which shows as much. */
async function examineWrite(store: KeyStore, id: string): Promise<Finding> {
  const start = performance.now()
  try {
    const [record] = await store.get([id])
    if (record === undefined)
      return finding('store.write', store.name, 'problem', `key ${id} disappeared while it was read`)
    await store.commit({ puts: [{ record, replaces: record.rev }], log: null })
    return finding('store.write', store.name, 'ok', 'writable', { ms: performance.now() - start })
  } catch (error) {
    return finding('store.write', store.name, 'problem', messageOf(error), { hint: WRITE_HINT })
  }
}

const WRITE_HINT = 'grant this identity the right to write to the key store, or run the key commands as one that has it'
