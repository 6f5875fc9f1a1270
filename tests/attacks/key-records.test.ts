import { describe, expect, test } from 'vitest'
import { faulty } from '../../providers/testing/index.ts'
import { KeyNotResidentError, KeyRecordError, type KeyRecordFault, KmsError } from '../../src/errors.ts'
import type { KeyLogEntry, KeyRecord } from '../../src/key-store.ts'
import { nextEntry } from '../../src/keys/log.ts'
import { freshKeys, openKeys } from '../keys/fixtures.ts'

/** A store with a root key, two tenants with a data key each that was rotated once, and an index key. */
async function world() {
  const keys = await freshKeys()
  for (const tenant of ['a', 'b']) await keys.manager.ensureActive('data', [`tenant=${tenant}`])
  await keys.manager.ensureActive('index', ['tenant=a'])
  await keys.manager.rotate({ scope: { tenant: 'a' } })
  const find = (purpose: string, scope: string, state = 'active') => {
    const found = [...keys.store.records.values()].find(
      (record) => record.purpose === purpose && record.scope === scope && record.state === state,
    )
    if (found === undefined) throw new Error(`no ${state} ${purpose} key of ${scope}`)
    return structuredClone(found)
  }
  return {
    ...keys,
    find,
    root: find('root', ''),
    data: find('data', 'tenant=a'),
    old: find('data', 'tenant=a', 'decrypt_only'),
    other: find('data', 'tenant=b'),
    index: find('index', 'tenant=a'),
  }
}
type World = Awaited<ReturnType<typeof world>>

async function faultOf(work: Promise<unknown>): Promise<KeyRecordFault | 'accepted' | string> {
  try {
    await work
    return 'accepted'
  } catch (error) {
    return error instanceof KeyRecordError ? error.fault : `${(error as Error).name}: ${(error as Error).message}`
  }
}

const later = '2026-12-24T00:00:00.000Z'
const flipLast = (hex: string) => `${hex.slice(0, -1)}${hex.endsWith('0') ? '1' : '0'}`
const otherStart = (text: string) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1)
const flip = (hex: string) => (hex.startsWith('0') ? '1' : '0') + hex.slice(1)

