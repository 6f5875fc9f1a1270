import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { gcm } from '@noble/ciphers/aes.js'
import { describe, expect, test } from 'vitest'
import { memoryKms } from '../../providers/memory/index.ts'
import { parseBase64url } from '../../src/base64url.ts'
import { isField, parseField, TEXT_PREFIX_BYTES } from '../../src/format/field.ts'
import { MAX_VALUE_BYTES } from '../../src/format/typed-value.ts'
import { defineRecord } from '../../src/index.ts'
import { DataKey } from '../../src/keys/data-key.ts'
import { unwrapSecret } from '../../src/keys/open-key.ts'
import { encryptValue } from '../../src/records/field-cipher.ts'
import { EditableStore, freshKeys, openKeys } from '../keys/fixtures.ts'
import { every, openRoom, sample } from '../records/fixtures.ts'
import {
  fullHkdf,
  specifiedContext,
  specifiedDecrypt,
  specifiedEncrypt,
  specifiedKeyId,
  specifiedUnpad,
} from './specification.ts'

/** A room and the secret of its data key, taken from the store by the KMS key. */
async function roomWithSecret() {
  const kms = memoryKms()
  const store = new EditableStore()
  const record = defineRecord('spec', every, { id: 'id', tenant: 'org' })
  const { room } = await openRoom({ record }, { kms, store })
  await room.unlock([{ tenant: 'acme' }])
  const { keyring } = await openKeys({ store, kms, init: false })
  const key = [...store.records.values()].find((r) => r.purpose === 'data' && r.scope === 'tenant=acme')
  if (key === undefined) throw new Error('no key')
  return { room, secret: unwrapSecret(await keyring.activeRoot(), key), key }
}

const payloads: Readonly<Record<string, [type: number, payload: string]>> = {
  name: [1, Buffer.from('Zoë 🚀').toString('hex')],
  age: [3, 'c044800000000000'],
  score: [3, '8000000000000000'],
  balance: [4, `0101${'00'.repeat(25)}`],
  vip: [5, '00'],
  born: [6, 'ffffffffffffffff'],
  photo: [2, '00800000'],
  notes: [7, Buffer.from('{"tags":["a",""]}').toString('hex')],
}

