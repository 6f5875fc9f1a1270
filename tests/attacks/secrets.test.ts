import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { memoryKms } from '../../providers/memory/index.ts'
import { faulty } from '../../providers/testing/index.ts'
import { openStrongroom, type StrongroomEvent } from '../../src/index.ts'
import { EditableStore, freshKeys } from '../keys/fixtures.ts'
import { openRoom, people } from '../records/fixtures.ts'

const canary = 'CANARY-plaintext-7f3a-9876'
const kmsKey = Buffer.from('CANARY-kms-key-0123456789abcdef!')

/** Everything a value can be made to say. */
function saidBy(value: unknown): string {
  const parts = [
    inspect(value, { depth: null, showHidden: true, getters: false, maxStringLength: null, maxArrayLength: null }),
  ]
  parts.push(String(value))
  try {
    parts.push(JSON.stringify(value) ?? '')
  } catch {
    // a cycle or a bigint: inspect has shown it
  }
  if (value instanceof Error) parts.push(value.stack ?? '', value.message, saidBy(value.cause ?? ''))
  return parts.join('\n')
}

/** A secret as text, hexadecimal, base64 and the way inspect shows bytes. */
function formsOf(secret: Uint8Array): string[] {
  const bytes = Buffer.from(secret)
  const hex = bytes.toString('hex')
  const listed = [...bytes.subarray(0, 8)].join(', ')
  return [
    bytes.toString('latin1'),
    hex,
    bytes.toString('base64').slice(0, -2),
    hex.match(/../g)?.slice(0, 8).join(' ') ?? '',
    listed,
  ]
}

function expectSilence(said: string, secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) for (const form of formsOf(secret)) expect(said.includes(form)).toBe(false)
}

describe('secrets', () => {
  test('do not show in anything that a room, a record, a key or an event can be made to say', async () => {
    const unwrapped: Uint8Array[] = []
    const kms = memoryKms({ key: kmsKey })
    const spying = {
      ...kms,
      wrap: async (key: Uint8Array, call: Parameters<typeof kms.wrap>[1]) => {
        unwrapped.push(Uint8Array.from(key))
        return kms.wrap(key, call)
      },
    }
    const store = new EditableStore()
    const { room } = await openRoom({ people }, { kms: spying, store })
    const heard: StrongroomEvent[] = []
    room.on('*', (event) => heard.push(event))
    const rows = [{ id: 1, org: 'acme', email: `${canary}@example.com`, ssn: canary, born: null }]
    const stored = await room.records.people.encryptMany(rows)
    await room.records.people.decryptMany(stored)
    await room.records.people.indexMany('email', [`${canary}@example.com`], { tenant: 'acme' })
    await room.keys.rotate({ scope: { tenant: 'acme' } })
    const said = [room, room.records, room.records.people, room.keys, stored, heard, await room.keys.list(), store, kms]
    expect(heard.length).toBeGreaterThan(5)
    expect(unwrapped).toHaveLength(1)
    expectSilence(said.map(saidBy).join('\n'), [kmsKey, Buffer.from(canary), ...unwrapped])
  })

  test('do not show in keys in memory', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('data', [''])
    await w.manager.ensureActive('index', [''])
    const secret = Buffer.from('CANARY-derived-secret-0123456789')
    const data = w.keyring.active('data', '')
    const index = w.keyring.active('index', '')
    const derived = index.derive('x', (root) => ({ own: Uint8Array.from(root), wipe: () => {} }))
    const said = [data, index, data.root, w.keyring, w.manager, w.heard].map(saidBy).join('\n')
    expect(said).toContain(data.id)
    expectSilence(said, [derived.own, secret])
  })

  test('do not show in errors and their causes', async () => {
    const kms = memoryKms({ key: kmsKey })
    const store = new EditableStore()
    const { room } = await openRoom({ people }, { kms, store })
    const cipher = room.records.people
    const row = { id: 1, org: 'acme', email: canary, ssn: canary, born: null }
    const [stored] = await cipher.encryptMany([row])
    const errors: unknown[] = []
    const note = async (call: () => unknown) => {
      try {
        await call()
        errors.push(new Error('nothing was thrown'))
      } catch (error) {
        errors.push(error)
      }
    }
    await note(() => cipher.encrypt({ ...row, email: [canary] } as never))
    await note(() => cipher.encrypt({ ...row, email: `${canary}\ud800` }))
    await note(() => cipher.encrypt({ ...row, born: canary } as never))
    await note(() => cipher.encrypt({ ...row, id: { canary } } as never))
    await note(() => cipher.encrypt({ ...row, email: `sr1_${canary}` }))
    await note(() => cipher.decrypt({ id: 1, org: 'acme', email: canary }))
    await note(() => cipher.decrypt({ ...stored, id: 2 } as never))
    await note(() => cipher.index('email', [canary] as never, { tenant: 'acme' }))
    await note(() => room.encrypt(canary, { context: { a: 5 } } as never))
    await note(() => room.encrypt(canary, { context: {}, scope: { tenant: 'absent' } }))
    await note(() => room.decrypt(canary, { context: {} }))
    await note(() => room.keys.get(canary))
    const wrong = openStrongroom({ name: 'tests', store, kms: faulty(kms, { wrongKeys: 1 }), records: { people } })
    await note(() => wrong)
    expect(errors.map((error) => (error as Error).message)).not.toContain('nothing was thrown')
    expectSilence(errors.map(saidBy).join('\n'), [kmsKey, Buffer.from(canary)])
  })
})