describe('a data key record that was edited in the store', () => {
  const edits: Record<
    string,
    [edit: (world: World) => Partial<Record<keyof KeyRecord, unknown>>, fault: KeyRecordFault]
  > = {
    format: [() => ({ format: 2 }), 'malformed'],
    'commitment, second half': [({ data }) => ({ commitment: flipLast(data.commitment) }), 'wrap'],
    'commitment, first half': [({ data }) => ({ commitment: flip(data.commitment) }), 'malformed'],
    store: [() => ({ store: 'others' }), 'store'],
    'purpose to index': [() => ({ purpose: 'index' }), 'misplaced'],
    scope: [() => ({ scope: 'tenant=c' }), 'misplaced'],
    generation: [({ data }) => ({ generation: data.generation + 1 }), 'wrap'],
    parent: [({ old }) => ({ parent: old.id }), 'misplaced'],
    createdAt: [() => ({ createdAt: later }), 'wrap'],
    expiresAt: [() => ({ expiresAt: later }), 'wrap'],
    stateAt: [() => ({ stateAt: later }), 'mac'],
    reason: [() => ({ reason: 'because' }), 'mac'],
    rev: [({ data }) => ({ rev: data.rev + 1 }), 'mac'],
    mac: [({ data }) => ({ mac: flip(data.mac) }), 'mac'],
    'wrap ciphertext': [
      ({ data }) => ({ wraps: [{ ...data.wraps[0], ciphertext: otherStart(data.wraps[0]?.ciphertext ?? '') }] }),
      'wrap',
    ],
    'wrap ciphertext, not base64url': [({ data }) => ({ wraps: [{ ...data.wraps[0], ciphertext: '=' }] }), 'malformed'],
    'wrap ciphertext, too short': [({ data }) => ({ wraps: [{ ...data.wraps[0], ciphertext: 'AA' }] }), 'wrap'],
    'wrap provider': [({ data }) => ({ wraps: [{ ...data.wraps[0], provider: 'other' }] }), 'mac'],
    'wrap time': [({ data }) => ({ wraps: [{ ...data.wraps[0], wrappedAt: later }] }), 'mac'],
    'wraps, one added': [({ data }) => ({ wraps: [...data.wraps, ...data.wraps] }), 'mac'],
    'wraps, none left': [() => ({ wraps: [] }), 'malformed'],
    'wraps, eleven': [({ data }) => ({ wraps: new Array(11).fill(data.wraps[0]) }), 'malformed'],
    'wraps, no array': [() => ({ wraps: null }), 'malformed'],
  }
  test.each(Object.entries(edits))('%s is refused, saying which', async (_what, [edit, fault]) => {
    const w = await world()
    w.store.edit(w.data.id, edit(w))
    // A store whose database answers queries by what the row says would no longer find it: this one insists.
    w.store.bend = (call, found) =>
      call === 'findActive' ? [{ ...(w.store.records.get(w.data.id) as KeyRecord) }] : found
    const fresh = await openFresh(w)
    expect(await faultOf(fresh.keyring.loadActive('data', ['tenant=a']))).toBe(fault)
    expect(() => fresh.keyring.active('data', 'tenant=a')).toThrow(KeyNotResidentError)
  })

  test.each(Object.entries(edits))('%s is refused when it is loaded by id', async (what, [edit, fault]) => {
    const w = await world()
    w.store.edit(w.data.id, edit(w))
    const byId: Record<string, string> = { 'purpose to index': 'wrap', scope: 'wrap', parent: 'misplaced' }
    const { keyring } = await w.again({ init: false })
    expect(await faultOf(keyring.load([w.data.id]))).toBe(byId[what] ?? fault)
    expect(keyring.find(w.data.id)).toBeUndefined()
  })

  test.each(['pending', 'suspended', 'decrypt_only', 'compromised', 'destroy_scheduled'])(
    'a state turned into %s is refused',
    async (state) => {
      const w = await world()
      w.store.edit(w.data.id, { state })
      const { keyring, heard } = await w.again({ init: false })
      expect(await faultOf(keyring.load([w.data.id]))).toBe('mac')
      expect(heard).toContainEqual({ type: 'key.refused', keyId: w.data.id, fault: 'mac' })
    },
  )

  test('a compromised key turned into an active one is refused', async () => {
    const w = await world()
    await w.manager.compromise(w.old.id)
    await w.manager.compromise(w.data.id)
    w.store.edit(w.data.id, { state: 'active' })
    const { keyring } = await w.again({ init: false })
    expect(await faultOf(keyring.load([w.data.id]))).toBe('mac')
  })

  test('every character of its MAC counts', async () => {
    const w = await world()
    for (let at = 0; at < 64; at++) {
      const { mac } = w.data
      w.store.edit(w.data.id, { mac: mac.slice(0, at) + (mac[at] === 'a' ? 'b' : 'a') + mac.slice(at + 1) })
      const { keyring } = await w.again({ init: false })
      expect(await faultOf(keyring.load([w.data.id]))).toBe('mac')
    }
  })
})