describe('the field format', () => {
  test('is what an implementation from the specification alone reads', async () => {
    const { room, secret, key } = await roomWithSecret()
    expect(specifiedKeyId(secret)).toBe(key.id)
    const stored = room.records.record.encrypt({ ...sample, org: 'acme' })
    for (const [column, [type, payload]] of Object.entries(payloads)) {
      const text = stored[column as keyof typeof stored] as string
      expect(text.startsWith('sr1_')).toBe(true)
      const field = Buffer.from(text.slice(4), 'base64url')
      const context = { app: 'tests', table: 'spec', column, row: 'r1', tenant: 'acme' }
      const typed = specifiedUnpad(specifiedDecrypt(secret, field, context))
      expect({ column, type: typed.type, payload: typed.payload.toString('hex') }).toEqual({ column, type, payload })
      expect(typed.paddedTo).toBeGreaterThanOrEqual(16)
    }
  })

  test('reads what an implementation from the specification alone writes', async () => {
    const { room, secret } = await roomWithSecret()
    for (const [column, [type, payload]] of Object.entries(payloads)) {
      const context = { app: 'tests', table: 'spec', column, row: 'r1', tenant: 'acme' }
      const bare = Buffer.concat([Buffer.from([type]), Buffer.from(payload, 'hex')])
      const padded = Buffer.concat([Buffer.from([type | 0x80]), bare.subarray(1), Buffer.from([0x80, 0, 0, 0])])
      for (const typed of [bare, padded]) {
        const field = specifiedEncrypt(secret, randomBytes(24), typed, context)
        const row = { id: 'r1', org: 'acme', [column]: `sr1_${field.toString('base64url')}` }
        const back = room.records.record.decrypt(row) as Record<string, unknown>
        expect(back[column]).toEqual(sample[column as keyof typeof sample])
        expect(room.records.record.decrypt({ ...row, [column]: field })).toEqual(back)
      }
    }
  })

  test('refuses typed plaintexts that its own writer would not write, even under the right key', async () => {
    const { room, secret } = await roomWithSecret()
    const bad: [string, string][] = [
      ['name', ''],
      ['name', '00ff'],
      ['name', '08'],
      ['name', '7f'],
      ['name', '02ab'],
      ['name', '01ff'],
      ['name', '01c080'],
      ['name', '01eda080'],
      ['name', '81'],
      ['name', '8180ff'],
      ['name', '810000'],
      ['name', '81616200'],
      ['age', '033ff8000000000000'],
      ['age', '037ff8000000000000'],
      ['age', '0300'],
      ['age', '03404480000000000000'],
      ['score', '037ff0000000000001'],
      ['score', '03fff8000000000000'],
      ['balance', '04'],
      ['balance', '0402'],
      ['balance', '0401'],
      ['balance', '040000'],
      ['balance', '0400' + '00ff'],
      ['vip', '05'],
      ['vip', '0502'],
      ['vip', '050001'],
      ['born', '06'],
      ['born', '067fffffffffffffff'],
      ['born', '0600'],
      ['notes', '07'],
      ['notes', '077b'],
      ['notes', `07${Buffer.from('{"__proto__":1}').toString('hex')}`],
      ['notes', `07${Buffer.from('['.repeat(70) + ']'.repeat(70)).toString('hex')}`],
      ['notes', '07ff'],
      ['name', '00'],
    ]
    for (const [column, hex] of bad) {
      const context = { app: 'tests', table: 'spec', column, row: 'r1', tenant: 'acme' }
      const field = specifiedEncrypt(secret, randomBytes(24), Buffer.from(hex, 'hex'), context)
      const call = () => room.records.record.decrypt({ id: 'r1', org: 'acme', [column]: field })
      expect(call, `${column} ${hex}`).toThrow('decryption failed')
    }
  })

  test('adds 57 bytes, and shows neither type nor null at the default padding', async () => {
    const { room } = await roomWithSecret()
    const sizes = new Set<number>()
    for (const row of [
      { vip: true },
      { age: 7 },
      { born: new Date() },
      { notes: null },
      { name: '' },
      { name: 'short' },
    ]) {
      const stored = room.records.record.encrypt({ id: 1, org: 'acme', ...row }) as Record<string, unknown>
      sizes.add((stored[Object.keys(row)[0] as string] as string).length)
    }
    expect([...sizes]).toEqual([4 + Math.ceil(((57 + 16) * 4) / 3)])
  })

  test('rests on primitives that agree with other implementations', () => {
    const [input, salt] = [randomBytes(32), randomBytes(64)]
    const { viaExpand, viaNode } = fullHkdf(input, salt, 'info')
    expect(viaExpand).toEqual(viaNode)
    expect(specifiedContext({ b: '2', a: '1' }).toString('hex')).toBe('000200016100013100016200013' + '2')
    expect(gcm(new Uint8Array(32), new Uint8Array(12)).encrypt(new Uint8Array(0))).toHaveLength(16)
  })

  test('cannot be made to hold one ciphertext with two plaintexts: each key has an id of its own', async () => {
    const w = await freshKeys()
    await w.manager.ensureActive('data', ['', 'tenant=x'])
    const [one, two] = [w.keyring.active('data', ''), w.keyring.active('data', 'tenant=x')]
    expect(one).toBeInstanceOf(DataKey)
    expect(one.id).not.toBe(two.id)
    const column = {
      name: 'v',
      at: 0,
      type: 'text',
      nullable: false,
      visibleNull: false,
      binary: true,
      padding: 'none',
    } as const
    const aad = Buffer.alloc(60)
    const value = encryptValue({ ...column, state: 'encrypted', until: 0 }, 'x', one, aad)
    expect(two.decrypt(Buffer.from(value as Uint8Array), Buffer.alloc(60))).toBeUndefined()
  })

  test('reads text as strictly as base64url is defined, whatever is changed in it', () => {
    const characters = 'ABCXYZabcxyz0189-_+/= \n.~é\u0141'
    for (let length = 57; length < 130; length++) {
      const bytes = Buffer.concat([TEXT_PREFIX_BYTES, Buffer.from([0xf9]), Buffer.alloc(length, 0xa7)])
      const valid = bytes.toString('base64url')
      expect(parseField(valid)?.byteLength).toBe(length + 1)
      for (const character of characters) {
        for (const at of [4, 40, valid.length - 1]) {
          const text = valid.slice(0, at) + character + valid.slice(at + 1)
          const strict = parseBase64url(text)
          assert.equal(parseField(text) === undefined, strict === undefined || strict[3] !== 0xf9, text)
        }
        expect(parseField(valid + character) === undefined).toBe(parseBase64url(valid + character) === undefined)
      }
    }
  })

  test('is known by its form without its bytes, exactly where it can be read', () => {
    const agree = (value: unknown) => {
      assert.equal(isField(value), parseField(value) !== undefined, String(value).slice(0, 200))
    }
    const every = Array.from({ length: 0x180 }, (_, code) => String.fromCharCode(code))
    const text = (length: number) => {
      return Buffer.concat([TEXT_PREFIX_BYTES, Buffer.from([0xf9]), Buffer.alloc(length, 0xa7)]).toString('base64url')
    }
    expect(isField(text(57))).toBe(true)
    for (const length of [0, 1, 55, 56, 57, 58, 59, 100]) {
      const valid = text(length)
      agree(valid)
      agree(`${valid}\n`)
      for (const at of [0, 3, 4, 5, 6, 40, valid.length - 1, valid.length]) {
        for (const character of every) agree(valid.slice(0, at) + character + valid.slice(at + 1))
        agree(valid.slice(0, at))
      }
      const bytes = Buffer.from(valid.slice(4), 'base64url')
      for (const value of [bytes, new Uint8Array(bytes), bytes.subarray(1), bytes.subarray(0, -1)]) agree(value)
    }
    for (const more of [-2, -1, 0, 1, 2, 3]) agree(text(MAX_VALUE_BYTES + 1024 - 1 + more))
    for (const other of [undefined, null, 7, {}, [], new Date(0), '', 'sr1_', Symbol.iterator]) agree(other)
  })
})
