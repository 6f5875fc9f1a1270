import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hkdfExpand } from '../../src/crypto/kdf.ts'
import { ClosedError, ConfigError, InvalidInputError } from '../../src/errors.ts'
import { type IndexDefinition, indexKey, openTagMaker, TagMaker } from '../../src/index/blind-index.ts'
import { fullHkdf, specifiedKey, specifiedList, specifiedTag } from './specification.ts'

const root = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
const definition: IndexDefinition = {
  table: 'users',
  column: 'email',
  index: 'email_index',
  transformId: 'email-lower-nfc-v1',
  bits: 17,
}

const name = fc.stringMatching(/^[A-Za-z0-9_.-]{1,64}$/)
const names = fc.array(name, { minLength: 1, maxLength: 16 }).map((list) => list.join(','))
const anyDefinition = fc.record({
  table: name,
  column: names,
  index: name,
  transformId: names,
  bits: fc.integer({ min: 1, max: 256 }),
})
const text = fc.string({ unit: 'binary', maxLength: 60 })
const bytes = fc.uint8Array({ maxLength: 200 })
const part = fc.record({ type: fc.integer({ min: 0, max: 255 }), value: fc.oneof(text, bytes) })
const parts = fc.array(part, { minLength: 1, maxLength: 5 })

describe('an index key', () => {
  test('is the one of the specification, for 2,000 definitions', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), anyDefinition, (secret, d) => {
        expect(indexKey(secret, d)).toEqual(specifiedKey(secret, d))
      }),
      { numRuns: 2_000 },
    )
  })

  test('agrees with the HKDF of Node when its secret is extracted first', () => {
    const info = specifiedList(['strongroom/v1/index', 'users', 'email', 'email_index', 'email-lower-nfc-v1', '17'])
    const { prk, okm } = fullHkdf(root, info)
    expect(hkdfExpand(prk, info, 32)).toEqual(okm)
  })

  test('differs for every other table, column, index, transform, number of bits and secret', () => {
    const options = ['a', 'b', 'ab', 'a.b', 'a_b', 'a,b', 'b,a', 'aa']
    const single = options.filter((option) => !option.includes(','))
    const seen = new Set<string>()
    let count = 0
    for (const secret of [root, Buffer.alloc(32, 1)]) {
      for (const table of single) {
        for (const column of options) {
          for (const index of single) {
            for (const transformId of options) {
              for (const bits of [1, 11, 111]) {
                seen.add(indexKey(secret, { table, column, index, transformId, bits }).toString('hex'))
                count++
              }
            }
          }
        }
      }
    }
    expect(count).toBe(2 * 6 * 8 * 6 * 8 * 3)
    expect(seen.size).toBe(count)
  })

  test.each([
    ['another size of secret', Buffer.alloc(31), {}],
    ['a secret that is text', 'x'.repeat(32), {}],
    ['no bits', root, { bits: 0 }],
    ['bits beyond the digest', root, { bits: 257 }],
    ['half a bit', root, { bits: 1.5 }],
    ['a table that is not text', root, { table: 7 }],
  ])('refuses %s as wrong input', (_, secret, change) => {
    expect(() => indexKey(secret as Uint8Array, { ...definition, ...change } as IndexDefinition)).toThrow(
      InvalidInputError,
    )
  })

  test.each(['', 'a b', 'a,b', 'ä', 'a\0', 'x'.repeat(65)])('refuses %j as the name of a table', (table) => {
    expect(() => indexKey(root, { ...definition, table })).toThrow(ConfigError)
  })

  test.each(['', ',', 'a,', 'a,,b', Array(17).fill('a').join(',')])('refuses %j as a list of fields', (column) => {
    expect(() => indexKey(root, { ...definition, column })).toThrow(ConfigError)
  })
})