describe('a record in the wrong place', () => {
  test('a wrap of another record is refused', async () => {
    const w = await world()
    w.store.edit(w.data.id, { wraps: w.other.wraps })
    const { keyring } = await w.again({ init: false })
    expect(await faultOf(keyring.load([w.data.id]))).toBe('wrap')
  })

  test('a wrap of the root key in a data key record, and the other way round, are refused', async () => {
    const w = await world()
    w.store.edit(w.data.id, { wraps: w.root.wraps })
    const { keyring } = await w.again({ init: false })
    expect(await faultOf(keyring.load([w.data.id]))).toBe('wrap')
    w.store.edit(w.root.id, { wraps: w.data.wraps })
    // The root's wrap names a provider that is not configured: no service is asked.
    await expect(w.again({ init: false })).rejects.toThrow(KmsError)
  })

  test('the active key of another scope is not taken for this one', async () => {
    const w = await world()
    const { keyring } = await w.again({ init: false })
    w.store.bend = (call, found) => (call === 'findActive' ? [w.other] : found)
    expect(await faultOf(keyring.loadActive('data', ['tenant=a']))).toBe('misplaced')
  })

  test('a resident key is not taken for that of another scope when its record says so', async () => {
    const w = await world()
    const { keyring } = await w.again({ init: false })
    await keyring.loadActive('data', ['tenant=a'])
    w.store.bend = (call, found) => (call === 'findActive' ? [{ ...w.data, scope: 'tenant=b' }] : found)
    expect(await faultOf(keyring.loadActive('data', ['tenant=b']))).toBe('wrap')
    expect(() => keyring.active('data', 'tenant=b')).toThrow(KeyNotResidentError)
  })

  test('a data key is not taken for an index key', async () => {
    const w = await world()
    const { keyring } = await w.again({ init: false })
    w.store.bend = (call, found) => (call === 'list' ? [w.data] : found)
    expect(await faultOf(keyring.loadScope('index', 'tenant=a'))).toBe('misplaced')
  })

  test('two active keys of one scope are refused', async () => {
    const w = await world()
    const { keyring } = await w.again({ init: false })
    w.store.bend = (call, found) => (call === 'findActive' ? [...found, ...found] : found)
    expect(await faultOf(keyring.loadActive('data', ['tenant=a']))).toBe('misplaced')
  })

  test('two active root keys are refused', async () => {
    const w = await world()
    w.store.bend = (call, found) => (call === 'findActive' ? [...found, ...found] : found)
    expect(await faultOf(w.again({ init: false }))).toBe('misplaced')
  })

  test('another record than the one that was asked for is refused', async () => {
    const w = await world()
    const { keyring, manager } = await w.again({ init: false })
    w.store.bend = (call, found) => (call === 'get' ? [w.other] : found)
    expect(await faultOf(keyring.load([w.data.id]))).toBe('misplaced')
    expect(await faultOf(manager.destroy(w.data.id))).toBe('misplaced')
    expect(await faultOf(manager.get(w.data.id))).toBe('misplaced')
    w.store.bend = (_call, found) => found
    expect((await manager.get(w.other.id)).state).toBe('active')
  })

  test('a root key does not stand for a data key', async () => {
    const w = await world()
    const { keyring } = await w.again({ init: false })
    expect(await faultOf(keyring.load([w.root.id]))).toBe('misplaced')
  })

  test('a compromised key that the store gives as active is not signed as anything else', async () => {
    const w = await world()
    await w.manager.compromise(w.old.id)
    const { manager } = await w.again({ init: false })
    const lie = w.store.records.get(w.old.id) as KeyRecord
    w.store.bend = (call, found) =>
      call === 'findActive' && found[0]?.purpose === 'data' ? [structuredClone(lie)] : found
    await expect(manager.rotate({ scope: { tenant: 'a' } })).rejects.toThrow()
    expect(w.store.records.get(w.old.id)?.state).toBe('compromised')
  })

  test('one bad record does not keep others from loading', async () => {
    const w = await world()
    const { keyring } = await w.again({ init: false })
    w.store.edit(w.data.id, { rev: 'x' })
    const [bad, good] = await Promise.allSettled([keyring.load([w.data.id]), keyring.load([w.other.id])])
    expect([bad.status, good.status]).toEqual(['rejected', 'fulfilled'])
    expect(keyring.find(w.other.id)?.id).toBe(w.other.id)
  })
})

