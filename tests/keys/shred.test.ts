import { describe, expect, test } from 'vitest'
import { memoryShredLedger } from '../../providers/memory/index.ts'
import {
  InvalidInputError,
  KeyRecordError,
  KeyStateError,
  KeyStoreError,
  KeyUnavailableError,
} from '../../src/errors.ts'
import type { ShredEntry, ShredLedger } from '../../src/key-store.ts'
import { encodeScope, type KeyScope } from '../../src/keys/scope.ts'
import { freshKeys } from './fixtures.ts'

const scoped = (scope: KeyScope) => encodeScope(scope, 'tests')
const SCOPES: KeyScope[] = [
  { tenant: 'acme' },
  { tenant: 'acme', subject: '7' },
  { tenant: 'acme', subject: '8' },
  { tenant: 'acme', subject: '7', bucket: '2026-11' },
  { tenant: 'acmeX', subject: '7' },
  { subject: '7' },
]

/** A ledger whose entries a test can read and edit. */
function editableLedger() {
  const entries: ShredEntry[] = []
  const ledger: ShredLedger & { entries: ShredEntry[] } = {
    name: 'editable',
    entries,
    read: async (after, limit) => structuredClone(ledger.entries.slice(after, after + limit)),
    append: async (more) => {
      if (more[0]?.seq !== ledger.entries.length + 1) return false
      ledger.entries.push(...structuredClone(more))
      return true
    },
  }
  return ledger
}

async function withScopes(shredLedger: ShredLedger = memoryShredLedger()) {
  const w = await freshKeys({ shredLedger })
  await w.manager.ensureActive('data', SCOPES.map(scoped))
  await w.manager.ensureActive('index', [scoped({ tenant: 'acme' })])
  await w.manager.rotate({ scope: { tenant: 'acme', subject: '7' } })
  return { ...w, shredLedger }
}
type World = Awaited<ReturnType<typeof withScopes>>

const statesOf = (w: World, scope: KeyScope) =>
  [...w.store.records.values()].filter((record) => record.scope === scoped(scope)).map((record) => record.state)

