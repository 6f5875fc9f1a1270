import { Buffer } from 'node:buffer'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeBase64url, parseBase64url } from '../../src/base64url.ts'
import { lengthPrefixed, wipe } from '../../src/bytes.ts'
import { encodeContext } from '../../src/crypto/context.ts'
import { InvalidInputError } from '../../src/errors.ts'
import { parseField } from '../../src/format/field.ts'
import { encodeJson, parseJson } from '../../src/format/json.ts'
import type { Padding } from '../../src/format/padding.ts'
import {
  encodeTypedPlaintext,
  parseTypedPlaintext,
  typeOfPlaintext,
  type ValueType,
} from '../../src/format/typed-value.ts'
import { defineRecord } from '../../src/index.ts'
import { encodeScope } from '../../src/keys/scope.ts'
import { binary, every, everything, openRoom } from '../records/fixtures.ts'

/** 10^5 cases in all; a hundred times as many in the slow run. */
const SCALE = process.env.STRONGROOM_SLOW === undefined ? 1 : 10
const runs = (count: number) => ({ numRuns: count * SCALE })
const time = 30_000 * SCALE

const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ unit: 'grapheme', maxLength: 80 }))
const anyBytes = fc.uint8Array({ maxLength: 500 })
const anyBigint = fc.oneof(
  fc.bigInt(),
  fc.bigInt({ min: -(2n ** 600n), max: 2n ** 600n }),
  fc.constantFrom(0n, 255n, 256n, -1n),
)
const anyDate = fc.date({ noInvalidDate: true })
const anyJson = fc
  .jsonValue({ maxDepth: 6, stringUnit: 'grapheme' })
  .filter((value) => !JSON.stringify(value).includes('-0'))
const values: Readonly<Record<ValueType, fc.Arbitrary<unknown>>> = {
  text: anyText,
  bytes: anyBytes,
  number: fc.double(),
  integer: fc.maxSafeInteger(),
  bigint: anyBigint,
  boolean: fc.boolean(),
  date: anyDate,
  json: anyJson
    .map((value) => JSON.parse(JSON.stringify(value)))
    // A name `__proto__` is refused, which has a test of its own.
    .filter((value) => value !== null && !JSON.stringify(value).includes('"__proto__":')),
}
const types = Object.keys(values) as ValueType[]
const padding: fc.Arbitrary<Padding> = fc.oneof(
  fc.constant('none' as const),
  fc.integer({ min: 2, max: 400 }).map((min) => ({ min })),
  fc.constant({ fixed: 8192 }),
)
const typed = fc.constantFrom(...types).chain((type) => fc.tuple(fc.constant(type), values[type]))

/** A copy, with the shared memory wiped as its users must. */
function encoded(value: unknown, type: ValueType, pad: Padding): Buffer {
  const shared = encodeTypedPlaintext(value, type, pad)
  const own = Buffer.from(shared)
  wipe(shared)
  return own
}

// The properties return whether they hold: `expect` takes ten times as long as what most of them compare.
const isSame = (a: unknown, b: unknown) =>
  a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.from(a).equals(b) : isDeepStrictEqual(a, b)
const isNumeric = (type: ValueType) => type === 'number' || type === 'integer'

describe('typed plaintexts', () => {
  test('come back as they were, for every type and padding, and as no other type', { timeout: time }, () => {
    fc.assert(
      fc.property(typed, padding, fc.constantFrom(...types), ([type, value], pad, otherType) => {
        const plaintext = encoded(value, type, pad)
        const isOther = otherType !== type && !(isNumeric(otherType) && isNumeric(type))
        return (
          isSame(parseTypedPlaintext(plaintext, type)?.value, value) &&
          typeOfPlaintext(plaintext) === (type === 'integer' ? 'number' : type) &&
          (!isOther || parseTypedPlaintext(plaintext, otherType) === undefined)
        )
      }),
      runs(20_000),
    )
  })

  test('have one length within each bucket, and at most 12 % more than they need', { timeout: time }, () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), (size) => {
        const length = encoded(Buffer.alloc(size), 'bytes', { min: 16 }).byteLength
        expect(length).toBeGreaterThanOrEqual(Math.max(16, size + 2))
        expect(length).toBeLessThanOrEqual(Math.max(16, (size + 2) * 1.12))
      }),
      runs(1000),
    )
  })

  test('from anywhere are parsed or not, and never throw', { timeout: time }, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(...types), (bytes, type) => {
        const parsed = parseTypedPlaintext(Buffer.from(bytes), type)
        typeOfPlaintext(Buffer.from(bytes))
        if (parsed === undefined || parsed.value === null || (bytes[0] as number) >= 0x80) return true
        // What is parsed is what would be written: one value, one plaintext.
        return type === 'json' || encoded(parsed.value, type, 'none').equals(bytes)
      }),
      runs(20_000),
    )
  })
})