describe('a tag', () => {
  test('is the one of the specification, for 20,000 keys, sizes, versions and values', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.integer({ min: 1, max: 256 }),
        fc.integer({ min: 1, max: 255 }),
        parts,
        (key, bits, version, list) => {
          assert(new TagMaker(key, bits).tag(version, list).equals(specifiedTag(key, bits, version, list)))
        },
      ),
      { numRuns: 20_000 },
    )
  })

  test('is the one of the specification around every block and buffer boundary', () => {
    const maker = new TagMaker(root, 256)
    for (let size = 0; size < 1_300; size++) {
      const value = Buffer.alloc(size, size)
      assert(maker.tag(9, [{ type: 2, value }]).equals(specifiedTag(root, 256, 9, [{ type: 2, value }])))
      const letters = 'é'.repeat(size)
      const list = [{ type: 1, value: letters }]
      assert(maker.tag(9, list).equals(specifiedTag(root, 256, 9, list)))
    }
  })

  test('is the one of the specification for a value of 4 MiB', () => {
    const list = [{ type: 1, value: '€'.repeat(4 * 1024 * 1024) }]
    expect(new TagMaker(root, 64).tag(1, list)).toEqual(specifiedTag(root, 64, 1, list))
  })

  test('has the version first, then only as many bits as asked for', () => {
    for (let bits = 1; bits <= 256; bits++) {
      const tag = new TagMaker(root, bits).tag(200, [{ type: 1, value: 'Ada' }])
      expect(tag.length).toBe(1 + Math.ceil(bits / 8))
      expect(tag[0]).toBe(200)
      expect((tag.at(-1) as number) & ((1 << (8 * (tag.length - 1) - bits)) - 1)).toBe(0)
    }
  })

  test('is the same for text and for its UTF-8 bytes, and another for another type, order, split or number of parts', () => {
    const maker = new TagMaker(root, 256)
    const tag = (...list: [number, string | Uint8Array][]) =>
      maker
        .tag(
          1,
          list.map(([type, value]) => ({ type, value })),
        )
        .toString('hex')
    expect(tag([1, 'Ada'])).toBe(tag([1, Buffer.from('Ada')]))
    const others = [
      tag([1, 'Ada']),
      tag([2, 'Ada']),
      tag([1, 'Ad'], [1, 'a']),
      tag([1, 'A'], [1, 'da']),
      tag([1, 'Ada'], [1, '']),
      tag([1, ''], [1, 'Ada']),
      tag([1, ''], [1, '']),
      tag([1, '']),
    ]
    expect(new Set(others).size).toBe(others.length)
  })

  test('never has the same message for two lists of parts', () => {
    // Small alphabets make near misses likely; equal tags of 256 bits mean equal messages.
    const small = fc.record({
      type: fc.constantFrom(0, 1),
      value: fc.string({ unit: fc.constantFrom('\0', '\x01', 'a'), maxLength: 4 }),
    })
    const list = fc.array(small, { minLength: 1, maxLength: 3 })
    const maker = new TagMaker(root, 256)
    fc.assert(
      fc.property(list, list, (a, b) => {
        assert.equal(maker.tag(1, a).equals(maker.tag(1, b)), JSON.stringify(a) === JSON.stringify(b))
      }),
      { numRuns: 20_000 },
    )
  })

  test('does not depend on what was tagged before it', () => {
    const maker = new TagMaker(root, 128)
    const before = maker.tag(1, [{ type: 1, value: 'Ada' }])
    maker.tag(1, [{ type: 1, value: 'x'.repeat(5_000) }])
    expect(() =>
      maker.tag(1, [
        { type: 1, value: 'x' },
        { type: 1, value: '\ud800' },
      ]),
    ).toThrow()
    new TagMaker(Buffer.alloc(32, 9), 128).tag(1, [{ type: 1, value: 'y'.repeat(900) }])
    expect(maker.tag(1, [{ type: 1, value: 'Ada' }])).toEqual(before)
  })

  test('is spread evenly: chi-square over 4,096 buckets of 200,000 serial numbers', () => {
    const maker = new TagMaker(root, 12)
    const counts = new Uint32Array(4_096)
    for (let i = 0; i < 200_000; i++) {
      const bucket = maker.tag(1, [{ type: 1, value: `customer-${i}` }]).readUInt16BE(1) >> 4
      counts[bucket] = (counts[bucket] as number) + 1
    }
    const expected = 200_000 / 4_096
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    // 4,095 degrees of freedom: mean 4,095, standard deviation 90.5. Fixed inputs, so this never changes.
    expect(chiSquare).toBeGreaterThan(4_095 - 4 * 90.5)
    expect(chiSquare).toBeLessThan(4_095 + 4 * 90.5)
  })

  test('changes half of its bits when one bit of the value changes', () => {
    const maker = new TagMaker(root, 256)
    let changed = 0
    for (let i = 0; i < 2_000; i++) {
      const value = Buffer.from(`value ${i}`)
      const before = maker.tag(1, [{ type: 2, value }])
      value[i % value.length] = (value[i % value.length] as number) ^ (1 << (i % 8))
      const after = maker.tag(1, [{ type: 2, value }])
      for (let at = 1; at < 33; at++) changed += bitsOf((before[at] as number) ^ (after[at] as number))
    }
    expect(changed / 2_000).toBeGreaterThan(127)
    expect(changed / 2_000).toBeLessThan(129)
  })

  test.each([
    ['version 0', 0, [{ type: 1, value: 'a' }]],
    ['version 256', 256, [{ type: 1, value: 'a' }]],
    ['version NaN', Number.NaN, [{ type: 1, value: 'a' }]],
    ['no parts', 1, []],
    ['17 parts', 1, Array(17).fill({ type: 1, value: 'a' })],
    ['parts that are no list', 1, { length: 1, 0: { type: 1, value: 'a' } }],
    ['a type above a byte', 1, [{ type: 256, value: 'a' }]],
    ['a negative type', 1, [{ type: -1, value: 'a' }]],
    ['a value that is a number', 1, [{ type: 1, value: 7 }]],
    ['a value that is missing', 1, [{ type: 1 }]],
    ['a lone surrogate', 1, [{ type: 1, value: 'a\udc00' }]],
    ['a value above 4 MiB', 1, [{ type: 2, value: Buffer.alloc(4 * 1024 * 1024 + 1) }]],
  ])('is refused for %s', (_, version, list) => {
    const maker = new TagMaker(root, 16)
    expect(() => maker.tag(version, list as [])).toThrow(InvalidInputError)
  })
})

