import { Buffer } from 'node:buffer'
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { NONCE_LENGTH, TAG_LENGTH, Xaes256Gcm } from '../../src/crypto/xaes.ts'
import { InvalidInputError } from '../../src/errors.ts'

/** Encrypts with a given nonce: the class has no such method, its callers write the nonce where it belongs. */
function seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Buffer {
  const out = Buffer.alloc(NONCE_LENGTH + plaintext.byteLength + TAG_LENGTH)
  out.set(nonce)
  expect(new Xaes256Gcm(key).encryptInto(out, 0, plaintext, aad)).toBe(out.byteLength)
  return out.subarray(NONCE_LENGTH)
}

describe('XAES-256-GCM', () => {
  const nonce = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX')
  const plaintext = Buffer.from('XAES-256-GCM')
  test.each([
    [0x01, '', 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271'],
    [0x03, 'c2sp.org/XAES-256-GCM', '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d'],
  ])('gives the vector of C2SP for keys of %i', (byte, aad, expected) => {
    const key = Buffer.alloc(32, byte)
    expect(seal(key, nonce, plaintext, Buffer.from(aad)).toString('hex')).toBe(expected)
    const sealed = Buffer.concat([nonce, Buffer.from(expected, 'hex')])
    expect(new Xaes256Gcm(key).decryptFrom(sealed, 0, sealed.byteLength, Buffer.from(aad))).toEqual(plaintext)
  })

  const runs: [number, string][] = [[10_000, 'e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939']]
  if (process.env.STRONGROOM_SLOW !== undefined) {
    runs.push([1_000_000, '2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15'])
  }
  test.each(runs)(
    'gives the accumulated hash of C2SP over %i random cases',
    { timeout: 600_000 },
    (cases, expected) => {
      const random = createHash('shake128', { outputLength: cases * 330 }).digest()
      const hash = createHash('shake128', { outputLength: 32 })
      let at = 0
      const take = (length: number) => {
        at += length
        return random.subarray(at - length, at)
      }
      const opaque = () => take(take(1)[0] as number)
      for (let i = 0; i < cases; i++) {
        const [key, nonce, plaintext, aad] = [take(32), take(24), opaque(), opaque()]
        hash.update(seal(key, nonce, plaintext, aad))
      }
      expect(at).toBeLessThanOrEqual(random.byteLength)
      expect(hash.digest('hex')).toBe(expected)
    },
  )

  test('opens nothing with any bit of tag, text or associated data changed, or with less than a tag', () => {
    const cipher = new Xaes256Gcm(randomBytes(32))
    const aad = Buffer.from('aad')
    const sealed = Buffer.alloc(NONCE_LENGTH + 5 + TAG_LENGTH)
    cipher.encryptInto(sealed, 0, Buffer.from('12345'), aad)
    for (let bit = 0; bit < sealed.byteLength * 8; bit++) {
      const changed = Buffer.from(sealed)
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(cipher.decryptFrom(changed, 0, changed.byteLength, aad)).toBeUndefined()
    }
    for (let end = 0; end < sealed.byteLength; end++) expect(cipher.decryptFrom(sealed, 0, end, aad)).toBeUndefined()
    expect(cipher.decryptFrom(sealed, 0, sealed.byteLength, Buffer.from('aae'))).toBeUndefined()
    expect(cipher.decryptFrom(sealed, 0, sealed.byteLength, aad)?.toString()).toBe('12345')
  })

  test('refuses keys of another length, and every use after wipe', () => {
    for (const length of [0, 16, 31, 33, 64])
      expect(() => new Xaes256Gcm(Buffer.alloc(length))).toThrow(InvalidInputError)
    const cipher = new Xaes256Gcm(Buffer.alloc(32))
    cipher.wipe()
    expect(() => cipher.encryptInto(Buffer.alloc(60), 0, Buffer.alloc(1), Buffer.alloc(0))).toThrow('wiped')
    expect(() => cipher.decryptFrom(Buffer.alloc(60), 0, 60, Buffer.alloc(0))).toThrow('wiped')
  })

  test('gives messages that are sealed together one half of a nonce, another half that counts up, and one standard message each', () => {
    const key = randomBytes(32)
    const cipher = new Xaes256Gcm(key)
    const seal = (together: boolean, text: string) => {
      const out = Buffer.alloc(NONCE_LENGTH + text.length + TAG_LENGTH)
      cipher.sealInto(out, 0, Buffer.from(text), Buffer.from('aad'), together)
      return out
    }
    const sealed = Array.from({ length: 200 }, (_, at) => seal(at % 5 !== 0, `value ${at}`))
    const half = (from: number, to: number) => sealed.map((message) => message.toString('hex', from, to))
    expect(new Set(half(0, 12)).size).toBe(40)
    const counters = half(12, 24).map((hex) => BigInt(`0x${hex}`))
    expect(new Set(counters).size).toBe(200)
    for (const [at, counter] of counters.entries()) {
      if (at % 5 !== 0) expect(counter).toBe(((counters[at - 1] as bigint) + 1n) % 2n ** 96n)
    }
    for (const order of [sealed, [...sealed].reverse(), [...sealed].sort(Buffer.compare)]) {
      for (const message of order) {
        const at = sealed.indexOf(message)
        // A key of its own, so that nothing is kept from the message before.
        for (const reader of [cipher, new Xaes256Gcm(key)]) {
          const plaintext = reader.decryptFrom(message, 0, message.byteLength, Buffer.from('aad'))
          expect(plaintext?.toString()).toBe(`value ${at}`)
        }
      }
    }
    cipher.wipe()
    expect(() => seal(true, 'x')).toThrow('wiped')
    const [first] = sealed as [Buffer]
    expect(() => cipher.decryptFrom(first, 0, first.byteLength, Buffer.from('aad'))).toThrow('wiped')
  })

  test('seals the first message of all alone, also when it is said to belong to one before', () => {
    const [a, b] = [new Xaes256Gcm(Buffer.alloc(32)), new Xaes256Gcm(Buffer.alloc(32))].map((cipher) => {
      const out = Buffer.alloc(NONCE_LENGTH + TAG_LENGTH)
      cipher.sealInto(out, 0, Buffer.alloc(0), Buffer.alloc(0), true)
      return out.toString('hex', 0, 12)
    })
    expect(a).not.toBe(b)
  })

  test('does not keep the key it was made from', () => {
    const key = randomBytes(32)
    const copy = Buffer.from(key)
    const cipher = new Xaes256Gcm(key)
    key.fill(0)
    const out = Buffer.alloc(NONCE_LENGTH + 1 + TAG_LENGTH)
    cipher.encryptInto(out, 0, Buffer.from('x'), Buffer.alloc(0))
    expect(new Xaes256Gcm(copy).decryptFrom(out, 0, out.byteLength, Buffer.alloc(0))?.toString()).toBe('x')
    expect(createCipheriv('aes-256-ecb', copy, null).update(Buffer.alloc(16))).toHaveLength(16)
  })
})