describe('a root key record that was edited in the store', () => {
  const edits: Record<
    string,
    [edit: (world: World) => Partial<Record<keyof KeyRecord, unknown>>, fault: KeyRecordFault]
  > = {
    store: [() => ({ store: 'others' }), 'store'],
    createdAt: [() => ({ createdAt: later }), 'wrap'],
    reason: [() => ({ reason: 'because' }), 'mac'],
    generation: [() => ({ generation: 7 }), 'mac'],
    expiresAt: [() => ({ expiresAt: later }), 'mac'],
    commitment: [
      ({ root }) => ({ commitment: root.commitment.slice(0, 63) + (root.commitment.endsWith('0') ? '1' : '0') }),
      'wrap',
    ],
    mac: [({ root }) => ({ mac: flip(root.mac) }), 'mac'],
    rev: [() => ({ rev: 2 }), 'mac'],
    scope: [() => ({ scope: 'x' }), 'mac'],
  }
  test.each(Object.entries(edits))('%s is refused, saying which', async (_what, [edit, fault]) => {
    const w = await world()
    w.store.edit(w.root.id, edit(w))
    w.store.bend = (call, found) =>
      call === 'findActive' ? [structuredClone(w.store.records.get(w.root.id) as KeyRecord)] : found
    expect(await faultOf(w.again({ init: false }))).toBe(fault)
  })

  test('one that another Strongroom on the same KMS made is refused', async () => {
    const w = await world()
    const theirs = await freshKeys({ name: 'others' })
    await expect(openKeys({ store: theirs.store, kms: theirs.kms, name: 'tests', init: false })).rejects.toMatchObject({
      fault: 'store',
    })
    w.store.records = theirs.store.records
    w.store.entries = theirs.store.entries
    expect(await faultOf(w.again({ init: false }))).not.toBe('accepted')
  })

  test('a root key that the key log does not know is refused, however well it is made', async () => {
    const w = await world()
    const theirs = await openKeys({ kms: w.kms, clock: w.clock })
    const stranger = [...(theirs.store as World['store']).records.values()][0] as KeyRecord
    w.store.records.set(stranger.id, stranger)
    w.store.bend = (call, found) => (call === 'findActive' ? [structuredClone(stranger)] : found)
    expect(await faultOf(w.again({ init: false }))).toBe('log')
  })

  test('a KMS that answers with another key is caught by the commitment', async () => {
    const w = await world()
    for (const plan of [{ wrongKeys: 1 }, { shortKeys: 1 }]) {
      expect(await faultOf(w.again({ init: false, kms: faulty(w.kms, plan) }))).toBe('wrap')
    }
  })
})

describe('an older revision that is put back', () => {
  test('is refused in the process that saw the newer one, and in a fresh one', async () => {
    const w = await world()
    const before = w.store.records.get(w.data.id) as KeyRecord
    await w.manager.suspend(w.data.id)
    w.store.records.set(w.data.id, structuredClone(before))
    expect(await faultOf(w.manager.get(w.data.id))).toBe('rollback')
    expect(await faultOf(w.manager.rotate({ scope: { tenant: 'a' } }))).toBe('rollback')
    const fresh = await w.again({ init: false })
    expect(await faultOf(fresh.keyring.load([w.data.id]))).toBe('rollback')
    expect(await faultOf(fresh.keyring.loadActive('data', ['tenant=a']))).toBe('rollback')
  })

  test('of the root key is refused, also in a fresh process', async () => {
    const w = await world()
    const before = structuredClone(w.root)
    await w.manager.rotate({ purpose: 'root' })
    const now = w.find('root', '')
    w.store.records.set(before.id, before)
    w.store.bend = (call, found) => (call === 'findActive' ? found.filter((record) => record.id !== now.id) : found)
    expect(await faultOf(w.again({ init: false }))).toBe('rollback')
  })

  test('of a destroyed key is refused: it stays destroyed', async () => {
    const w = await world()
    const before = structuredClone(w.other)
    await w.manager.destroy(w.other.id)
    w.store.records.set(before.id, before)
    expect(await faultOf((await w.again({ init: false })).keyring.load([before.id]))).toBe('rollback')
  })

  test('is refused when the end of the log is cut off with it, by a process that saw the end', async () => {
    const w = await world()
    const backup = w.store.snapshot()
    await w.manager.suspend(w.data.id)
    Object.assign(w.store, backup)
    expect(await faultOf(w.keyring.refresh())).toBe('log')
    expect(await faultOf(w.manager.suspend(w.other.id))).toBe('log')
  })
})

