import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigError, InvalidInputError } from '../../src/errors.ts'
import { bucket } from '../../src/index/bucket-transforms.ts'
import type { FieldType } from '../../src/index/field-type.ts'
import { isMatch, queryPart, storedPart } from '../../src/index/searched-value.ts'
import { prefix } from '../../src/index/text-transforms.ts'
import type { AnyTransform, TransformName } from '../../src/index/transform.ts'
import { plannedDistinct, resolveTransform } from '../../src/index/transforms.ts'
import { withoutStacks } from '../without-stacks.ts'
import { specifiedForm } from './specification.ts'

type Transform = TransformName | AnyTransform
const form = (transform: Transform, type: FieldType, value: unknown) =>
  Buffer.from(storedPart(resolveTransform(transform, type), type, value, 'value').value as string).toString('hex')
const textForm = (transform: Transform, value: string) => Buffer.from(form(transform, 'text', value), 'hex').toString()

const anyText = fc.string({ unit: 'binary', maxLength: 40 })
const looseText = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...' \t\u00a0\ufeff\u0085ABcdß123１²٤-+ﬁΣσςİıé\u0301'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 20,
})

describe('every transform', () => {
  withoutStacks()

  test.each(['email', 'casefold', 'digits', 'last4', 'exact'] as const)(
    '%s is the one of the specification, for 3,000 texts',
    (name) => {
      fc.assert(
        fc.property(looseText, (text) => {
          const specified = specifiedForm(name, undefined, 'text', text)
          if (specified === 'refused') assert.throws(() => form(name, 'text', text), InvalidInputError)
          else assert.equal(form(name, 'text', text), specified)
        }),
        { numRuns: 3_000 },
      )
    },
  )

  test('prefix is the one of the specification, for 3,000 texts', () => {
    fc.assert(
      fc.property(looseText, fc.integer({ min: 1, max: 32 }), (text, length) => {
        assert.equal(form(prefix(length), 'text', text), specifiedForm('prefix', String(length), 'text', text))
      }),
      { numRuns: 3_000 },
    )
  })

  test.each(['day', 'month', 'year', 'decade', 'exact'] as const)(
    '%s is the one of the specification, for 2,000 dates of all times',
    (name) => {
      fc.assert(
        fc.property(fc.date({ noInvalidDate: true }), (date) => {
          assert.equal(form(name, 'date', date), specifiedForm(name, undefined, 'date', date.toISOString()))
        }),
        { numRuns: 2_000 },
      )
    },
  )

  test('exact is the one of the specification, for 5,000 numbers and 5,000 bigints', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (number) => {
        assert.equal(form('exact', 'number', number), specifiedForm('exact', undefined, 'number', String(number)))
      }),
      { numRuns: 5_000 },
    )
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), (bigint) => {
        assert.equal(form('exact', 'bigint', bigint), specifiedForm('exact', undefined, 'bigint', String(bigint)))
      }),
      { numRuns: 5_000 },
    )
  })

  test('bucket is the one of the specification, and holds a value between its ends', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: 1, max: 1_000_000 }), (value, size) => {
        const number = form(bucket(size), 'integer', value)
        assert.equal(number, specifiedForm('bucket', String(size), 'integer', String(value)))
        const at = Buffer.from(number, 'hex').readDoubleBE()
        assert(BigInt(at) * BigInt(size) <= BigInt(value) && BigInt(value) < (BigInt(at) + 1n) * BigInt(size))
        assert.equal(
          form(bucket(size), 'bigint', BigInt(value)),
          specifiedForm('bucket', String(size), 'bigint', String(value)),
        )
        assert.equal(form(bucket(BigInt(size)), 'integer', value), number)
      }),
      { numRuns: 5_000 },
    )
  })

  test('gives two values of one type the same exact form only when they are equal', () => {
    const same = (type: FieldType, a: unknown, b: unknown, equal: boolean) =>
      (form('exact', type, a) === form('exact', type, b)) === equal
    const number = fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(0, -0, 1, -1))
    fc.assert(
      fc.property(number, number, (a, b) => same('number', a, b, a === b)),
      { numRuns: 3_000 },
    )
    const bigint = fc.bigInt({ min: -300n, max: 300n })
    fc.assert(
      fc.property(bigint, bigint, (a, b) => same('bigint', a, b, a === b)),
      { numRuns: 3_000 },
    )
    const small = fc.uint8Array({ maxLength: 2, max: 2 })
    fc.assert(
      fc.property(small, small, (a, b) => same('bytes', a, b, Buffer.compare(a, b) === 0)),
      { numRuns: 3_000 },
    )
    fc.assert(
      fc.property(anyText, anyText, (a, b) => same('text', a, b, a.normalize('NFC') === b.normalize('NFC'))),
      { numRuns: 3_000 },
    )
  })
})

