import { describe, expect, test } from 'vitest'
import { KeyStateError } from '../../src/errors.ts'
import { KEY_STATES, type KeyState } from '../../src/key-store.ts'
import type { KeyManager } from '../../src/keys/key-manager.ts'
import { mayBecome, mayDecrypt } from '../../src/keys/states.ts'
import { freshKeys } from './fixtures.ts'

/** Written down from the specification, not from the code. */
const allowed: Readonly<Record<KeyState, readonly KeyState[]>> = {
  pending: ['active', 'destroyed'],
  active: ['decrypt_only', 'suspended', 'compromised', 'destroyed'],
  suspended: ['active', 'decrypt_only', 'compromised', 'destroyed'],
  decrypt_only: ['compromised', 'destroy_scheduled'],
  compromised: ['destroy_scheduled'],
  destroy_scheduled: ['decrypt_only', 'destroyed'],
  destroyed: [],
}
const states = Object.keys(allowed) as KeyState[]

/** What each action of the manager does to a key that is the only one of its scope. */
const outcomes: Readonly<Record<string, Partial<Record<KeyState, KeyState>>>> = {
  promote: { pending: 'active' },
  suspend: { active: 'suspended' },
  resume: { suspended: 'active' },
  compromise: { active: 'compromised', suspended: 'compromised', decrypt_only: 'compromised' },
  retire: { decrypt_only: 'destroy_scheduled', compromised: 'destroy_scheduled' },
  cancelRetire: { destroy_scheduled: 'decrypt_only' },
  destroy: { pending: 'destroyed', active: 'destroyed', suspended: 'destroyed', destroy_scheduled: 'destroyed' },
}

const act: Readonly<Record<string, (manager: KeyManager, id: string) => Promise<unknown>>> = {
  promote: (manager, id) => manager.promote(id),
  suspend: (manager, id) => manager.suspend(id),
  resume: (manager, id) => manager.resume(id),
  compromise: (manager, id) => manager.compromise(id),
  retire: (manager, id) => manager.retire(id),
  cancelRetire: (manager, id) => manager.cancelRetire(id),
  destroy: (manager, id) => manager.destroy(id),
}

describe('the states of keys', () => {
  test('are those of the specification, in its order', () => expect(KEY_STATES).toEqual(states))

  test.each(states.flatMap((from) => states.map((to) => [from, to] as const)))(
    '%s may become %s or not',
    (from, to) => {
      expect(mayBecome(from, to)).toBe(allowed[from].includes(to))
    },
  )

  test('only active and decrypt_only keys decrypt, unless more is allowed', () => {
    expect(states.filter((state) => mayDecrypt(state, []))).toEqual(['active', 'decrypt_only'])
    expect(states.filter((state) => mayDecrypt(state, ['suspended']))).toEqual(['active', 'suspended', 'decrypt_only'])
    expect(states.filter((state) => mayDecrypt(state, ['compromised']))).toEqual([
      'active',
      'decrypt_only',
      'compromised',
    ])
  })

  const table = Object.keys(act).flatMap((action) => states.map((state) => [action, state] as const))
  test.each(table)('%s of a key that is %s does what the specification says', async (action, state) => {
    const { manager, store } = await freshKeys()
    const id = await keyIn(state, manager)
    const before = store.snapshot()
    const wanted = outcomes[action]?.[state]
    const work = act[action]?.(manager, id)
    if (wanted !== undefined) {
      await work
      expect((await manager.get(id)).state).toBe(wanted)
      return
    }
    const error = await work?.then(() => undefined).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(KeyStateError)
    expect(error).toMatchObject({ code: 'ERR_KEY_STATE', keyId: id, state })
    expect(store.snapshot()).toEqual(before)
  })
})

async function keyIn(state: KeyState, manager: KeyManager): Promise<string> {
  const { id } = await manager.add({ reason: 'for the test' })
  if (state === 'pending') return id
  await manager.promote(id)
  if (state === 'active') return id
  if (state === 'suspended') await manager.suspend(id)
  else if (state === 'destroyed') await manager.destroy(id)
  else if (state === 'compromised') await manager.compromise(id)
  else await manager.rotate()
  if (state === 'destroy_scheduled') await manager.retire(id)
  expect((await manager.get(id)).state).toBe(state)
  return id
}
