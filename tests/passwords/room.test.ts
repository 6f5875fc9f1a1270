import { afterEach, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../providers/memory/index.ts'
import type { StrongroomConfig } from '../../src/config.ts'
import type { KeyStore } from '../../src/key-store.ts'
import { argon2id } from '../../src/passwords/argon2id.ts'
import { openStrongroom, type Strongroom } from '../../src/strongroom.ts'
import { small } from './fixtures.ts'

const PASSWORD = 'correct horse battery staple'
const plain = argon2id(small)
const rooms: Strongroom[] = []
afterEach(() => Promise.all(rooms.splice(0).map((room) => room.close())))

/** The same keys for every room of one test, as several processes have them. */
function keys() {
  const kms = memoryKms()
  const store = memoryKeyStore()
  const shared: KeyStore = { ...store, close: async () => undefined }
  return async (options: Partial<StrongroomConfig> = {}) => {
    const config = { name: 'billing', kms, store: shared, passwords: argon2id(small), ...options }
    const room = await openStrongroom(config, { init: true })
    rooms.push(room)
    return room
  }
}

test('a room stores passwords as field ciphertexts that verify for their user, in every process', async () => {
  const open = keys()
  const [room, other] = [await open(), await open()]
  const stored = await room.passwords.hash(PASSWORD, { userId: 'ada' })
  expect(stored).toMatch(/^sr1_[A-Za-z0-9_-]+$/)
  expect(stored.length).toBeLessThan(300)
  expect(await other.passwords.verify(PASSWORD, stored, { userId: 'ada' })).toEqual({ valid: true })
  expect(await other.passwords.verify('wrong', stored, { userId: 'ada' })).toEqual({ valid: false })
})

test('a hash moved to another account, or to another application, does not verify', async () => {
  const open = keys()
  const room = await open()
  const stored = await room.passwords.hash(PASSWORD, { userId: 'eve' })
  expect(await room.passwords.verify(PASSWORD, stored, { userId: 'ada' })).toEqual({ valid: false })
  const foreign = await keys()({ name: 'billing' })
  expect(await foreign.passwords.verify(PASSWORD, stored, { userId: 'eve' })).toEqual({ valid: false })
})

test('a stored password is no field value, and a field value no stored password', async () => {
  const room = await keys()()
  const context = { purpose: 'password', user: 'ada' }
  const stored = await room.passwords.hash(PASSWORD, { userId: 'ada' })
  expect(() => room.decrypt(stored, { context })).toThrow()
  const planted = room.encrypt(await plain.hash(PASSWORD), { context })
  expect(await room.passwords.verify(PASSWORD, planted, { userId: 'ada' }).catch(() => ({ valid: false }))).toEqual({
    valid: false,
  })
})

test('the pepper rotates offline: no password is asked for, and the old key is then not needed', async () => {
  const open = keys()
  const room = await open()
  const rows = new Map<string, string>()
  for (const user of ['ada', 'bob', 'eve'])
    rows.set(user, await room.passwords.hash(`${user}: ${PASSWORD}`, { userId: user }))
  const early = await open()
  const [rotation] = await room.keys.rotate({ purpose: 'pepper' })
  expect(rotation?.replaced).not.toBeNull()

  // Another process, started after the rotation, still reads what the old key wrote.
  const later = await open()
  for (const [user, stored] of rows) {
    expect(later.passwords.needsRehash(stored)).toBe(true)
    const answer = await later.passwords.verify(`${user}: ${PASSWORD}`, stored, { userId: user })
    expect(answer).toMatchObject({ valid: true, rehash: expect.stringMatching(/^sr1_/) })
  }
  for (const [user, stored] of rows) {
    const next = await later.passwords.reencrypt(stored, { userId: user })
    expect(next).not.toBe(stored)
    expect(await later.passwords.reencrypt(next, { userId: user })).toBe(next)
    await expect(later.passwords.reencrypt(stored, { userId: 'someone else' })).rejects.toMatchObject({
      code: 'ERR_DECRYPTION_FAILED',
    })
    rows.set(user, next)
  }
  for (const [user, stored] of rows) {
    expect(later.passwords.needsRehash(stored)).toBe(false)
    // A process that does not know of the rotation yet.
    expect((await early.passwords.verify(`${user}: ${PASSWORD}`, stored, { userId: user })).valid).toBe(true)
    expect(await later.passwords.verify(`${user}: ${PASSWORD}`, stored, { userId: user })).toEqual({ valid: true })
  }
})

test('the pepper is turned on for an existing table at once, and off again', async () => {
  const open = keys()
  const before = await plain.hash(PASSWORD)
  const on = await open()
  const peppered = await on.passwords.reencrypt(before, { userId: 'ada' })
  expect(peppered).toMatch(/^sr1_/)
  expect(await on.passwords.verify(PASSWORD, peppered, { userId: 'ada' })).toEqual({ valid: true })

  const only = await open({ pepper: 'only' })
  expect(await only.passwords.verify(PASSWORD, before, { userId: 'ada' })).toEqual({ valid: false })
  expect(await only.passwords.verify(PASSWORD, peppered, { userId: 'ada' })).toEqual({ valid: true })

  const off = await open({ pepper: 'retire' })
  expect(await off.passwords.verify(PASSWORD, peppered, { userId: 'ada' })).toMatchObject({ valid: true })
  expect(await off.passwords.reencrypt(peppered, { userId: 'ada' })).toBe(before)
  await expect(plain.verify(PASSWORD, peppered)).rejects.toThrow(/peppered/)
})

test('an old hash is upgraded to Argon2id and peppered in one login', async () => {
  const room = await keys()()
  const { valid, rehash } = await room.passwords.verify('password', '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', {
    userId: 'ada',
  })
  expect(valid).toBe(true)
  expect(await room.passwords.verify('password', rehash, { userId: 'ada' })).toEqual({ valid: true })
})
