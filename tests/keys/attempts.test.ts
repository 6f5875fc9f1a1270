import { expect, test } from 'vitest'
import { AttemptLog } from '../../src/keys/attempts.ts'
import { ATTEMPT } from '../../src/keys/key-ledger.ts'
import { freshKeys } from './fixtures.ts'

/** A process with a retired key, and what writes attempts to use it. */
async function withRetired() {
  const w = await freshKeys()
  await w.manager.ensureActive('data', [''])
  const { id } = w.keyring.active('data', '')
  await w.manager.rotate()
  await w.manager.retire(id)
  const attempts = new AttemptLog({ store: w.store, keyring: w.keyring, clock: w.clock })
  const written = () => w.store.entries.filter(({ action }) => action === ATTEMPT)
  return { ...w, id, attempts, written }
}

test('an attempt names the key as it is when it is signed, not as it was before', async () => {
  const w = await withRetired()
  const activeRoot = w.keyring.activeRoot.bind(w.keyring)
  w.keyring.activeRoot = async () => {
    w.keyring.activeRoot = activeRoot
    await w.manager.cancelRetire(w.id)
    await w.manager.retire(w.id)
    return activeRoot()
  }
  w.attempts.note(w.id)
  await expect.poll(() => w.written().length).toBe(1)
  expect(w.written()[0]?.changes).toMatchObject([{ id: w.id, rev: w.store.records.get(w.id)?.rev }])
})

test('an attempt is not written for a key whose retirement was cancelled meanwhile', async () => {
  const w = await withRetired()
  const activeRoot = w.keyring.activeRoot.bind(w.keyring)
  let asked = false
  w.keyring.activeRoot = async () => {
    w.keyring.activeRoot = activeRoot
    await w.manager.cancelRetire(w.id)
    asked = true
    return activeRoot()
  }
  w.attempts.note(w.id)
  await expect.poll(() => asked).toBe(true)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(w.written()).toEqual([])
})

test('an attempt in the log changes nothing, also when it names an older revision of the key', async () => {
  const w = await withRetired()
  const root = await w.keyring.activeRoot()
  const { rev = 0 } = w.store.records.get(w.id) ?? {}
  const change = { id: w.id, rev: rev - 1, state: 'decrypt_only' } as const
  const body = { at: w.clock.date().toISOString(), action: ATTEMPT, changes: [change] }
  await w.store.commit({ puts: [], log: root.signEntry(w.keyring.ledger.head, body) })
  const { manager } = await w.again({ init: false })
  expect(await manager.get(w.id)).toMatchObject({ state: 'destroy_scheduled' })
  expect(await manager.attempts(w.id)).toMatchObject({ reports: 1 })
})

test('an attempt that lost every race is written with the next one', async () => {
  const w = await withRetired()
  const commit = w.store.commit.bind(w.store)
  let lost = 0
  w.store.commit = async () => {
    lost++
    return { written: false, conflict: 'log' }
  }
  w.attempts.note(w.id)
  await expect.poll(() => lost).toBe(10)
  await new Promise((resolve) => setTimeout(resolve, 20))
  w.store.commit = commit
  w.attempts.note(w.id)
  await expect.poll(() => w.written().length).toBe(1)
})

test('attempts of ever new keys do not keep a key out for longer than a minute', async () => {
  const w = await withRetired()
  for (let n = 0; n < 1000; n++) w.attempts.note(String(n).padStart(32, '0'))
  w.attempts.note(w.id)
  await w.clock.forward(60_000)
  expect(w.written()).toEqual([])
  w.attempts.note(w.id)
  await expect.poll(() => w.written().length).toBe(1)
})