describe('transforms of text', () => {
  test('email ignores case, surrounding space and the way letters are composed', () => {
    const forms = ['Ada@Example.com', ' ada@example.com', 'ADA@EXAMPLE.COM\n'].map((text) => textForm('email', text))
    expect(new Set(forms)).toEqual(new Set(['ada@example.com']))
    expect(textForm('email', 'ZOE\u0308@x.org')).toBe(textForm('email', 'zo\u00eb@X.ORG'))
    expect(textForm('email', 'a b@x.org')).toBe('a b@x.org')
  })

  test('casefold joins what differs in case, width and compatibility forms, and nothing else', () => {
    expect(textForm('casefold', 'Straße')).toBe(textForm('casefold', 'STRASSE'))
    expect(textForm('casefold', 'ＡＤＡ')).toBe('ada')
    expect(textForm('casefold', 'Σίσυφος')).toBe(textForm('casefold', 'ΣΊΣΥΦΟΣ'))
    expect(textForm('casefold', 'resume')).not.toBe(textForm('casefold', 'résumé'))
    expect(textForm('casefold', ' ada')).not.toBe(textForm('casefold', 'ada'))
  })

  test('casefold of a folded letter is the letter, and case changes nothing, for all of Unicode', () => {
    const wrong: string[] = []
    let seen = 0
    for (let point = 0; point < 0x110000; point++) {
      const character = String.fromCodePoint(point)
      if (!/[\p{Changes_When_Casemapped}\p{Changes_When_NFKC_Casefolded}]/u.test(character)) continue
      const letter = character.normalize('NFKC')
      seen++
      const folded = textForm('casefold', letter)
      const others = [folded, letter.toUpperCase(), letter.toLowerCase()]
      if (!others.every((other) => textForm('casefold', other) === folded)) wrong.push(point.toString(16))
    }
    expect(wrong).toEqual([])
    expect(seen).toBeGreaterThan(10_000)
  })

  test('casefold of a folded text is the text, and upper case changes nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (text) => {
        const folded = textForm('casefold', text)
        assert.equal(textForm('casefold', folded), folded)
        assert.equal(textForm('casefold', text.normalize('NFKC').toUpperCase()), folded)
      }),
      { numRuns: 10_000 },
    )
  })

  test('digits and last4 ignore punctuation, and refuse a value without digits by naming the transform alone', () => {
    expect(textForm('digits', '+49 (30) 90-1820')).toBe('4930901820')
    expect(textForm('last4', '4111 1111 1111 1234')).toBe('1234')
    expect(textForm('last4', '12-34')).toBe('1234')
    for (const [name, value] of [
      ['digits', 'secretvalue'],
      ['digits', ''],
      ['last4', 'secretvalue'],
      ['last4', '123 secretvalue'],
      ['email', ' \t '],
    ] as const) {
      const error = caught(() => form(name, 'text', value))
      expect(error).toBeInstanceOf(InvalidInputError)
      expect(error.message).toContain(resolveTransform(name, 'text').id)
      expect(error.message).not.toContain('secret')
      expect(error.message).not.toContain('123')
    }
  })

  test('prefix takes characters, not units, and keeps a shorter text whole', () => {
    expect(textForm(prefix(2), '🌍🌎🌏')).toBe('🌍🌎')
    expect(textForm(prefix(5), 'Li')).toBe('li')
    expect(textForm(prefix(5), '')).toBe('')
    expect(prefix(3).id).not.toBe(prefix(4).id)
  })

  test.each([0, 33, 1.5, Number.NaN, '3', undefined])('prefix refuses a length of %s', (length) => {
    expect(() => prefix(length as number)).toThrow(InvalidInputError)
  })

  test('prefix searches with at least its length, and compares the rest when filtering', () => {
    const three = prefix(3)
    const found = (stored: unknown, wanted: string) => isMatch(three, 'text', stored, wanted, 'name')
    expect(() => queryPart(three, 'text', 'Lo', 'name')).toThrow('at least 3 characters')
    expect(queryPart(three, 'text', 'LOVELACE', 'name')).toEqual(storedPart(three, 'text', 'lovely', 'name'))
    expect(found('Lovelace', 'love')).toBe(true)
    expect(found('lovely', 'lovela')).toBe(false)
    expect(found('Lo', 'lov')).toBe(false)
  })
})

