import { beforeAll, describe, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../providers/memory/index.ts'
import * as api from '../../src/index.ts'
import { ConfigError, InvalidInputError, StrongroomError } from '../../src/index.ts'
import { EditableStore } from '../keys/fixtures.ts'
import { openRoom, people } from '../records/fixtures.ts'

const wrongTypes: readonly unknown[] = [
  undefined,
  null,
  5,
  Number.NaN,
  5n,
  true,
  '',
  'x',
  '\ud800',
  Symbol('s'),
  [],
  [5],
  () => {},
  new Date(Number.NaN),
]
const row = { id: 1, org: 'acme', email: 'a@b.c', ssn: '1234', born: null }
const store = new EditableStore()
let room: Awaited<ReturnType<typeof openRoom<{ people: typeof people }>>>['room']

beforeAll(async () => {
  room = (await openRoom({ people }, { store })).room
  await room.unlock([{ tenant: 'acme' }])
})

/** Each call with one argument to be replaced by every wrong value; `fine` are those that are right there. */
const calls: Record<string, { call: (bad: never) => unknown; fine?: (bad: unknown) => boolean }> = {
  'openStrongroom(config)': { call: (bad) => api.openStrongroom(bad) },
  'defineStrongroom(config)': { call: (bad) => api.defineStrongroom(bad) },
  'defineStrongroom name': {
    call: (bad) => api.defineStrongroom({ ...config(), name: bad }),
    fine: (bad) => bad === 'x',
  },
  'defineStrongroom kms': { call: (bad) => api.openStrongroom({ ...config(), kms: bad }) },
  'defineStrongroom store': { call: (bad) => api.defineStrongroom({ ...config(), store: bad }) },
  'defineStrongroom ttl': {
    call: (bad) => api.defineStrongroom({ ...config(), keyring: { ttl: bad } }),
    fine: isAbsent,
  },
  'defineRecord name': {
    call: (bad) => api.defineRecord(bad, { a: api.text() }, { id: 'id' }),
    fine: (bad) => bad === 'x',
  },
  'defineRecord fields': { call: (bad) => api.defineRecord('r', bad, { id: 'id' }) },
  'defineRecord one field': { call: (bad) => api.defineRecord('r', { a: bad }, { id: 'id' }) },
  'defineRecord options': { call: (bad) => api.defineRecord('r', { a: api.text() }, bad) },
  'defineRecord id': {
    call: (bad) => api.defineRecord('r', { a: api.text() }, { id: bad }),
    fine: (bad) => bad === 'x',
  },
  'defineRecord tenant': {
    call: (bad) => api.defineRecord('r', { a: api.text() }, { id: 'id', tenant: bad }),
    fine: (bad) => bad === undefined || bad === 'x',
  },
  'text padding': {
    call: (bad) => api.defineRecord('r', { a: api.text({ padding: bad }) }, { id: 'id' }),
    fine: isAbsent,
  },
  'encrypt row': { call: (bad) => room.records.people.encrypt(bad) },
  'encrypt text': {
    call: (bad) => room.records.people.encrypt({ ...row, email: bad }),
    fine: (bad) => bad === 'x' || bad === '',
  },
  'encrypt date': { call: (bad) => room.records.people.encrypt({ ...row, born: bad }), fine: (bad) => bad === null },
  'encrypt id': { call: (bad) => room.records.people.encrypt({ ...row, id: bad }), fine: isId },
  'encrypt tenant': { call: (bad) => room.records.people.encryptMany([{ ...row, org: bad }, bad]) },
  'decrypt row': { call: (bad) => room.records.people.decrypt(bad) },
  'decrypt id': { call: (bad) => room.records.people.decrypt({ id: bad, org: 'acme' }), fine: isId },
  'encryptMany rows': { call: (bad) => room.records.people.encryptMany(bad), fine: isEmpty },
  'decryptMany rows': { call: (bad) => room.records.people.decryptMany(bad), fine: isEmpty },
  'decryptSettled rows': { call: (bad) => room.records.people.decryptSettled(bad), fine: isEmpty },
  'reencryptMany rows': { call: (bad) => room.records.people.reencryptMany(bad), fine: isEmpty },
  'reencrypt row': { call: (bad) => room.records.people.reencrypt(bad) },
  'needsReencrypt row': { call: (bad) => room.records.people.needsReencrypt(bad) },
  'inspect row': { call: (bad) => room.records.people.inspect(bad) },
  'index name': { call: (bad) => room.records.people.index(bad, 'x', { tenant: 'acme' }) },
  'index tenant': { call: (bad) => room.records.people.index('email', 'x', { tenant: bad }), fine: isId },
  'room.encrypt value': {
    call: (bad) => room.encrypt(bad, { context: {} }),
    fine: (bad) =>
      !['undefined', 'symbol', 'function'].includes(typeof bad) && bad !== '\ud800' && !(bad instanceof Date),
  },
  'room.encrypt options': { call: (bad) => room.encrypt('v', bad) },
  'room.encrypt context': { call: (bad) => room.encrypt('v', { context: bad }) },
  'room.encrypt context value': {
    call: (bad) => room.encrypt('v', { context: { a: bad } }),
    fine: (bad) => bad === '' || bad === 'x',
  },
  'room.encrypt padding': {
    call: (bad) => room.encrypt('v', { context: {}, padding: bad }),
    fine: (bad) => bad === undefined,
  },
  'room.encrypt scope': { call: (bad) => room.encrypt('v', { context: {}, scope: bad }), fine: isAbsent },
  'room.decrypt value': { call: (bad) => room.decrypt(bad, { context: {} }) },
  'room.decrypt options': { call: (bad) => room.decrypt('v', bad) },
  'room.unlock scopes': { call: (bad) => room.unlock(bad), fine: isEmpty },
  'room.unlock tenant': {
    call: (bad) => room.unlock([{ tenant: bad }]),
    fine: (bad) => bad === undefined || bad === 'x',
  },
  'keys.get id': { call: (bad) => room.keys.get(bad) },
  'keys.add options': { call: (bad) => room.keys.add(bad), fine: (bad) => bad === undefined },
  'keys.add purpose': { call: (bad) => room.keys.add({ purpose: bad }), fine: (bad) => bad === undefined },
  'keys.add expiresAt': { call: (bad) => room.keys.add({ expiresAt: bad, scope: { tenant: 'q' } }), fine: isAbsent },
  'keys.list options': { call: (bad) => room.keys.list(bad), fine: (bad) => bad === undefined },
  'keys.list limit': { call: (bad) => room.keys.list({ limit: bad }), fine: (bad) => bad === undefined || bad === 5 },
  'keys.list state': { call: (bad) => room.keys.list({ state: bad }), fine: (bad) => bad === undefined },
  'keys.rotate options': { call: (bad) => room.keys.rotate(bad), fine: (bad) => bad === undefined },
  'keys.rotate purpose': { call: (bad) => room.keys.rotate({ purpose: bad }), fine: (bad) => bad === undefined },
  'keys.rewrap options': { call: (bad) => room.keys.rewrap(bad), fine: (bad) => bad === undefined },
}
for (const name of ['promote', 'suspend', 'resume', 'compromise', 'retire', 'cancelRetire', 'destroy'] as const) {
  calls[`keys.${name} id`] = { call: (bad) => room.keys[name](bad) }
  calls[`keys.${name} unknown id`] = { call: () => room.keys[name]('0'.repeat(32)) }
}

describe('bad input is refused with a typed error, and nothing is written', () => {
  test.each(Object.entries(calls))('%s', async (_name, { call, fine = () => false }) => {
    for (const bad of wrongTypes.filter((value) => !fine(value))) {
      const before = store.calls.commit
      let error: unknown
      try {
        await call(bad as never)
      } catch (thrown) {
        error = thrown
      }
      const what = `${typeof bad} ${String(bad)}`
      expect(error, what).toSatisfy((one) => one instanceof InvalidInputError || one instanceof StrongroomError)
      if (error instanceof InvalidInputError) expect(error).toBeInstanceOf(TypeError)
      expect((error as { code: string }).code, what).toMatch(/^ERR_/)
      expect(store.calls.commit, what).toBe(before)
    }
  })

  test('a context of hostile size or shape', () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, 'v']))
    const shapes = [
      many,
      { a: 'x'.repeat(9000) },
      { '': 'x' },
      { '\ud800': 'x' },
      { 'aws-crypto-x': 'x' },
      { app: 'x' },
    ]
    for (const context of shapes) expect(() => room.encrypt('v', { context })).toThrow(InvalidInputError)
    const proto = JSON.parse('{"__proto__":"x"}')
    const value = room.encrypt('v', { context: { a: 'b' } })
    expect(() => room.decrypt(value, { context: { a: 'b', ...proto } })).toThrow()
  })

  test('JSON that would change on its way', () => {
    const loop: unknown[] = []
    loop.push(loop)
    const hostile = JSON.parse('{"__proto__":{"polluted":true}}')
    const bad = [
      { a: Number.NaN },
      { a: Infinity },
      { a: undefined },
      { a: 5n },
      new Array(2),
      loop,
      hostile,
      { a: new Date() },
      { a: new Map() },
      { a: '\udc00' },
      { '\udc00': 1 },
      { toJSON: () => 1 },
    ]
    for (const value of bad) expect(() => room.encrypt(value as never, { context: {} })).toThrow(InvalidInputError)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  test('a record that cannot work says what to change', () => {
    const { defineRecord, text } = api
    const make = (fields: object, options: object) =>
      api.openStrongroom({ ...config(), records: { r: defineRecord('r', fields as never, options as never) } })
    const field = text({ index: { column: 'i', rows: 1000 } })
    const twice = { a: field, b: field }
    const attempts = [
      () => make({ a: text({ state: 'migrating' } as never) }, { id: 'id' }),
      () => make({ a: text({ state: 'migrating', until: 'soon' }) }, { id: 'id' }),
      () => make({ a: text() }, {}),
      () => make({ a: text() }, { id: 'id', unbound: true }),
      () => make({ id: text() }, { id: 'id' }),
      () => make({}, { id: 'id' }),
      () => make({ a: text({ storage: 'base64' as never }) }, { id: 'id' }),
      () => make({ a: text() }, { id: 'id', storage: 'base64' }),
      () => make({ a: text({ index: { column: '__proto__', rows: 1000 } }) }, { id: 'id' }),
      () => make({ a: text({ index: { column: 'a', rows: 1000 } }) }, { id: 'id' }),
      () => make(JSON.parse('{"__proto__":{"type":"text","options":{}}}'), { id: 'id' }),
    ]
    return Promise.all(
      [...attempts, () => make(twice, { id: 'id' })].map(async (attempt) => {
        await expect((async () => attempt())()).rejects.toSatisfy(
          (error) => error instanceof ConfigError || error instanceof InvalidInputError,
        )
      }),
    )
  })
})

function config() {
  return { name: 'x', kms: memoryKms(), store: memoryKeyStore() }
}
function isAbsent(bad: unknown): boolean {
  return bad === undefined || bad === null
}
function isEmpty(bad: unknown): boolean {
  return Array.isArray(bad) && bad.length === 0
}
function isId(bad: unknown): boolean {
  return bad === 5 || bad === 5n || bad === 'x'
}
