import { createHmac } from 'node:crypto'
import { argon2id } from 'hash-wasm'
import { afterEach, describe, expect, test } from 'vitest'
import { memoryKeyStore, memoryKms } from '../../providers/memory/index.ts'
import { SlowIndexError } from '../../src/errors.ts'
import { openTagMaker } from '../../src/index/blind-index.ts'
import { SLOW_TRANSFORM, slowTag } from '../../src/index/slow-tag.ts'
import { slowHash } from '../../src/passwords/slow-hash.ts'
import { integer, text } from '../../src/records/field.ts'
import { defineRecord } from '../../src/records/schema.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import { specifiedKey, specifiedList, specifiedTag } from './specification.ts'

const people = defineRecord(
  'people',
  {
    taxId: text({ index: { column: 'tax_index', transform: 'digits', rows: 10_000, slow: true }, nullable: true }),
    name: text({ index: { column: 'name_index', transform: 'casefold', rows: 10_000 } }),
    birth: integer(),
  },
  {
    id: 'id',
    tenant: 'org',
    indexes: { both_index: { fields: ['name', 'birth'], rows: 10_000, slow: true, bits: 6 } },
  },
)
const ada = { id: 1, org: 'acme', taxId: '078-05-1120', name: 'Ada', birth: 1815 }
const bob = { id: 2, org: 'acme', taxId: '219-09-9999', name: 'Bob', birth: 1815 }

const open = async () =>
  openStrongroom({ name: 'app', kms: memoryKms(), store: memoryKeyStore(), records: { people } }, { init: true })
let room: Awaited<ReturnType<typeof open>>
afterEach(() => room?.close())

describe('a slow index', () => {
  test('makes the tags of its specification, computed by another implementation', async () => {
    const secret = Buffer.alloc(32, 7)
    const definition = {
      table: 'people',
      column: 'taxId',
      index: 'tax_index',
      transformId: `digits-only-v1,${SLOW_TRANSFORM}`,
      bits: 29,
    }
    const parts = [{ type: 1, value: '078051120' }]
    const made = await slowTag(openTagMaker(secret, definition), 3, parts, slowHash())

    const key = specifiedKey(secret, definition)
    const salt = createHmac('sha256', key).update(specifiedList([Buffer.from([0x11]), 'strongroom/v1/slow-index']))
    const hashed = await argon2id({
      password: specifiedList([Buffer.from([1]), '078051120']),
      salt: salt.digest().subarray(0, 16),
      memorySize: 4096,
      iterations: 3,
      parallelism: 1,
      hashLength: 32,
      outputType: 'binary',
    })
    expect(made).toEqual(specifiedTag(key, 29, 3, [{ type: 0x10, value: hashed }]))
    expect(made.toString('hex')).toBe('0321078398')
  })

  test('is written by encryptMany and searched by indexMany, alone and compound', async () => {
    room = await open()
    const rows = await room.records.people.encryptMany([ada, bob])
    const find = async (tags: readonly unknown[], column: 'tax_index' | 'both_index') => {
      const found = rows.filter((row) => tags.includes(row[column]))
      return room.records.people.decryptMany(found)
    }
    const byTax = await find(
      await room.records.people.indexMany('taxId', ['078 05 1120'], { tenant: 'acme' }),
      'tax_index',
    )
    expect(room.records.people.filter(byTax, 'taxId', '078 05 1120')).toEqual([ada])
    const wanted = { name: 'Bob', birth: 1815 }
    const tags = await room.records.people.indexMany('both_index', [wanted], { tenant: 'acme' })
    expect(room.records.people.filter(await find(tags, 'both_index'), 'both_index', wanted)).toEqual([bob])
  })

  test('refuses synchronous calls by name, before anything is encrypted, unless they leave its fields alone', async () => {
    room = await open()
    const { records } = room
    const [stored] = await records.people.encryptMany([ada])
    const refused = /^index people\.tax_index is slow: use encryptMany, reencryptMany or indexMany$/
    expect(() => records.people.encrypt(ada)).toThrow(SlowIndexError)
    expect(() => records.people.encrypt(ada)).toThrow(refused)
    expect(() => records.people.index('taxId', '078051120', { tenant: 'acme' })).toThrow(refused)
    expect(() => records.people.reencrypt(stored as NonNullable<typeof stored>)).toThrow(refused)
    await records.people.indexMany('name', ['Ada'], { tenant: 'acme' })
    expect(records.people.index('name_index', 'ADA', { tenant: 'acme' })).toEqual([stored?.name_index])
    // A null has a random tag, which is no hash of anything.
    const partial = records.people.encrypt({ id: 1, org: 'acme', taxId: null })
    expect(partial.tax_index).toMatch(/^01/)
    expect(records.people.decrypt(stored as NonNullable<typeof stored>)).toEqual(ada)
  })

  test('is found under both keys while it rotates, and only under the new one after re-encryption', async () => {
    room = await open()
    const stored = await room.records.people.encryptMany([ada, bob])
    await room.keys.rotate({ purpose: 'index', scope: { tenant: 'acme' } })
    const search = () => room.records.people.indexMany('taxId', [ada.taxId], { tenant: 'acme' })
    expect((await search()).length).toBe(2)
    expect(await search()).toContain(stored[0]?.tax_index)
    expect(stored.map((row) => room.records.people.needsReencrypt(row))).toEqual([true, true])
    const settled = await room.records.people.reencryptSettled(stored)
    const rows = await room.records.people.reencryptMany(stored)
    expect(settled.map((result) => result.status === 'fulfilled' && result.value.tax_index)).toEqual(
      rows.map((row) => row.tax_index),
    )
    expect(await search()).toContain(rows[0]?.tax_index)
    expect(rows.map((row) => row.tax_index?.slice(0, 2))).toEqual(['02', '02'])
    expect(await room.records.people.reencryptSettled(rows)).toEqual(
      rows.map((value) => ({ status: 'fulfilled', value })),
    )
    expect(await room.records.people.decryptMany(rows)).toEqual([ada, bob])
  })

  test('gives no tag of its own to another key or to the fast index', async () => {
    const secret = Buffer.alloc(32, 9)
    const definition = { table: 'people', column: 'taxId', index: 'tax_index', transformId: 'digits-only-v1', bits: 40 }
    const parts = [{ type: 1, value: '078051120' }]
    const hash = slowHash()
    const slow = { ...definition, transformId: `digits-only-v1,${SLOW_TRANSFORM}` }
    const tags = [
      openTagMaker(secret, definition).tag(1, parts),
      openTagMaker(secret, slow).tag(1, parts),
      await slowTag(openTagMaker(secret, slow), 1, parts, hash),
      await slowTag(openTagMaker(secret, definition), 1, parts, hash),
      await slowTag(openTagMaker(Buffer.alloc(32, 8), slow), 1, parts, hash),
    ].map((tag) => tag.toString('hex'))
    expect(new Set(tags).size).toBe(5)
  })

  test('that is neither on nor off is refused where it is declared', () => {
    const wrong = { a: text({ index: { column: 'b', rows: 100, slow: 1 as never } }) }
    expect(() => defineRecord('p', wrong, { id: 'id' })).toThrow(/slow of an index of field p\.a must be true or false/)
  })
})