describe('a random tag', () => {
  test('looks like a tag of the same index and is another one each time', () => {
    const maker = new TagMaker(root, 61)
    const tags = Array.from({ length: 10_000 }, () => maker.randomTag(3))
    expect(new Set(tags.map((tag) => tag.toString('hex'))).size).toBe(10_000)
    const ones = new Array<number>(61).fill(0)
    for (const tag of tags) {
      assert.deepEqual([tag.length, tag[0], (tag[8] as number) & 7], [9, 3, 0])
      for (let bit = 0; bit < 61; bit++) {
        if (((tag[1 + (bit >> 3)] as number) << (bit & 7)) & 0x80) ones[bit] = (ones[bit] as number) + 1
      }
    }
    // Each bit is set in half of the tags; six standard deviations are 300.
    for (const count of ones) expect(Math.abs(count - 5_000)).toBeLessThan(300)
  })
})

describe('a tag maker', () => {
  test('cannot be printed', () => {
    const maker = openTagMaker(root, definition)
    const key = indexKey(root, definition)
    for (const shown of [inspect(maker, { depth: 9, showHidden: true }), JSON.stringify(maker), String(maker)]) {
      expect(shown).not.toContain(key.toString('hex'))
      expect(shown).not.toMatch(/[0-9a-f]{8}/)
    }
    expect(Object.getOwnPropertyNames(maker)).toEqual([])
  })

  test('keeps working when the caller wipes the key it gave, and makes the same tags as one opened from the root', () => {
    const key = indexKey(root, definition)
    const maker = new TagMaker(key, 17)
    key.fill(0)
    const list = [{ type: 1, value: 'ada@example.com' }]
    expect(maker.tag(1, list)).toEqual(openTagMaker(root, definition).tag(1, list))
  })

  test('refuses every call after it was wiped', () => {
    const maker = openTagMaker(root, definition)
    maker.wipe()
    maker.wipe()
    expect(() => maker.tag(1, [{ type: 1, value: 'a' }])).toThrow(ClosedError)
    expect(() => maker.randomTag(1)).toThrow(ClosedError)
  })

  test('does not change the values it is given', () => {
    const value = Buffer.from('unchanged')
    openTagMaker(root, definition).tag(1, [{ type: 2, value }])
    expect(value.toString()).toBe('unchanged')
  })
})

function bitsOf(byte: number): number {
  return byte === 0 ? 0 : (byte & 1) + bitsOf(byte >> 1)
}