describe('shredding', () => {
  test('destroys every key of a scope and of those within it, whatever their state, and no other', async () => {
    const w = await withScopes()
    const shredded = await w.manager.shred({ tenant: 'acme', subject: '7' }, { reason: 'request 118' })
    expect(shredded.map(({ purpose, generation }) => [purpose, generation])).toEqual([
      ['data', expect.any(Number)],
      ['data', expect.any(Number)],
      ['data', expect.any(Number)],
    ])
    expect(shredded.every(({ destroyedAt, root }) => destroyedAt !== null && root !== null)).toBe(true)
    expect(statesOf(w, { tenant: 'acme', subject: '7' })).toEqual(['destroyed', 'destroyed'])
    expect(statesOf(w, { tenant: 'acme', subject: '7', bucket: '2026-11' })).toEqual(['destroyed'])
    for (const other of [{ tenant: 'acme' }, { tenant: 'acme', subject: '8' }, { tenant: 'acmeX', subject: '7' }])
      expect(statesOf(w, other)).toContain('active')
    expect(statesOf(w, { subject: '7' })).toEqual(['active'])
    expect([...w.store.records.values()].filter(({ reason }) => reason === 'request 118')).toHaveLength(3)
    await expect(w.manager.ensureActive('data', [scoped({ tenant: 'acme', subject: '7' })])).rejects.toThrow(
      KeyUnavailableError,
    )
  })

  test('of a tenant takes its index keys and all its people', async () => {
    const w = await withScopes()
    expect(await w.manager.shred({ tenant: 'acme' })).toHaveLength(6)
    expect([...w.store.records.values()].filter(({ state }) => state === 'active').map(({ scope }) => scope)).toEqual(
      expect.arrayContaining(['', scoped({ tenant: 'acmeX', subject: '7' }), scoped({ subject: '7' })]),
    )
  })

  test('takes suspended, compromised, pending and retired keys too', async () => {
    const w = await withScopes()
    const scope = { tenant: 'acme', subject: '7' }
    const [old] = await w.manager.list({ scope, state: 'decrypt_only' })
    await w.manager.compromise(old?.id as string)
    await w.manager.add({ scope })
    const [active] = await w.manager.list({ scope, state: 'active' })
    await w.manager.suspend(active?.id as string)
    await w.manager.shred(scope)
    expect(new Set(statesOf(w, scope))).toEqual(new Set(['destroyed']))
  })

  test('refuses the empty scope, and writes nothing for one that has no key', async () => {
    const ledger = editableLedger()
    const w = await withScopes(ledger)
    await expect(w.manager.shred({})).rejects.toThrow(InvalidInputError)
    expect(await w.manager.shred({ tenant: 'nobody' })).toEqual([])
    expect(ledger.entries).toEqual([])
  })

  test('finds a UUID in either case: rows keep it in lower case, room.encrypt as it was given', async () => {
    const w = await withScopes()
    const upper = '550E8400-E29B-41D4-A716-446655440000'
    const scopes = [upper, upper.toLowerCase()].flatMap((subject) => [
      { tenant: 'acme', subject },
      { tenant: 'acme', subject, bucket: '2026' },
    ])
    await w.manager.ensureActive('data', scopes.map(scoped))
    expect(await w.manager.shred({ tenant: 'acme', subject: upper })).toHaveLength(4)
    for (const scope of scopes) expect(statesOf(w, scope)).toEqual(['destroyed'])
    expect(statesOf(w, { tenant: 'acme', subject: '8' })).toEqual(['active'])
  })

  test('takes keys that were made at the same moment, and says so when that never ends', async () => {
    const ledger = editableLedger()
    const w = await withScopes(ledger)
    const { append } = ledger
    let made = 0
    let most = 2
    ledger.append = async (entries) => {
      if (made < most) await w.manager.ensureActive('data', [scoped({ tenant: 'acme', subject: `late ${made++}` })])
      return append(entries)
    }
    const counts: number[] = []
    const shredded = await w.manager.shred({ tenant: 'acme' }, { onProgress: (keys) => counts.push(keys) })
    expect([shredded.length, counts]).toEqual([8, [6, 7, 8]])
    expect(shredded.every(({ destroyedAt }) => destroyedAt !== null)).toBe(true)
    for (const late of [0, 1]) expect(statesOf(w, { tenant: 'acme', subject: `late ${late}` })).toEqual(['destroyed'])

    most = Number.POSITIVE_INFINITY
    await w.manager.ensureActive('data', [scoped({ tenant: 'acme', subject: 'one more' })])
    await expect(w.manager.shred({ tenant: 'acme' })).rejects.toMatchObject({ fault: 'conflict' })
  })

  test('refuses the bucket whose key proves receipts', async () => {
    const w = await withScopes()
    const receipt = await w.manager.proveReport({ kind: 'shred', store: 'tests' })
    await expect(w.manager.shred({ bucket: 'strongroom.reports' })).rejects.toThrow(InvalidInputError)
    expect(await w.manager.verifyReport(receipt)).toMatchObject({ genuine: true })
  })

  test('changes nothing in a dry run', async () => {
    const ledger = editableLedger()
    const w = await withScopes(ledger)
    const before = w.store.snapshot()
    const planned = await w.manager.shred({ tenant: 'acme' }, { dryRun: true })
    expect(planned).toHaveLength(6)
    expect(planned.every(({ destroyedAt }) => destroyedAt === null)).toBe(true)
    expect([w.store.snapshot(), ledger.entries]).toEqual([before, []])
  })

  test('names no tenant and no person in the ledger', async () => {
    const ledger = editableLedger()
    const w = await withScopes(ledger)
    await w.manager.shred({ tenant: 'acme' })
    expect(ledger.entries).toHaveLength(6)
    expect(JSON.stringify(ledger.entries)).not.toMatch(/acme|subject/)
  })
})

