import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { DecryptionError, defineRecord, text } from '../../src/index.ts'
import { openRoom } from '../records/fixtures.ts'
import { withoutStacks } from '../without-stacks.ts'

const records = {
  texts: defineRecord('texts', { v: text() }, { id: 'id' }),
  binaries: defineRecord('binaries', { v: text({ storage: 'binary', padding: 'none' }) }, { id: 'id' }),
}
const { room } = await openRoom(records)

const BATCH = 100

/** How many of these stored values the asynchronous path accepts, and the error classes of the others. */
async function attempt(record: 'texts' | 'binaries', id: string, values: readonly (string | Uint8Array)[]) {
  const classes = new Set<unknown>()
  let accepted = 0
  // As many good rows beside them: more failures than that would be taken for a wrong configuration.
  const good = room.records[record].encrypt({ id, v: 'good' })
  for (let at = 0; at < values.length; at += BATCH) {
    const bad = values.slice(at, at + BATCH).map((v) => ({ id, v }))
    const results = await room.records[record].decryptSettled([...bad, ...bad.map(() => good)])
    for (const [index, result] of results.entries()) {
      if (index >= bad.length) assert.equal(result.status, 'fulfilled')
      else if (result.status === 'fulfilled') accepted++
      else classes.add((result.reason as Error).constructor)
    }
  }
  return { accepted, classes: [...classes] }
}

const refusedAll = { accepted: 0, classes: [DecryptionError] }
const SAMPLES = process.env.STRONGROOM_SLOW === undefined ? 25 : 100
const samples = Array.from({ length: SAMPLES }, (_, i) => ({ id: `row-${i}`, v: 'x'.repeat(i % 40) }))

describe('a stored value', () => {
  withoutStacks()

  test('is refused with any one bit of its binary form changed', async () => {
    let flips = 0
    for (const sample of samples) {
      const { v } = room.records.binaries.encrypt(sample)
      const values = Array.from({ length: v.byteLength * 8 }, (_, bit) => {
        const copy = Uint8Array.from(v)
        copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
        return copy
      })
      flips += values.length
      expect(await attempt('binaries', sample.id, values)).toEqual(refusedAll)
    }
    expect(flips).toBeGreaterThan(SAMPLES * 464)
  })

  test('is refused with any one bit of its text form changed', async () => {
    for (const sample of samples) {
      const { v } = room.records.texts.encrypt(sample)
      const values = Array.from({ length: v.length * 8 }, (_, bit) => {
        const at = bit >> 3
        return v.slice(0, at) + String.fromCharCode(v.charCodeAt(at) ^ (1 << (bit & 7))) + v.slice(at + 1)
      })
      expect(await attempt('texts', sample.id, values)).toEqual(refusedAll)
    }
  })

  test('is refused when it is cut or extended at any byte', async () => {
    const id = 'row'
    const bytes = room.records.binaries.encrypt({ id, v: 'some value' }).v as Uint8Array
    const string = room.records.texts.encrypt({ id, v: 'some value' }).v as string
    const cut = Array.from({ length: bytes.byteLength }, (_, n) => bytes.slice(0, n))
    const late = Array.from({ length: bytes.byteLength - 1 }, (_, n) => bytes.slice(n + 1))
    const longer = Array.from({ length: bytes.byteLength + 1 }, (_, n) =>
      Buffer.concat([bytes.slice(0, n), Buffer.from([randomInt(256)]), bytes.slice(n)]),
    )
    const doubled = [Buffer.concat([bytes, bytes]), Buffer.concat([bytes, Buffer.alloc(16)])]
    expect(await attempt('binaries', id, [...cut, ...late, ...longer, ...doubled])).toEqual(refusedAll)
    const cutText = Array.from({ length: string.length }, (_, n) => string.slice(0, n))
    const longerText = [...'Aa0-_=. \n'].map((more) => string + more)
    expect(await attempt('texts', id, [...cutText, ...longerText, string + string])).toEqual(refusedAll)
  })

  test('has one text form: no padding, alphabet, white space, stray bits or prefix of another kind', async () => {
    const id = 'row'
    const seen = { strayBits: 0, alphabets: 0 }
    for (let i = 0; i < 60; i++) {
      const v = room.records.texts.encrypt({ id, v: 'y'.repeat(i) }).v as string
      const forms = [`${v}=`, `${v}==`, ` ${v}`, `${v} `, `${v}\n`, `\ufeff${v}`, v.toUpperCase(), v.toLowerCase()]
      forms.push(`SR1_${v.slice(4)}`, `Sr1_${v.slice(4)}`, `sr2_${v.slice(4)}`, `sr1-${v.slice(4)}`, v.slice(4))
      forms.push(`${v.slice(0, 20)}\n${v.slice(20)}`, `${v.slice(0, 20)} ${v.slice(20)}`)
      const standard = `sr1_${v.slice(4).replaceAll('-', '+').replaceAll('_', '/')}`
      if (standard !== v) seen.alphabets = forms.push(standard)
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      const last = alphabet.indexOf(v.at(-1) as string)
      const spare = [0, 0, 4, 2][v.length % 4] as number
      for (let stray = 1; stray < 1 << spare; stray++)
        seen.strayBits = forms.push(v.slice(0, -1) + alphabet[last ^ stray])
      expect(await attempt('texts', id, forms)).toEqual(refusedAll)
    }
    expect(seen.strayBits).toBeGreaterThan(0)
    expect(seen.alphabets).toBeGreaterThan(0)
  })

  test('of any other kind is refused the same way', async () => {
    const { v } = room.records.texts.encrypt({ id: 'row', v: 'x' })
    const bytes = Buffer.from(v.slice(4), 'base64url')
    const others = [
      '',
      'sr1_',
      'hello',
      v.slice(4),
      'v1.aesgcm256.x',
      new Uint8Array(0),
      new Uint8Array(73),
      bytes.subarray(1),
    ]
    expect(await attempt('texts', 'row', others)).toEqual(refusedAll)
    for (const value of [null, 5, 5n, true, {}, [], new Date(), [...bytes], { type: 'Buffer', data: [...bytes] }]) {
      expect(await attempt('texts', 'row', [value as never])).toEqual(refusedAll)
    }
    expect(await attempt('texts', 'row', [bytes])).toMatchObject({ accepted: 1 })
  })

  test('as large as may be asked for is refused in no time', async () => {
    const huge = `sr1_-${'A'.repeat(200_000_000)}`
    room.records.texts.inspect({ id: 'row' })
    const start = performance.now()
    expect(() => room.records.texts.decrypt({ id: 'row', v: huge })).toThrow(DecryptionError)
    expect(performance.now() - start).toBeLessThan(100) // decoding it would take a second
  })
})