describe('a key log that was changed', () => {
  const damage: Record<string, (entries: KeyLogEntry[]) => KeyLogEntry[]> = {
    'with an entry taken out': (entries) => entries.toSpliced(1, 1),
    'with its first entry taken out': (entries) => entries.slice(1),
    'with two entries swapped': (entries) => [entries[1], entries[0], ...entries.slice(2)] as KeyLogEntry[],
    'with an entry twice': (entries) => [...entries, entries.at(-1) as KeyLogEntry],
    'cut off at its end': (entries) => entries.slice(0, -1),
    emptied: () => [],
    'holding nothing but null': (entries) => entries.map(() => null as unknown as KeyLogEntry),
    'with a change without a state': (entries) =>
      entries.map((entry) => ({ ...entry, changes: [{ id: 'x', rev: 1 }] }) as unknown as KeyLogEntry),
    'with a null change': (entries) =>
      entries.map((entry) => ({ ...entry, changes: [null] }) as unknown as KeyLogEntry),
    'with text after the MAC': (entries) => editLast(entries, { mac: `${entries.at(-1)?.mac}zz` }),
  }
  const fields: (keyof KeyLogEntry)[] = ['seq', 'at', 'action', 'changes', 'previous', 'hash', 'root', 'mac']
  for (const field of fields) {
    for (const place of ['first', 'last'] as const) {
      if (place === 'first' && field === 'mac') continue // the chain of hashes vouches for it
      damage[`with another ${field} in its ${place} entry`] = (entries) => {
        const at = place === 'first' ? 0 : entries.length - 1
        const entry = entries[at] as KeyLogEntry
        return entries.with(at, { ...entry, [field]: other(field, entry) })
      }
    }
  }
  test.each(Object.entries(damage))('%s is refused by a fresh process', async (_what, change) => {
    const w = await world()
    await w.manager.suspend(w.other.id)
    w.store.entries = change(w.store.entries)
    const work = w.again({ init: false }).then(async ({ keyring }) => {
      await keyring.loadActive('data', ['tenant=a'])
      await keyring.load([w.other.id])
    })
    expect(await faultOf(work)).toMatch(/^(log|misplaced)$/)
  })

  test('an entry rewritten with a right hash is refused: the next one names the hash it had', async () => {
    const w = await world()
    await w.manager.suspend(w.other.id)
    const [first, second] = w.store.entries as [KeyLogEntry, KeyLogEntry]
    const body = { at: later, action: 'other', changes: second.changes }
    const forged = nextEntry({ seq: 1, hash: first.hash }, body, second.root, new Uint8Array(32))
    expect(w.store.entries.length).toBeGreaterThan(2)
    w.store.entries = w.store.entries.with(1, forged)
    expect(await faultOf(w.again({ init: false }))).toBe('log')
  })

  test('an entry that an earlier root key could have signed but did not is refused', async () => {
    const w = await world()
    const last = w.store.entries.at(-1) as KeyLogEntry
    w.store.entries = w.store.entries.with(-1, { ...last, mac: w.store.entries[0]?.mac as string })
    expect(await faultOf(w.again({ init: false }))).toBe('log')
  })
})

function editLast(entries: KeyLogEntry[], changes: Partial<KeyLogEntry>): KeyLogEntry[] {
  return entries.with(-1, { ...(entries.at(-1) as KeyLogEntry), ...changes })
}

function other(field: keyof KeyLogEntry, entry: KeyLogEntry): unknown {
  if (field === 'seq') return entry.seq + 1
  if (field === 'changes') return entry.changes.map((change) => ({ ...change, state: 'compromised' }))
  if (field === 'root') return flip(entry.root)
  if (field === 'at') return later
  if (field === 'action') return 'other'
  return flip(entry[field] as string)
}

async function openFresh(w: World) {
  const bend = w.store.bend
  w.store.bend = (_call, found) => found
  const fresh = await w.again({ init: false })
  w.store.bend = bend
  return fresh
}