describe('a shredding that is stopped between any two steps', () => {
  test('leaves keys that nobody can use, and is finished by running it again', async () => {
    let steps = 0
    for (let dieAt = 1; ; dieAt++) {
      const ledger = editableLedger()
      const w = await withScopes(ledger)
      let at = 0
      const die = () => {
        if (++at === dieAt) throw new Error('killed')
      }
      const { append } = ledger
      ledger.append = async (entries) => {
        die()
        const written = await append(entries)
        die()
        return written
      }
      w.store.before = (call) => {
        if (call === 'commit') die()
      }
      w.store.after = die
      const scope = { tenant: 'acme', subject: '7' }
      const outcome = await w.manager.shred(scope).then(
        () => 'done',
        (error: Error) => error.message,
      )
      w.store.before = () => {}
      w.store.after = () => {}
      ledger.append = append
      if (outcome === 'done') break
      steps = dieAt
      expect(outcome).toBe('killed')

      // Whoever starts meanwhile is not kept out: what is out of use is not back.
      const other = await w.again({ shredLedger: ledger })
      const states = new Set(statesOf(w, scope))
      if (dieAt > 1) for (const state of states) expect(['destroy_scheduled', 'destroyed']).toContain(state)
      await other.manager.shred(scope)
      expect(new Set(statesOf(w, scope))).toEqual(new Set(['destroyed']))
      expect(new Set(ledger.entries.map(({ keyId }) => keyId)).size).toBe(3)
      expect(ledger.entries).toHaveLength(3)
      await w.again({ shredLedger: ledger })
    }
    expect(steps).toBe(6)
  })

  test('cannot be taken back once the ledger names the key', async () => {
    const ledger = editableLedger()
    const w = await withScopes(ledger)
    let commits = 0
    w.store.before = (call) => {
      if (call === 'commit' && ++commits === 2) throw new Error('killed')
    }
    await expect(w.manager.shred({ subject: '7' })).rejects.toThrow('killed')
    w.store.before = () => {}
    const [key] = await w.manager.list({ state: 'destroy_scheduled' })
    await expect(w.manager.cancelRetire(key?.id as string)).rejects.toThrow(KeyStateError)
  })
})