describe('the swap matrix', () => {
  withoutStacks()

  test('8 places by 8 places by 4 scopes: a value decrypts in its own place and no other', async () => {
    const fields = { a: text(), b: text() }
    const ids = { id: 'id', tenant: 'org', subject: 'person' } as const
    const tables = { one: defineRecord('one', fields, ids), two: defineRecord('two', fields, ids) }
    const { room: both } = await openRoom(tables)
    const scopes = ['t1', 't2'].flatMap((org) => ['s1', 's2'].map((person) => ({ org, person })))
    const places = (['one', 'two'] as const).flatMap((table) =>
      (['a', 'b'] as const).flatMap((column) => ['r1', 'r2'].map((id) => ({ table, column, id }))),
    )
    await both.unlock(scopes.map(({ org, person }) => ({ tenant: org, subject: person })))
    const cells = places.flatMap((place) => scopes.map((scope) => ({ ...place, ...scope })))
    let accepted = 0
    for (const from of cells) {
      const { table, column, ...row } = from
      const stored = both.records[table].encrypt({ ...row, [column]: 'v' }) as unknown as Record<string, string>
      for (const to of cells) {
        const target = { id: to.id, org: to.org, person: to.person, [to.column]: stored[column] }
        try {
          both.records[to.table].decrypt(target)
          accepted++
          assert.deepEqual(to, from)
        } catch (error) {
          assert(error instanceof DecryptionError)
          assert.notDeepEqual(to, from)
        }
      }
    }
    expect(accepted).toBe(cells.length)
  })

  test('the same store under another name of the application opens nothing', async () => {
    const mine = await openRoom(records)
    const { v } = mine.room.records.texts.encrypt({ id: 'row', v: 'x' })
    const theirs = await openRoom(records, { name: 'another' })
    const [result] = await theirs.room.records.texts.decryptSettled([{ id: 'row', v }])
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_DECRYPTION_FAILED' } })
  })

  test('values without a record are bound to their context and scope', async () => {
    await room.unlock([{ tenant: 'a' }, { tenant: 'b' }])
    const value = room.encrypt('v', { context: { a: '1', b: '2' }, scope: { tenant: 'a' } })
    expect(room.decrypt(value, { context: { b: '2', a: '1' }, scope: { tenant: 'a' } })).toBe('v')
    for (const context of [
      {},
      { a: '1' },
      { a: '2', b: '1' },
      { a: '12', b: '' },
      { a: '1', b: '2', c: '' },
      { A: '1', b: '2' },
    ]) {
      expect(() => room.decrypt(value, { context, scope: { tenant: 'a' } })).toThrow(DecryptionError)
    }
    expect(() => room.decrypt(value, { context: { a: '1', b: '2' }, scope: { tenant: 'b' } })).toThrow(DecryptionError)
    expect(() => room.decrypt(value, { context: { a: '1', b: '2' } })).toThrow(DecryptionError)
  })
})
