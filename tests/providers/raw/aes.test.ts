import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { rawAes } from '../../../providers/raw/index.ts'
import { kmsConformance } from '../../../providers/testing/index.ts'
import { ClosedError, InvalidInputError, KmsError } from '../../../src/errors.ts'
import type { RecipientLayout } from '../../../src/kms.ts'

const key = randomBytes(32)
const make = (options: Partial<Parameters<typeof rawAes>[0]> = {}) =>
  rawAes({ namespace: 'acme', name: 'aes-1', key, ...options })

describe('rawAes keeps the promises of a KMS provider', () => {
  const harness = async () => ({
    provider: make(),
    other: make({ name: 'aes-2', key: randomBytes(32) }),
    secrets: [key],
  })
  for (const { name, run } of kmsConformance(harness)) it(name, run)
})

describe('rawAes', () => {
  it('another key under the same name does not open', async () => {
    const wrapped = await make().wrap(randomBytes(32), { context: { a: '1' } })
    await expect(make({ key: randomBytes(32) }).unwrap(wrapped, { context: { a: '1' } })).rejects.toThrow(KmsError)
  })

  it('takes a KeyObject, and keys of 16 and 24 bytes', async () => {
    const plain = randomBytes(32)
    for (const size of [16, 24, 32]) {
      const one = make({ key: createSecretKey(randomBytes(size)) })
      expect(await one.unwrap(await one.wrap(plain, { context: {} }), { context: {} })).toEqual(plain)
    }
  })

  it.each([
    ['a key of 31 bytes', { key: randomBytes(31) }],
    ['a key in hexadecimal', { key: key.toString('hex') as unknown as Uint8Array }],
    ['a public key', { key: generateKeyPairSync('ed25519').publicKey }],
    ['an empty name', { name: '' }],
    ['a name with a lone surrogate', { name: '\ud800' }],
    ['the namespace of AWS KMS', { namespace: 'aws-kms' }],
    ['a namespace that looks like that of AWS KMS', { namespace: 'aws-kms-mine' }],
    ['a namespace of 65 characters', { namespace: 'n'.repeat(65) }],
  ])('refuses %s', (_, options) => {
    expect(() => make(options)).toThrow(InvalidInputError)
  })

  it('is of no use once closed', async () => {
    const one = make()
    await one.close?.()
    await expect(one.wrap(randomBytes(32), { context: {} })).rejects.toThrow(ClosedError)
  })

  it('shows no key when inspected or made JSON', () => {
    const one = make()
    for (const text of [inspect(one, { depth: 9, showHidden: true }), JSON.stringify(one)]) {
      expect(text).not.toContain(key.toString('hex'))
      expect(text).not.toContain(key.toString('base64'))
    }
  })
})

describe('the place of its wrapped keys in a message', () => {
  const layout = make().recipient as RecipientLayout

  it('is name, tag bits, IV length, IV; then ciphertext and tag', async () => {
    const wrapped = await make().wrap(randomBytes(32), { context: {} })
    const { info, ciphertext } = layout.encode(wrapped)
    const iv = wrapped.ciphertext.subarray(0, 12)
    expect(Buffer.from(info)).toEqual(Buffer.concat([Buffer.from('aes-1'), Buffer.from('000000800000000c', 'hex'), iv]))
    expect(ciphertext.byteLength).toBe(48)
    const parsed = layout.parse(info, ciphertext)
    expect({ ...parsed, ciphertext: Buffer.from(parsed?.ciphertext ?? []) }).toEqual(wrapped)
  })

  it.each([
    ['too short', '0000008000000'],
    ['a tag of 96 bits', `${Buffer.from('aes-1').toString('hex')}000000600000000c${'00'.repeat(12)}`],
    ['an IV of 16 bytes', `${Buffer.from('aes-1').toString('hex')}0000008000000010${'00'.repeat(16)}`],
    ['no name', `000000800000000c${'00'.repeat(12)}`],
    ['a name that is not UTF-8', `ff000000800000000c${'00'.repeat(12)}`],
  ])('is not recognised in %s', (_, hex) => {
    expect(layout.parse(Buffer.from(hex, 'hex'), randomBytes(48))).toBeUndefined()
  })

  it('another name in it is recognised, and not accepted', async () => {
    const { info, ciphertext } = layout.encode(await make({ name: 'aes-10' }).wrap(randomBytes(32), { context: {} }))
    const parsed = layout.parse(info, ciphertext)
    expect(parsed?.keyId).toBe('aes-10')
    expect(make().accepts(parsed as NonNullable<typeof parsed>)).toBe(false)
  })
})