describe('an old copy of the key store that is put back', () => {
  async function restored() {
    const ledger = editableLedger()
    const w = await withScopes(ledger)
    const backup = w.store.snapshot()
    await w.manager.shred({ tenant: 'acme', subject: '7' })
    w.store.records = backup.records
    w.store.entries = backup.entries
    return { w, ledger }
  }

  test('is refused at start, and is destroyed again by replaying the ledger', async () => {
    const { w, ledger } = await restored()
    const refusal = await w.again({ shredLedger: ledger }).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(KeyRecordError)
    expect(refusal).toMatchObject({ fault: 'rollback' })
    expect(String(refusal)).toMatch(/was shredded at 2026-.* and is back, and 2 others.*strongroom shred --replay/)

    const blind = await w.again()
    await expect(blind.manager.replayShreds()).rejects.toThrow(InvalidInputError)
    const { manager } = await openWithoutCheck(w, ledger)
    expect(await manager.replayShreds({ reason: 'restored' })).toHaveLength(3)
    expect(new Set(statesOf(w, { tenant: 'acme', subject: '7' }))).toEqual(new Set(['destroyed']))
    expect(ledger.entries).toHaveLength(3)
    await w.again({ shredLedger: ledger })
    expect(await manager.replayShreds()).toEqual([])
  })

  test('that holds keys which wait to be destroyed keeps nobody out, and a replay destroys them', async () => {
    const ledger = editableLedger()
    const w = await withScopes(ledger)
    let commits = 0
    w.store.before = (call) => {
      if (call === 'commit' && ++commits === 2) throw new Error('killed')
    }
    const scope = { tenant: 'acme', subject: '7' }
    await expect(w.manager.shred(scope)).rejects.toThrow('killed')
    w.store.before = () => {}
    expect(statesOf(w, scope)).toEqual(['destroy_scheduled', 'destroy_scheduled'])
    const other = await w.again({ shredLedger: ledger })
    expect(await other.manager.replayShreds()).toHaveLength(3)
    expect(statesOf(w, scope)).toEqual(['destroyed', 'destroyed'])
    expect(ledger.entries).toHaveLength(3)
    expect(await other.manager.replayShreds()).toEqual([])
  })

  test('is not refused for keys that it never had', async () => {
    const ledger = editableLedger()
    const w = await withScopes(ledger)
    const backup = w.store.snapshot()
    await w.manager.ensureActive('data', ['tenant=later'])
    await w.manager.shred({ tenant: 'later' })
    w.store.records = backup.records
    w.store.entries = backup.entries
    await w.again({ shredLedger: ledger })
  })

  test('a ledger that somebody wrote into destroys nothing, and keeps the process from starting', async () => {
    const { w, ledger } = await restored()
    const victim = [...w.store.records.values()].find(({ scope }) => scope === scoped({ tenant: 'acme', subject: '8' }))
    const { nextShredEntries } = await import('../../src/keys/shred-ledger.ts')
    const [first] = ledger.entries as [ShredEntry]
    const forged = nextShredEntries(ledger.entries.at(-1), [
      { at: first.at, store: 'tests', keyId: victim?.id as string, proof: first.proof },
    ])
    ledger.entries.push(...forged)
    const { manager } = await openWithoutCheck(w, ledger)
    await expect(manager.replayShreds()).rejects.toThrow('was not made with it: nothing was destroyed')
    expect(statesOf(w, { tenant: 'acme', subject: '8' })).toEqual(['active'])
    expect(statesOf(w, { tenant: 'acme', subject: '7' })).not.toContain('destroyed')
  })

  const edits: Record<string, (ledger: { entries: ShredEntry[] }) => void> = {
    'an entry that was taken out': (ledger) => ledger.entries.splice(1, 1),
    'a key id that was changed': (ledger) => Object.assign(ledger.entries[1] as object, { keyId: 'ab'.repeat(16) }),
    'a proof that was changed': (ledger) => Object.assign(ledger.entries[1] as object, { proof: 'ab'.repeat(32) }),
    'entries in another order': (ledger) => ledger.entries.reverse(),
    'a missing beginning': (ledger) => ledger.entries.shift(),
    'something else': (ledger) => ledger.entries.splice(0, 1, null as never),
  }
  for (const [what, edit] of Object.entries(edits)) {
    test(`${what} makes the ledger damaged, and nothing starts with it`, async () => {
      const { w, ledger } = await restored()
      edit(ledger)
      const error = await w.again({ shredLedger: ledger }).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(KeyStoreError)
      expect(error).toMatchObject({ fault: 'corrupt' })
    })
  }
})

/** As `strongroom shred --replay` opens a store: the keyring without the ledger, the manager with it. */
async function openWithoutCheck(w: World, ledger: ShredLedger) {
  const { KeyManager } = await import('../../src/keys/key-manager.ts')
  const { keyring, clock, events } = await w.again()
  const parts = { name: 'tests', store: w.store, keyring, kms: undefined as never, events, clock }
  return { manager: new KeyManager({ ...parts, shredLedger: ledger }) }
}