describe('encodings', () => {
  const pairs = fc.dictionary(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }),
    fc.string({ unit: 'grapheme', maxLength: 6 }),
    {
      maxKeys: 5,
      noNullPrototype: false,
    },
  )
  test('of two contexts are the same only when the contexts are', { timeout: time }, () => {
    fc.assert(
      fc.property(pairs, pairs, (a, b) => {
        const same = JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort())
        const bytes = encodeContext(a)
        return (
          bytes.equals(encodeContext(b)) === same &&
          bytes.equals(encodeContext(Object.fromEntries(Object.entries(a).reverse()))) &&
          bytes.equals(encodeContext(new Map(Object.entries(a))))
        )
      }),
      runs(15_000),
    )
  })

  test('of two lists are the same only when the lists are', { timeout: time }, () => {
    const list = fc.array(fc.string({ unit: fc.constantFrom('a', '\0', '\u0001', 'é'), maxLength: 4 }), {
      maxLength: 4,
    })
    fc.assert(
      fc.property(list, list, (a, b) => {
        const bytes = lengthPrefixed(a)
        return (
          bytes.equals(lengthPrefixed(b)) === (JSON.stringify(a) === JSON.stringify(b)) &&
          bytes.equals(lengthPrefixed(a.map((part) => Buffer.from(part))))
        )
      }),
      runs(15_000),
    )
  })

  test('of two scopes are the same only when the scopes are', { timeout: time }, () => {
    const part = fc.option(
      fc.string({ unit: fc.constantFrom('a', ';', '=', '%', '3', 'B', 'é', 'tenant'), minLength: 1, maxLength: 5 }),
      {
        nil: undefined,
      },
    )
    const scope = fc.record({ tenant: part, subject: part, bucket: part }).map((raw) => JSON.parse(JSON.stringify(raw)))
    fc.assert(
      fc.property(scope, scope, (a, b) => {
        return (encodeScope(a, 's') === encodeScope(b, 's')) === (JSON.stringify(a) === JSON.stringify(b))
      }),
      runs(5000),
    )
  })

  test('in base64url are the one text that is read back', { timeout: time }, () => {
    fc.assert(
      fc.property(
        anyBytes,
        fc.string({ unit: fc.constantFrom(...'AQZaz09-_+/= \n'), maxLength: 12 }),
        (bytes, text) => {
          const parsed = parseBase64url(text)
          return (
            isSame(parseBase64url(encodeBase64url(bytes)), bytes) &&
            (parsed === undefined || encodeBase64url(parsed) === text)
          )
        },
      ),
      runs(10_000),
    )
  })

  test('in JSON give back what was written, or are refused', { timeout: time }, () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withSparseArray: true }), (value) => {
        let text: string
        try {
          text = encodeJson(value)
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInputError)
          return
        }
        if (text.includes('-0') || Object.is(value, -0)) return
        expect(JSON.stringify(parseJson(text))).toBe(text)
      }),
      runs(5000),
    )
  })

  test('of fields from anywhere are parsed or not, and never throw', { timeout: time }, () => {
    const nearly = fc
      .tuple(fc.constantFrom('sr1_', 'sr1_-', 'sr1', ''), fc.base64String({ maxLength: 150 }))
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(nearly, anyText, anyBytes, fc.anything()), (value) => {
        const field = parseField(value)
        if (field !== undefined) expect(field[0]).toBe(0xf9)
      }),
      runs(5000),
    )
  })
})

describe('rows', () => {
  test('come back as they were, in text and in binary', { timeout: time }, async () => {
    const records = { everything, binary, none: defineRecord('none', every, { id: ['id', 'part'] }) }
    const { room } = await openRoom(records)
    const row = fc.record({
      id: fc.oneof(fc.maxSafeInteger(), fc.bigInt(), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })),
      part: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
      name: anyText.filter((text) => !text.startsWith('sr1_')),
      age: fc.maxSafeInteger(),
      score: fc.double(),
      balance: anyBigint,
      vip: fc.boolean(),
      born: anyDate,
      photo: anyBytes,
      notes: fc.option(fc.record({ tags: fc.array(fc.string({ unit: 'grapheme' })) })),
    })
    fc.assert(
      fc.property(row, ({ part, ...one }) => {
        expect(room.records.everything.decrypt(room.records.everything.encrypt(one))).toEqual(one)
        expect(room.records.binary.decrypt(room.records.binary.encrypt(one))).toEqual(one)
        const two = { ...one, part }
        expect(room.records.none.decrypt(room.records.none.encrypt(two))).toEqual(two)
      }),
      runs(500),
    )
  })

  test('single values come back as they were', { timeout: time }, async () => {
    const { room } = await openRoom({})
    const context = fc.dictionary(
      fc.stringMatching(/^[a-z]{1,8}$/).filter((name) => name !== 'app'),
      fc.string({ unit: 'grapheme' }),
      { maxKeys: 4 },
    )
    const value = fc.oneof(...types.filter((type) => type !== 'integer').map((type) => values[type]))
    fc.assert(
      fc.property(value, context, (one, bound) => {
        const stored = room.encrypt(one as string, { context: bound })
        expect(room.decrypt(stored, { context: bound })).toEqual(one)
      }),
      runs(3500),
    )
  })
})
