import { Buffer } from 'node:buffer'
import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bindKey, contextDigest, openBoundKey } from '../../src/crypto/bound-key.ts'

const contexts = fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.string({ maxLength: 8 }), { maxKeys: 5 })
const kindOf = (run: () => unknown): unknown => {
  try {
    return run()
  } catch (error) {
    return (error as { kind?: string }).kind
  }
}

test('a bound key is the key, then the SHA-256 of its encoded context', () => {
  const key = randomBytes(32)
  const encoded = Buffer.from('\x00\x01\x00\x01a\x00\x01b', 'latin1')
  expect(bindKey(key, { a: 'b' }).toString('hex')).toBe(
    key.toString('hex') + createHash('sha256').update(encoded).digest('hex'),
  )
})

test('a key opens under its own context and under no other', () => {
  fc.assert(
    fc.property(contexts, contexts, (one, other) => {
      const key = randomBytes(32)
      expect(openBoundKey(bindKey(key, one), one, 'x')).toEqual(key)
      fc.pre(!contextDigest(one).equals(contextDigest(other)))
      expect(kindOf(() => openBoundKey(bindKey(key, one), other, 'x'))).toBe('context-mismatch')
    }),
  )
})

test('another length is refused and every input is wiped', () => {
  for (const length of [0, 32, 63, 65, 96]) {
    const bound = Buffer.alloc(length, 7)
    expect(kindOf(() => openBoundKey(bound, {}, 'x'))).toBe('invalid-ciphertext')
    expect(bound).toEqual(Buffer.alloc(length))
  }
  const good = bindKey(randomBytes(32), {})
  openBoundKey(good, {}, 'x')
  expect(good).toEqual(Buffer.alloc(64))
})

test('a key of another length or type is the mistake of the caller', () => {
  for (const key of [randomBytes(31), randomBytes(33), 'x'.repeat(32)]) {
    expect(() => bindKey(key as Uint8Array, {})).toThrow(TypeError)
  }
})

test('the opened key is in memory of its own', () => {
  expect(openBoundKey(bindKey(randomBytes(32), {}), {}, 'x').buffer.byteLength).toBe(32)
})
