import { describe, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../providers/memory/index.ts'
import {
  ClosedError,
  ConfigError,
  DecryptionError,
  defineRecord,
  InvalidInputError,
  KeyNotResidentError,
  KeyRecordError,
  KeyUnavailableError,
  MigrationExpiredError,
  openStrongroom,
  type StrongroomEvent,
  SystemicFailureError,
  text,
} from '../../src/index.ts'
import { EditableStore } from '../keys/fixtures.ts'
import { binary, every, everything, notes, openRoom, people, sample, subjects, thrownBy } from './fixtures.ts'

const ada = { id: 1, org: 'acme', email: 'Ada@Example.com', ssn: '123-45-6789', born: new Date(0) }

describe('a row', () => {
  test.each([
    ['text', everything],
    ['binary', binary],
  ] as const)('of every type comes back as it was, in %s storage', async (storage, record) => {
    const { room } = await openRoom({ record })
    const stored = room.records.record.encrypt(sample)
    for (const column of Object.keys(every)) {
      const value: unknown = stored[column as keyof typeof stored]
      if (storage === 'text') expect(value).toMatch(/^sr1_-[Q-Za-f][A-Za-z0-9_-]{75,}$/)
      else expect((value as Uint8Array)[0]).toBe(0xf9)
    }
    expect(room.records.record.decrypt(stored)).toEqual(sample)
    expect(Object.is(room.records.record.decrypt(stored).score, -0)).toBe(true)
    expect(await room.records.record.decryptMany([stored])).toEqual([sample])
  })

  test('shares half a nonce between its own values, and with no other row', async () => {
    const { room } = await openRoom({ record: everything })
    const half = (value: unknown) => Buffer.from(String(value), 'base64url').subarray(20, 32).toString('hex')
    const rows = await room.records.record.encryptMany(Array.from({ length: 50 }, (_, id) => ({ ...sample, id })))
    const halves = rows.map((row) => new Set(Object.keys(every).map((column) => half(row[column as keyof typeof row]))))
    expect(halves.every(({ size }) => size === 1)).toBe(true)
    expect(new Set(halves.flatMap((set) => [...set])).size).toBe(50)
  })

  test('encrypted twice is different everywhere', async () => {
    const { room } = await openRoom({ everything })
    const [one, two] = [room.records.everything.encrypt(sample), room.records.everything.encrypt(sample)]
    for (const column of Object.keys(every) as (keyof typeof every)[]) expect(one[column]).not.toBe(two[column])
  })

  test('may be partial, and then only what was given is there', async () => {
    const { room } = await openRoom({ people })
    await room.unlock([{ tenant: 'acme' }])
    const stored = room.records.people.encrypt({ id: 1, org: 'acme', email: 'a@b.c' })
    expect(Object.keys(stored).sort()).toEqual(['email', 'email_index', 'id', 'org'])
    expect(room.records.people.decrypt(stored)).toEqual({ id: 1, org: 'acme', email: 'a@b.c' })
  })

  test('has one identity whatever type a driver gives it', async () => {
    const { room } = await openRoom({ notes })
    for (const [written, read] of [
      [7, '7'],
      ['7', 7n],
      [7n, 7],
      ['6F9619FF-8B86-D011-B42D-00C04FC964FF', '6f9619ff-8b86-d011-b42d-00c04fc964ff'],
    ] as const) {
      const { body } = room.records.notes.encrypt({ id: written, body: 'x' })
      expect(room.records.notes.decrypt({ id: read, body }).body).toBe('x')
    }
  })

  test('with a composite id cannot be confused with one whose parts are cut elsewhere', async () => {
    const pairs = defineRecord('pairs', { body: text() }, { id: ['a', 'b'] })
    const { room } = await openRoom({ pairs })
    const { body } = room.records.pairs.encrypt({ a: 'x', b: 'y","z', body: 'v' })
    expect(room.records.pairs.decrypt({ a: 'x', b: 'y","z', body }).body).toBe('v')
    expect(() => room.records.pairs.decrypt({ a: 'x","y', b: 'z', body })).toThrow(DecryptionError)
    expect(() => room.records.pairs.decrypt({ a: 'y","z', b: 'x', body })).toThrow(DecryptionError)
  })

  test('of an unbound record is bound to its column and tenant only', async () => {
    const loose = defineRecord('loose', { a: text(), b: text() }, { unbound: true, tenant: 'org' })
    const { room } = await openRoom({ loose })
    await room.unlock([{ tenant: 'x' }, { tenant: 'y' }])
    const { a } = room.records.loose.encrypt({ org: 'x', a: 'v' })
    expect(room.records.loose.decrypt({ org: 'x', a }).a).toBe('v')
    expect(() => room.records.loose.decrypt({ org: 'y', a })).toThrow(DecryptionError)
    expect(() => room.records.loose.decrypt({ org: 'x', b: a })).toThrow(DecryptionError)
  })

  test('of one person is not readable as that of another, even when it is unbound', async () => {
    const loose = defineRecord('loose', { a: text() }, { unbound: true, subject: 'person' })
    const { room } = await openRoom({ loose })
    await room.unlock([{ subject: 'x' }, { subject: 'y' }])
    const { a } = room.records.loose.encrypt({ person: 'x', a: 'v' })
    expect(room.records.loose.decrypt({ person: 'x', a }).a).toBe('v')
    expect(() => room.records.loose.decrypt({ person: 'y', a })).toThrow(DecryptionError)
  })

  test('from before a record had a subject stays readable, and is old', async () => {
    const before = defineRecord('subjects', { diary: text() }, { id: 'id', tenant: 'org' })
    const { room, store, kms } = await openRoom({ before })
    await room.unlock([{ tenant: 'acme' }])
    const old = { ...room.records.before.encrypt({ id: 1, org: 'acme', diary: 'v' }), person: 'p' }
    const { room: later } = await openRoom({ subjects }, { store, kms })
    expect(await later.records.subjects.decryptMany([old])).toEqual([{ id: 1, org: 'acme', person: 'p', diary: 'v' }])
    const [now] = await later.records.subjects.reencryptMany([old])
    expect(later.records.subjects.needsReencrypt(old)).toBe(true)
    expect(later.records.subjects.needsReencrypt(now as typeof old)).toBe(false)
  })
})

describe('what is refused on the way in', () => {
  test('columns that nobody declared, unless the record says so', async () => {
    const { room } = await openRoom({ people })
    await room.unlock([{ tenant: 'acme' }])
    const { records } = room
    expect(() => records.people.encrypt({ ...ada, phone: '1' } as never)).toThrow(/phone is not declared/)
    expect(records.people.encrypt({ ...ada, created: 5 })).toMatchObject({ created: 5 })
    const all = defineRecord('all', { a: text() }, { id: 'id', plain: 'all' })
    const { room: open } = await openRoom({ all })
    expect(open.records.all.encrypt({ id: 1, a: 'x', other: 1 })).toMatchObject({ other: 1 })
    const hostile = JSON.parse('{"id":1,"a":"x","__proto__":{"polluted":1}}')
    expect(() => open.records.all.encrypt(hostile)).toThrow(InvalidInputError)
    expect(() =>
      open.records.all.decrypt({ ...open.records.all.encrypt({ id: 1 }), ...hostile, ['__proto__']: 1 }),
    ).toThrow(DecryptionError)
  })

  test('a value that is encrypted already', async () => {
    const { room } = await openRoom({ notes })
    const once = room.records.notes.encrypt({ id: 1, body: 'x' })
    expect(() => room.records.notes.encrypt(once)).toThrow(/looks encrypted already/)
  })

  test('null where it is not declared', async () => {
    const { room } = await openRoom({ notes })
    expect(() => room.records.notes.encrypt({ id: 1, body: null as never })).toThrow(/is null/)
  })

  test('before any key is made for it: a batch with one bad row writes nothing', async () => {
    const { room, store } = await openRoom({ people })
    const size = (store as ReturnType<typeof memoryKeyStore>).size
    const bad = [
      { ...ada, email: 5 },
      { ...ada, born: new Date(Number.NaN) },
      { ...ada, email: '\ud800' },
      { ...ada, other: 1 },
      { ...ada, id: undefined },
      { ...ada, org: '' },
      { ...ada, email: undefined },
      null,
      [],
    ]
    for (const row of bad) {
      await expect(room.records.people.encryptMany([ada, { ...ada, org: 'new' }, row as never])).rejects.toThrow(
        InvalidInputError,
      )
      expect((store as ReturnType<typeof memoryKeyStore>).size).toBe(size)
    }
  })
})

describe('null', () => {
  test('is encrypted like any value, or left visible', async () => {
    const { room } = await openRoom({ people })
    await room.unlock([{ tenant: 'acme' }])
    const stored = room.records.people.encrypt({ ...ada, ssn: null, born: null })
    expect(stored.ssn).toMatch(/^sr1_/)
    expect(stored.born).toBe(null)
    expect(stored.ssn_last4).toMatch(/^[0-9a-f]+$/)
    expect(stored.ssn?.length).toBe(room.records.people.encrypt(ada).ssn?.length)
    expect(room.records.people.decrypt(stored)).toEqual({ ...ada, ssn: null, born: null })
  })
})

describe('a column in migration', () => {
  const until = '2999-01-01'
  const migrating = defineRecord('notes', { body: text({ state: 'migrating', until }) }, { id: 'id' })
  const plain = defineRecord('notes', { body: text({ state: 'plaintext' }) }, { id: 'id' })

  test('reads plaintext, says so, and writes ciphertext', async () => {
    const { room } = await openRoom({ migrating })
    const heard: StrongroomEvent[] = []
    room.on('plaintext.read', (event) => heard.push(event))
    expect(room.records.migrating.decrypt({ id: 1, body: 'old' }).body).toBe('old')
    expect(heard).toEqual([{ type: 'plaintext.read', table: 'notes', column: 'body', row: '1' }])
    expect(room.records.migrating.encrypt({ id: 1, body: 'new' }).body).toMatch(/^sr1_/)
    expect(room.records.migrating.needsReencrypt({ id: 1, body: 'old' })).toBe(true)
    expect(room.records.migrating.reencrypt({ id: 1, body: 'old' }).body).toMatch(/^sr1_/)
  })

  test('refuses a damaged ciphertext as such, not as plaintext', async () => {
    const { room } = await openRoom({ migrating })
    expect(() => room.records.migrating.decrypt({ id: 1, body: 'sr1_garbage' })).toThrow(DecryptionError)
  })

  test('refuses plaintext after its end', async () => {
    const over = defineRecord('notes', { body: text({ state: 'migrating', until: '2020-01-01' }) }, { id: 'id' })
    const { room } = await openRoom({ over })
    expect(() => room.records.over.decrypt({ id: 1, body: 'old' })).toThrow(MigrationExpiredError)
    const { body } = room.records.over.encrypt({ id: 1, body: 'x' })
    expect(room.records.over.decrypt({ id: 1, body }).body).toBe('x')
  })

  test('an encrypted column never reads plaintext, and a plaintext column never reads or writes ciphertext', async () => {
    const { room, store, kms } = await openRoom({ notes })
    expect(() => room.records.notes.decrypt({ id: 1, body: 'old' })).toThrow(DecryptionError)
    const { body } = room.records.notes.encrypt({ id: 1, body: 'x' })
    const { room: open } = await openRoom({ plain }, { store, kms })
    expect(open.records.plain.encrypt({ id: 1, body: 'x' }).body).toBe('x')
    expect(() => open.records.plain.decrypt({ id: 1, body })).toThrow(DecryptionError)
    expect(() => open.records.plain.encrypt({ id: 1, body })).toThrow(/looks encrypted/)
  })
})

describe('many rows', () => {
  test('of two tenants, encrypted and decrypted at once, do not mix', async () => {
    const { room, store, kms } = await openRoom({ people })
    const rows = Array.from({ length: 400 }, (_, id) => ({
      ...ada,
      id,
      org: id % 2 ? 'acme' : 'bolt',
      email: `${id}@x.y`,
    }))
    const batches = await Promise.all(
      Array.from({ length: 8 }, (_, i) => room.records.people.encryptMany(rows.slice(i * 50, i * 50 + 50))),
    )
    const stored = batches.flat()
    const { room: other } = await openRoom({ people }, { store, kms })
    const back = await Promise.all(
      Array.from({ length: 8 }, (_, i) => other.records.people.decryptMany(stored.slice(i * 50, i * 50 + 50))),
    )
    expect(back.flat()).toEqual(rows)
  })

  test('load every key once: one KMS call, however many tenants and subjects', async () => {
    const kms = memoryKms()
    const { room, store } = await openRoom({ subjects }, { kms })
    const rows = Array.from({ length: 3000 }, (_, i) => ({
      id: i,
      org: `org-${i % 100}`,
      person: `person-${i % 1000}`,
      diary: `day ${i}`,
    }))
    const stored = await room.records.subjects.encryptMany(rows)
    expect(kms.calls).toEqual({ wrap: 1, unwrap: 0 })
    const { room: fresh } = await openRoom({ subjects }, { store, kms })
    expect(await fresh.records.subjects.decryptMany(stored)).toEqual(rows)
    expect(kms.calls).toEqual({ wrap: 1, unwrap: 1 })
  })

  test('that fit into no memory are worked through all the same', async () => {
    const { room } = await openRoom({ subjects }, { keyring: { maxKeys: 5 } })
    const rows = Array.from({ length: 60 }, (_, i) => ({ id: i, org: 'o', person: `p${i % 30}`, diary: `${i}` }))
    const stored = await room.records.subjects.encryptMany(rows)
    expect(await room.records.subjects.decryptMany(stored)).toEqual(rows)
  })

  test('that fit into no memory are rewritten all the same, each under the active key of its scope', async () => {
    const { room } = await openRoom({ subjects }, { keyring: { maxKeys: 3 } })
    const rows = Array.from({ length: 24 }, (_, i) => ({ id: i, org: 'o', person: `p${i % 12}`, diary: `${i}` }))
    const made = await room.records.subjects.encryptSettled(rows)
    expect(made.map(({ status }) => status)).toEqual(rows.map(() => 'fulfilled'))
    const stored = made.map((one) => (one as { value: (typeof rows)[number] }).value)
    await room.keys.rotate({ scope: 'all' })
    const rewritten = await room.records.subjects.reencryptSettled(stored)
    expect(rewritten.map(({ status }) => status)).toEqual(rows.map(() => 'fulfilled'))
  })

  test('settle one by one: a damaged row does not hide the others', async () => {
    const { room } = await openRoom({ notes })
    const rows = Array.from({ length: 10 }, (_, id) => ({ id, body: `b${id}` }))
    const stored = await room.records.notes.encryptMany(rows)
    const damaged = stored.with(3, { ...stored[3], id: 99 } as (typeof stored)[number])
    const settled = await room.records.notes.decryptSettled(damaged)
    expect(settled.map((result) => result.status)).toEqual(rows.map((_, id) => (id === 3 ? 'rejected' : 'fulfilled')))
    expect(settled[3]).toMatchObject({ reason: { code: 'ERR_DECRYPTION_FAILED' } })
    await expect(room.records.notes.decryptMany(damaged)).rejects.toThrow(DecryptionError)
  })

  test('most of which fail say that the cause is not the rows', async () => {
    const { room } = await openRoom({ notes })
    const stored = await room.records.notes.encryptMany(Array.from({ length: 10 }, (_, id) => ({ id, body: 'x' })))
    const shifted = stored.map((row) => ({ ...row, id: Number(row.id) + 1 }))
    await expect(room.records.notes.decryptSettled(shifted)).rejects.toMatchObject({ failed: 10, total: 10 })
    await expect(room.records.notes.decryptMany(shifted)).rejects.toThrow(SystemicFailureError)
    expect((await room.records.notes.decryptSettled(shifted.slice(0, 3))).length).toBe(3)
    const half = [...stored.slice(0, 5), ...shifted.slice(5)]
    expect((await room.records.notes.decryptSettled(half)).filter((one) => one.status === 'rejected')).toHaveLength(5)
  })

  test('under a key whose record was edited fail alone', async () => {
    const store = new EditableStore()
    const { room, kms } = await openRoom({ people }, { store })
    const rows = ['a', 'a', 'a', 'b'].map((org, id) => ({ ...ada, id, org }))
    const stored = await room.records.people.encryptMany(rows)
    const bad = [...store.records.values()].find((r) => r.scope === 'tenant=b' && r.purpose === 'data')
    store.edit(bad?.id as string, { reason: 'edited' })
    const { room: fresh } = await openRoom({ people }, { store, kms })
    const settled = await fresh.records.people.decryptSettled(stored)
    expect(settled.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected'])
    expect(settled[3]).toMatchObject({ reason: expect.any(KeyRecordError) })
  })

  test('under a suspended or compromised key need permission', async () => {
    const { room } = await openRoom({ notes })
    const stored = room.records.notes.encrypt({ id: 1, body: 'x' })
    const [key] = await room.keys.list({ purpose: 'data' })
    await room.keys.suspend(key?.id as string)
    expect(() => room.records.notes.decrypt(stored)).toThrow(KeyUnavailableError)
    expect(room.records.notes.decrypt(stored, { allow: ['suspended'] }).body).toBe('x')
    expect(() => room.records.notes.encrypt({ id: 1, body: 'x' })).toThrow(KeyNotResidentError)
    await room.keys.compromise(key?.id as string)
    expect(() => room.records.notes.decrypt(stored, { allow: ['suspended'] })).toThrow(KeyUnavailableError)
    expect(room.records.notes.decrypt(stored, { allow: ['compromised'] }).body).toBe('x')
  })

  test('under a destroyed key are gone', async () => {
    const { room } = await openRoom({ subjects })
    const stored = await room.records.subjects.encryptMany(
      ['p', 'q'].map((person, id) => ({ id, org: 'o', person, diary: 'x' })),
    )
    const [key] = await room.keys.list({ scope: { tenant: 'o', subject: 'p' } })
    await room.keys.destroy(key?.id as string)
    const [p, q] = await room.records.subjects.decryptSettled(stored)
    expect([p?.status, q?.status]).toEqual(['rejected', 'fulfilled'])
    await expect(room.records.subjects.encryptMany([{ id: 9, org: 'o', person: 'p', diary: 'x' }])).rejects.toThrow(
      KeyUnavailableError,
    )
  })
})

describe('rotation', () => {
  test('leaves old rows readable, tells them apart, and reencrypts them', async () => {
    const { room } = await openRoom({ people })
    const [old] = await room.records.people.encryptMany([ada])
    if (old === undefined) throw new Error()
    expect(room.records.people.needsReencrypt(old)).toBe(false)
    await room.keys.rotate({ scope: { tenant: 'acme' } })
    await room.keys.rotate({ purpose: 'index', scope: { tenant: 'acme' } })
    expect(room.records.people.decrypt(old)).toEqual(ada)
    expect(room.records.people.needsReencrypt(old)).toBe(true)
    const now = room.records.people.reencrypt(old)
    expect(room.records.people.needsReencrypt(now)).toBe(false)
    expect(room.records.people.decrypt(now)).toEqual(ada)
    expect(room.records.people.inspect(old).filter((column) => column.stale).length).toBe(5)
    expect(room.records.people.inspect(now).map((column) => column.indexVersion ?? column.holds)).toEqual([
      'ciphertext',
      'ciphertext',
      'ciphertext',
      2,
      2,
    ])
  })

  test('does not take a damaged row for an old one', async () => {
    const { room } = await openRoom({ notes })
    const { body } = room.records.notes.encrypt({ id: 1, body: 'x' })
    const other = body.slice(0, 10) + (body[10] === 'A' ? 'B' : 'A') + body.slice(11)
    expect(thrownBy(() => room.records.notes.needsReencrypt({ id: 1, body: other }))).toBeInstanceOf(
      KeyNotResidentError,
    )
    for (const bad of ['plaintext', `${body}=`, 'sr1_', `${body}A`.slice(0, 40), null, 5]) {
      expect(() => room.records.notes.needsReencrypt({ id: 1, body: bad })).toThrow(DecryptionError)
    }
    await expect(room.records.notes.reencryptMany([{ id: 1, body: other }])).rejects.toThrow()
  })

  test('of the index finds rows under both versions until all are reencrypted', async () => {
    const { room } = await openRoom({ people })
    const { people: cipher } = room.records
    const [old] = await cipher.encryptMany([ada])
    await room.keys.rotate({ purpose: 'index', scope: { tenant: 'acme' } })
    const [young] = await cipher.encryptMany([{ ...ada, id: 2 }])
    const tags = await cipher.indexMany('email', [' ada@example.COM '], { tenant: 'acme' })
    expect(tags).toHaveLength(2)
    expect(tags).toContain(old?.email_index)
    expect(tags).toContain(young?.email_index)
    expect(cipher.index('email', 'other@example.com', { tenant: 'acme' })).not.toEqual(tags)
  })
})

describe('an index', () => {
  test('finds the rows of one tenant, and filter drops those that share a tag by chance', async () => {
    const { room } = await openRoom({ people })
    const { people: cipher } = room.records
    const rows = await cipher.encryptMany(
      Array.from({ length: 200 }, (_, id) => ({ ...ada, id, org: id % 2 ? 'a' : 'b', ssn: `${1000 + (id % 7)}` })),
    )
    const tags = new Set<unknown>(await cipher.indexMany('ssn', ['1003'], { tenant: 'a' }))
    const hits = rows.filter((row) => tags.has(row.ssn_last4))
    expect(hits.length).toBeGreaterThan(0)
    expect(hits.every((row) => row.org === 'a')).toBe(true)
    const found = cipher.filter(await cipher.decryptMany(hits), 'ssn', '1003')
    expect(found.map((row) => row.id)).toEqual(rows.flatMap((_row, id) => (id % 2 === 1 && id % 7 === 3 ? [id] : [])))
    expect(cipher.filter([{ ssn: '1004' }], 'ssn', '1003')).toEqual([])
    expect(() => cipher.filter([{ id: 'p1' }] as never, 'ssn', '1003')).toThrow(/select it as well/)
  })

  test('needs its tenant, and its key in memory', async () => {
    const { room } = await openRoom({ people })
    expect(() => room.records.people.index('email', 'x@y.z', {} as never)).toThrow(/needs the tenant/)
    expect(() => room.records.people.index('email', 'x@y.z', { tenant: 'acme' })).toThrow(KeyNotResidentError)
    expect(() => room.records.people.index('born' as never, new Date() as never, { tenant: 'a' })).toThrow(ConfigError)
  })
})

describe('a listener', () => {
  test('that encrypts does not disturb the row it hears of', async () => {
    const { room } = await openRoom({ everything, notes })
    room.on('key.used', (event) => {
      if (event.table === 'everything')
        room.records.notes.encrypt({ id: 'another, longer id', body: event.column ?? '' })
    })
    const stored = room.records.everything.encrypt(sample)
    expect(room.records.everything.decrypt(stored)).toEqual(sample)
    const two = room.records.everything.encrypt(room.records.everything.decrypt(stored))
    expect(room.records.everything.decrypt(two)).toEqual(sample)
  })

  test('hears what was used for which row, and nothing secret', async () => {
    const { room } = await openRoom({ notes })
    const heard: StrongroomEvent[] = []
    room.on('key.used', (event) => heard.push(event))
    room.records.notes.decrypt(room.records.notes.encrypt({ id: 7, body: 'x' }))
    const base = { type: 'key.used', purpose: 'data', table: 'notes', column: 'body', row: '7' }
    expect(heard).toMatchObject([
      { ...base, operation: 'encrypt' },
      { ...base, operation: 'decrypt' },
    ])
  })
})

describe('a closed room', () => {
  test('refuses every call with ClosedError', async () => {
    const { room } = await openRoom({ notes, people })
    const stored = room.records.notes.encrypt({ id: 1, body: 'x' })
    const single = room.encrypt('x', { context: { a: 'b' } })
    await room.close()
    await room.close()
    for (const call of [
      () => room.records.notes.encrypt({ id: 1, body: 'x' }),
      () => room.records.notes.decrypt(stored),
      () => room.records.people.index('email', 'x@y.z', { tenant: 'a' }),
      () => room.encrypt('x', { context: {} }),
      () => room.decrypt(single, { context: { a: 'b' } }),
    ]) {
      expect(thrownBy(call)).toBeInstanceOf(ClosedError)
    }
    await expect(room.unlock([{}])).rejects.toThrow(ClosedError)
    await expect(room.refresh()).rejects.toThrow(ClosedError)
    await expect(room.records.notes.encryptMany([{ id: 1, body: 'x' }])).rejects.toThrow(ClosedError)
    await expect(room.records.notes.decryptMany([stored])).rejects.toThrow(ClosedError)
    await expect(room.keys.rotate()).rejects.toThrow(ClosedError)
  })
})

describe('opening', () => {
  test('an empty store is refused unless it may be initialised', async () => {
    await expect(openStrongroom({ name: 'x', kms: memoryKms(), store: memoryKeyStore() })).rejects.toThrow(ConfigError)
  })

  test('two applications on one store do not read each other', async () => {
    const { store, kms } = await openRoom({ notes })
    await expect(openStrongroom({ name: 'others', kms, store, records: { notes } })).rejects.toThrow(KeyRecordError)
  })
})
