import fc from 'fast-check'
import { expect, test } from 'vitest'
import { blankArgon2, encodeArgon2id, parseArgon2 } from '../../src/passwords/argon2-string.ts'
import { encodePhc, parsePhc } from '../../src/passwords/phc.ts'
import { encodeWrapped, parseWrapped } from '../../src/passwords/wrapped-hash.ts'

const SALT = 'c29tZXNhbHRzb21lc2FsdA'
const HASH = 'AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA'

const bytes = (least: number, most: number) =>
  fc.uint8Array({ minLength: least, maxLength: most }).map((array) => Buffer.from(array))

test('what is written is read back', () => {
  const parameters = fc.record({
    memoryKiB: fc.integer({ min: 8, max: 4_194_304 }),
    passes: fc.integer({ min: 1, max: 1024 }),
    parallelism: fc.integer({ min: 1, max: 255 }),
  })
  fc.assert(
    fc.property(parameters, bytes(8, 64), bytes(12, 64), (wanted, salt, hash) => {
      const text = encodeArgon2id(wanted, salt, hash)
      expect(parseArgon2(text)).toMatchObject({ ...wanted, type: 'argon2id', version: 19, salt, hash })
      expect(parseArgon2(blankArgon2(text, hash))).toMatchObject({ ...wanted, salt, hash: Buffer.alloc(hash.length) })
    }),
  )
})

test.each(['$argon2id$$', `$argon2id$${SALT}$`, `$argon2id$$${HASH}`])(
  '%s has no salt or no hash, and is none',
  (text) => {
    expect(parsePhc(text)).toBeUndefined()
  },
)

test('whatever parses is the text that would be written', () => {
  const piece = fc.constantFrom(
    '$',
    'argon2id',
    'v=19',
    'm=65536,t=3,p=1',
    SALT,
    HASH,
    'AA',
    'AB',
    '=',
    ',',
    'v=019',
    '',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const parsed = parsePhc(pieces.join(''))
      if (parsed !== undefined) expect(encodePhc(parsed)).toBe(pieces.join(''))
    }),
    { numRuns: 2000 },
  )
})

test('no text makes the parsers throw', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)), maxLength: 200 }),
      (text) => {
        parsePhc(text)
        parseArgon2(`$argon2id$${text}`)
        parseWrapped(`$strongroom-wrapped$${text}`)
      },
    ),
  )
})

test('the old spellings are read: argon2i, argon2d, no version, other orders, data', () => {
  expect(parseArgon2(`$argon2i$m=4096,t=3,p=1$${SALT}$${HASH}`)).toMatchObject({ type: 'argon2i', version: 16 })
  expect(parseArgon2(`$argon2d$v=16$m=4096,t=3,p=1$${SALT}$${HASH}`)).toMatchObject({ type: 'argon2d', version: 16 })
  expect(parseArgon2(`$argon2id$v=19$t=3,p=2,m=4096$${SALT}$${HASH}`)).toMatchObject({ passes: 3, parallelism: 2 })
  expect(parseArgon2(`$argon2id$v=19$m=4096,t=3,p=1,data=AQID$${SALT}$${HASH}`)?.associatedData).toEqual(
    Buffer.from([1, 2, 3]),
  )
})

test.each([
  ['nothing', ''],
  ['another scheme', `$argon2x$v=19$m=4096,t=3,p=1$${SALT}$${HASH}`],
  ['another version', `$argon2id$v=20$m=4096,t=3,p=1$${SALT}$${HASH}`],
  ['a version with a leading zero', `$argon2id$v=019$m=4096,t=3,p=1$${SALT}$${HASH}`],
  ['a keyid', `$argon2id$v=19$m=4096,t=3,p=1,keyid=Aa$${SALT}$${HASH}`],
  ['an unknown parameter', `$argon2id$v=19$m=4096,t=3,p=1,x=1$${SALT}$${HASH}`],
  ['a parameter twice', `$argon2id$v=19$m=4096,m=4096,t=3,p=1$${SALT}$${HASH}`],
  ['a missing parameter', `$argon2id$v=19$m=4096,t=3$${SALT}$${HASH}`],
  ['a negative number', `$argon2id$v=19$m=-4096,t=3,p=1$${SALT}$${HASH}`],
  ['a number with an exponent', `$argon2id$v=19$m=4e3,t=3,p=1$${SALT}$${HASH}`],
  ['a number with a leading zero', `$argon2id$v=19$m=04096,t=3,p=1$${SALT}$${HASH}`],
  ['padding', `$argon2id$v=19$m=4096,t=3,p=1$${SALT}==$${HASH}=`],
  ['the URL alphabet', `$argon2id$v=19$m=4096,t=3,p=1$-${SALT.slice(1)}$${HASH}`],
  ['stray bits', `$argon2id$v=19$m=4096,t=3,p=1$${SALT.slice(0, -1)}B$${HASH}`],
  ['white space', `$argon2id$v=19$m=4096,t=3,p=1$${SALT}$${HASH}\n`],
  ['a short salt', `$argon2id$v=19$m=4096,t=3,p=1$AAAAAAAAAA$${HASH}`],
  ['a short hash', `$argon2id$v=19$m=4096,t=3,p=1$${SALT}$AAAAAAAAAAAAAA`],
  ['no hash', `$argon2id$v=19$m=4096,t=3,p=1$${SALT}`],
  ['one field more', `$argon2id$v=19$m=4096,t=3,p=1$${SALT}$${HASH}$AA`],
  ['much text', `$argon2id$v=19$m=4096,t=3,p=1$${SALT}$${'A'.repeat(2000)}`],
])('%s is not an Argon2 string', (_, text) => {
  expect(parseArgon2(text)).toBeUndefined()
})

test('a wrapped hash is read back, and only in the form in which it is written', () => {
  const wrapped = { settings: '$2b$10$abc', argon2: '$argon2id$x' }
  const text = encodeWrapped(wrapped)
  expect(parseWrapped(text)).toEqual(wrapped)
  expect(parseWrapped(text.replace('$argon2id', '=$argon2id'))).toBeUndefined()
  expect(parseWrapped('$strongroom-wrapped$')).toBeUndefined()
  expect(parseWrapped('$strongroom-wrapped$$argon2id$')).toBeUndefined()
})
