import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type RawRsaOptions, rawRsa } from '../../../providers/raw/index.ts'
import { kmsConformance } from '../../../providers/testing/index.ts'
import { ClosedError, InvalidInputError, KmsError } from '../../../src/errors.ts'

const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const otherPair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }) as string
const make = (options: Partial<RawRsaOptions> = {}) =>
  rawRsa({ namespace: 'acme', name: 'rsa-1', privateKey: pair.privateKey, ...options })

describe('rawRsa keeps the promises of a KMS provider, except that it binds no context', () => {
  const d = Buffer.from(pair.privateKey.export({ format: 'jwk' }).d as string, 'base64url')
  const harness = async () => ({
    provider: make(),
    other: make({ name: 'rsa-2', privateKey: otherPair.privateKey }),
    secrets: [d],
    bindsContext: false,
  })
  for (const { name, run } of kmsConformance(harness)) it(name, run)
})

describe('rawRsa', () => {
  it('says the truth about the context: another one opens all the same', async () => {
    const key = randomBytes(32)
    const wrapped = await make().wrap(key, { context: { row: 'a' } })
    expect(await make().unwrap(wrapped, { context: { row: 'b' } })).toEqual(key)
  })

  it.each([
    ['PEM', pem, publicPem],
    ['PKCS #1 PEM', pair.privateKey.export({ type: 'pkcs1', format: 'pem' }) as string, publicPem],
    ['JWK', pair.privateKey.export({ format: 'jwk' }), pair.publicKey.export({ format: 'jwk' })],
    ['KeyObject', pair.privateKey, pair.publicKey],
  ])('takes keys as %s', async (_, privateKey, publicKey) => {
    const key = randomBytes(32)
    const writer = rawRsa({ namespace: 'acme', name: 'rsa-1', publicKey })
    const reader = rawRsa({ namespace: 'acme', name: 'rsa-1', privateKey })
    expect(await reader.unwrap(await writer.wrap(key, { context: {} }), { context: {} })).toEqual(key)
  })

  it.each(['sha256', 'sha384', 'sha512'] as const)(
    'wraps with %s, which must be the same on both sides',
    async (hash) => {
      const key = randomBytes(32)
      const wrapped = await make({ hash }).wrap(key, { context: {} })
      expect(await make({ hash }).unwrap(wrapped, { context: {} })).toEqual(key)
      const other = hash === 'sha256' ? 'sha512' : 'sha256'
      await expect(make({ hash: other }).unwrap(wrapped, { context: {} })).rejects.toThrow(KmsError)
    },
  )

  it('refuses a ciphertext without its leading zero byte, though it is the same number', async () => {
    for (;;) {
      const wrapped = await make().wrap(randomBytes(32), { context: {} })
      if (wrapped.ciphertext[0] !== 0) continue
      const shorter = { ...wrapped, ciphertext: wrapped.ciphertext.slice(1) }
      await expect(make().unwrap(shorter, { context: {} })).rejects.toMatchObject({ kind: 'invalid-ciphertext' })
      return
    }
  })

  it('a process with the public key alone wraps, and its unwrap is denied', async () => {
    const writer = rawRsa({ namespace: 'acme', name: 'rsa-1', publicKey: publicPem })
    const wrapped = await writer.wrap(randomBytes(32), { context: {} })
    await expect(writer.unwrap(wrapped, { context: {} })).rejects.toMatchObject({ kind: 'denied', retryable: false })
  })

  it('never wraps with SHA-1', async () => {
    await expect(make({ hash: 'sha1' }).wrap(randomBytes(32), { context: {} })).rejects.toMatchObject({
      kind: 'misconfigured',
    })
  })

  it.each<[string, Partial<RawRsaOptions>]>([
    ['no key at all', { privateKey: undefined as unknown as string }],
    ['a private key where the public one belongs', { publicKey: pem }],
    ['a private JWK where the public one belongs', { publicKey: pair.privateKey.export({ format: 'jwk' }) }],
    ['a private KeyObject where the public one belongs', { publicKey: pair.privateKey }],
    ['a public key where the private one belongs', { privateKey: publicPem }],
    ['halves of two pairs', { publicKey: otherPair.publicKey }],
    ['a key of 1,024 bits', { privateKey: generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey }],
    ['an elliptic curve', { privateKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }],
    ['an RSA-PSS key', { privateKey: generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey }],
    ['text that is no key', { privateKey: 'hunter2' }],
    ['another hash', { hash: 'md5' as 'sha256' }],
    ['the namespace of AWS KMS', { namespace: 'aws-kms' }],
  ])('refuses %s, without quoting it', (_, options) => {
    expect(() => make(options)).toThrow(InvalidInputError)
    expect(() => make(options)).toThrow(/^(?!.*hunter2)/)
  })

  it('is of no use once closed', async () => {
    const one = make()
    await one.close?.()
    await expect(one.wrap(randomBytes(32), { context: {} })).rejects.toThrow(ClosedError)
  })

  it('shows no private key when inspected or made JSON', () => {
    const { d } = pair.privateKey.export({ format: 'jwk' })
    expect(inspect(make(), { depth: 9, showHidden: true }) + JSON.stringify(make())).not.toContain(d)
  })
})