describe('bucket', () => {
  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e-7, 2 ** 53, 0n, -5n, 2n ** 64n, '10', null])(
    'refuses a size of %s',
    (size) => {
      expect(() => bucket(size as number)).toThrow(InvalidInputError)
    },
  )

  test('of a broken size is for number fields alone', () => {
    expect(resolveTransform(bucket(0.5), 'number').id).toBe('bucket-0.5-v1')
    expect(() => resolveTransform(bucket(0.5), 'integer')).toThrow(ConfigError)
    expect(() => resolveTransform(bucket(0.5), 'bigint')).toThrow(ConfigError)
  })
})

describe('a value that is not of the field', () => {
  const hostile: [FieldType, unknown][] = [
    ['text', undefined],
    ['text', null],
    ['text', 5],
    ['text', new String('boxed')],
    ['text', '\ud800'],
    ['text', 'a\udc00b'],
    ['text', 'x'.repeat(65_537)],
    ['text', { toString: () => 'x', __proto__: String.prototype }],
    ['bytes', 'text'],
    ['bytes', [1, 2]],
    ['bytes', new ArrayBuffer(4)],
    ['bytes', new Uint16Array(2)],
    ['bytes', new Uint8Array(65_537)],
    ['integer', 1.5],
    ['integer', Number.NaN],
    ['integer', 2 ** 53],
    ['integer', '7'],
    ['integer', 7n],
    ['number', Number.NaN],
    ['number', '7'],
    ['bigint', 7],
    ['bigint', 2n ** 8191n],
    ['bigint', -(2n ** 8191n) - 1n],
    ['boolean', 1],
    ['boolean', 'true'],
    ['date', new Date(Number.NaN)],
    ['date', '2020-01-01'],
    ['date', 0],
    ['date', { getTime: () => 0, __proto__: Date.prototype }],
  ]
  test.each(hostile)('is refused by a field of %s, stored or searched', (type, value) => {
    const exact = resolveTransform('exact', type)
    for (const use of [storedPart, queryPart]) {
      const error = caught(() => use(exact, type, value, 'field x'))
      expect(error).toBeInstanceOf(InvalidInputError)
      expect(error.message).toMatch(/^field x must /)
      expect(error.message.length).toBeLessThan(120)
    }
    expect(() => isMatch(exact, type, null, value, 'field x')).toThrow(InvalidInputError)
  })

  test('may be as long as the limits', () => {
    expect(textForm('casefold', 'ﷺ'.repeat(65_536)).length).toBe(65_536 * 18)
    expect(form('exact', 'bigint', 2n ** 8191n - 1n)).toHaveLength(2 * 1025)
    expect(form('exact', 'bytes', new Uint8Array(65_536))).toHaveLength(2 * 65_536)
  })
})

describe('a match', () => {
  test('is found by the searched form, and a null never matches', () => {
    const email = resolveTransform('email', 'text')
    expect(isMatch(email, 'text', 'ADA@x.org', 'ada@x.org', 'email')).toBe(true)
    expect(isMatch(email, 'text', 'bob@x.org', 'ada@x.org', 'email')).toBe(false)
    expect(isMatch(email, 'text', null, 'ada@x.org', 'email')).toBe(false)
    expect(isMatch(resolveTransform('exact', 'bytes'), 'bytes', Buffer.from('a'), new Uint8Array([97]), 'b')).toBe(true)
    expect(isMatch(resolveTransform('exact', 'date'), 'date', new Date(5), new Date(5), 'd')).toBe(true)
    expect(isMatch(resolveTransform('exact', 'number'), 'number', -0, 0, 'n')).toBe(true)
    expect(isMatch(resolveTransform('last4', 'text'), 'text', 'none', '1234', 'ssn')).toBe(false)
    expect(() => isMatch(resolveTransform('last4', 'text'), 'text', '1234', 'none', 'ssn')).toThrow(InvalidInputError)
  })
})