describe('keys with an end', () => {
  test('refuse to open afterwards even when their record is put back, and are shredded by one call', async () => {
    const w = await withScopes()
    const scope = { tenant: 'acme', bucket: '2026-11' }
    const expiresAt = new Date(w.clock.date().getTime() + 86_400_000)
    const key = await w.manager.add({ scope, expiresAt })
    await w.manager.promote(key.id)
    const alive = w.store.records.get(key.id)
    expect(w.keyring.active('data', scoped(scope)).id).toBe(key.id)
    await w.clock.forward(86_400_001)
    expect(() => w.keyring.active('data', scoped(scope))).toThrow('reached its end')

    expect(await w.manager.shredExpired()).toMatchObject([{ id: key.id, destroyedAt: expect.any(String) }])
    expect(await w.manager.shredExpired()).toEqual([])

    // Without the ledger the record could be put back; then its end, bound into its wrap and its MAC, still holds.
    const other = await freshKeys()
    const mortal = await other.manager.add({ scope, expiresAt: new Date(other.clock.date().getTime() + 1000) })
    await other.manager.promote(mortal.id)
    const backup = other.store.snapshot()
    await other.clock.forward(2000)
    await other.manager.shredExpired()
    other.store.records = backup.records
    other.store.entries = backup.entries
    const again = await other.again()
    await again.keyring.load([mortal.id])
    const held = again.keyring.find(mortal.id)
    expect(held?.expired(other.clock)).toBe(true)
    other.store.edit(mortal.id, { expiresAt: null })
    const third = await other.again()
    await expect(third.keyring.load([mortal.id])).rejects.toThrow(KeyRecordError)
    expect(alive?.expiresAt).toBe(expiresAt.toISOString())
  })
})

describe('the proof of a report', () => {
  const body = { kind: 'shred', store: 'tests', counts: [{ rows: 3, note: 'ä€' }], at: null }

  test('holds for the report as it was made, in any order of its names, and outlives the root key', async () => {
    const w = await withScopes()
    const report = await w.manager.proveReport(body)
    expect(await w.manager.verifyReport(report)).toMatchObject({ genuine: true })
    const { proof, kind, ...rest } = report
    expect(await w.manager.verifyReport(JSON.parse(JSON.stringify({ ...rest, proof, kind })))).toMatchObject({
      genuine: true,
    })
    const [rotation] = await w.manager.rotate({ purpose: 'root' })
    await w.manager.rewrap()
    await w.manager.retire(rotation?.replaced?.id as string)
    await w.manager.destroy(rotation?.replaced?.id as string)
    await w.manager.rotate({ scope: 'all' })
    const other = await w.again()
    expect(await other.manager.verifyReport(report)).toMatchObject({ genuine: true })
  })

  test('fails for every change, for another kind, another Strongroom and another key', async () => {
    const w = await withScopes()
    const report = await w.manager.proveReport(body)
    const changed: unknown[] = [
      { ...report, counts: [{ rows: 4, note: 'ä€' }] },
      { ...report, counts: [] },
      { ...report, at: 0 },
      { ...report, more: 1 },
      { ...report, kind: 'rotation' },
      { ...report, store: 'others' },
      { ...report, proof: `${report.proof.slice(0, -2)}AA` },
      { ...report, proof: report.proof.replace('sr1_', 'sr2_') },
      { ...report, proof: '' },
      { kind: report.kind, store: report.store, counts: report.counts, proof: report.proof },
    ]
    for (const one of changed)
      expect(await w.manager.verifyReport(one), JSON.stringify(one)).toMatchObject({ genuine: false })
    const key = w.keyring.active('data', scoped({ tenant: 'acme' }))
    const stray = key.encryptText(Buffer.from([2, 0]), Buffer.alloc(400))
    expect(await w.manager.verifyReport({ ...report, proof: stray })).toMatchObject({ genuine: false })
    const stranger = await freshKeys()
    expect(await stranger.manager.verifyReport(report)).toMatchObject({ genuine: false })
    for (const none of [null, 'x', [], {}, { kind: 'shred' }, { kind: '', store: 'tests', proof: 'x' }]) {
      await expect(w.manager.verifyReport(none)).rejects.toThrow(InvalidInputError)
    }
  })
})