describe('resolving a transform', () => {
  test.each(['__proto__', 'constructor', 'toString', 'Exact', '', 'soundex'])('refuses the name %j', (name) => {
    expect(() => resolveTransform(name as TransformName, 'text')).toThrow(ConfigError)
  })

  test.each(['json', '__proto__', 'constructor', '', undefined])('refuses a field of type %s', (type) => {
    expect(() => resolveTransform('exact', type as FieldType)).toThrow(ConfigError)
  })

  test.each([
    ['email', 'date'],
    ['last4', 'integer'],
    ['decade', 'text'],
    ['day', 'integer'],
    ['casefold', 'bytes'],
  ] as const)('refuses %s on a field of %s', (name, type) => {
    expect(() => resolveTransform(name, type)).toThrow(ConfigError)
  })

  test.each([
    null,
    undefined,
    7,
    [],
    () => 'x',
    {},
    { id: 7, apply: String },
    { id: 'x-v1' },
    { id: 'x-v1', apply: 'x' },
  ])('refuses %o', (own) => {
    expect(() => resolveTransform(own as never, 'text')).toThrow(InvalidInputError)
  })

  test.each(['x', 'X-v1', 'x-v0', 'x-v01', 'x,y-v1', '-v1', 'x-v12345', `${'x'.repeat(62)}-v1`, 'x-v1\n'])(
    'refuses the id %j',
    (id) => {
      expect(() => resolveTransform({ id, apply: String }, 'text')).toThrow(ConfigError)
    },
  )

  test.each([
    { accepts: 'text' },
    { accepts: ['json'] },
    { accepts: ['__proto__'] },
    { distinct: 0 },
    { distinct: 1.5 },
    { assumedDistinct: '9' },
    { matches: true },
    { applyToQuery: {} },
  ])('refuses a transform with %o', (part) => {
    expect(() => resolveTransform({ id: 'x-v1', apply: String, ...part } as never, 'text')).toThrow(InvalidInputError)
  })
})

describe('a transform of your own', () => {
  test('is used with its own this, its own query form and its own comparison', () => {
    const own = {
      id: 'first-word-v1',
      separator: ' ',
      apply(value: string) {
        return value.split(this.separator)[0] as string
      },
      applyToQuery: (wanted: string) => wanted,
      matches: (stored: string, wanted: string) => stored.startsWith(`${wanted} `),
    }
    const resolved = resolveTransform(own, 'text')
    expect(storedPart(resolved, 'text', 'Ada Lovelace', 'name').value).toBe('Ada')
    expect(queryPart(resolved, 'text', 'Ada', 'name').value).toBe('Ada')
    expect(isMatch(resolved, 'text', 'Ada Lovelace', 'Ada', 'name')).toBe(true)
    expect(isMatch(resolved, 'text', 'Adam Smith', 'Ada', 'name')).toBe(false)
    expect(Object.isFrozen(resolved)).toBe(true)
  })

  test.each([
    ['nothing', () => undefined],
    ['a number', () => 7],
    ['a promise', async () => 'x'],
    ['an empty text', () => ''],
    ['no bytes', () => new Uint8Array(0)],
    ['a lone surrogate', () => '\udfff'],
    ['a text that is too long', () => 'x'.repeat(65_537)],
  ])('is refused when it returns %s', (_, apply) => {
    const resolved = resolveTransform({ id: 'mine-v1', apply: apply as () => string }, 'text')
    const error = caught(() => resolved.apply('value'))
    expect(error).toBeInstanceOf(InvalidInputError)
    expect(error.message).toContain('mine-v1')
  })

  test('cannot carry a value out in the error it throws', () => {
    const resolved = resolveTransform({ id: 'mine-v1', apply: (value: string) => JSON.parse(value) }, 'text')
    const error = caught(() => resolved.apply('secretvalue'))
    expect(error).toBeInstanceOf(InvalidInputError)
    expect(`${error.message}${error.stack}${String(error.cause)}`).not.toContain('secretvalue')
    const refusing = () => {
      throw new InvalidInputError('the postcode has no district')
    }
    expect(() => resolveTransform({ id: 'mine-v1', apply: refusing }, 'text').apply('x')).toThrow('has no district')
  })
})

describe('the distinct values to plan for', () => {
  const [exact, last4, decade, boolean] = [
    resolveTransform('exact', 'text'),
    resolveTransform('last4', 'text'),
    resolveTransform('decade', 'date'),
    resolveTransform('exact', 'boolean'),
  ] as const
  test.each([
    ['nobody knows', [exact], undefined, undefined],
    ['stated', [exact], 500, 500],
    ['bounded', [last4], undefined, 10_000],
    ['stated beyond the bound', [last4], 1_000_000, 10_000],
    ['stated below the bound', [last4], 400, 400],
    ['a boolean, whatever is stated', [boolean], 5_000, 2],
    ['assumed', [decade], undefined, 10],
    ['stated beyond what is assumed', [decade], 300, 300],
    ['compound', [last4, decade], undefined, 100_000],
    ['compound with an unknown part', [exact, boolean], undefined, undefined],
    ['compound with a huge product', Array(6).fill(last4), undefined, Number.MAX_SAFE_INTEGER],
  ] as [string, AnyTransform[], number | undefined, number | undefined][])('%s', (_, transforms, stated, planned) => {
    expect(plannedDistinct(transforms, stated)).toBe(planned)
  })
})

function caught(action: () => unknown): Error {
  try {
    action()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}
