import { Buffer } from 'node:buffer'
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto'
import { inspect } from 'node:util'
import * as node from 'strongroom/raw'
import { rawAes, rawRsa } from 'strongroom/web'
import { describe, expect, it } from 'vitest'
import { kmsConformance } from '../../../providers/testing/index.ts'
import { ClosedError, InvalidInputError, KmsError } from '../../../src/errors.ts'

const key = randomBytes(32)
const aes = (options: Partial<Parameters<typeof rawAes>[0]> = {}) =>
  rawAes({ namespace: 'acme', name: 'aes-1', key, ...options })

const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = {
  publicKey: pair.publicKey.export({ type: 'spki', format: 'pem' }) as string,
  privateKey: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
}
const jwk = {
  publicKey: pair.publicKey.export({ format: 'jwk' }),
  privateKey: pair.privateKey.export({ format: 'jwk' }),
}
const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
const rsa = (options: Partial<Parameters<typeof rawRsa>[0]> = {}) =>
  rawRsa({ namespace: 'acme', name: 'rsa-1', ...pem, ...options })
const call = { context: { a: '1' } }

describe('rawAes of strongroom/web keeps the promises of a KMS provider', () => {
  const harness = async () => ({
    provider: aes(),
    other: aes({ name: 'aes-2', key: randomBytes(32) }),
    secrets: [key],
  })
  for (const { name, run } of kmsConformance(harness)) it(name, run)
})

describe('rawRsa of strongroom/web keeps the promises of a KMS provider', () => {
  const harness = async () => ({
    provider: rsa(),
    other: rsa({
      name: 'rsa-2',
      publicKey: other.publicKey.export({ format: 'jwk' }),
      privateKey: other.privateKey.export({ format: 'jwk' }),
    }),
    secrets: [Buffer.from(pem.privateKey)],
    bindsContext: false,
  })
  for (const { name, run } of kmsConformance(harness)) it(name, run)
})

describe('a wrapped key', () => {
  it('is the same in a browser and in Node, for every length of AES key', async () => {
    const plain = randomBytes(32)
    for (const size of [16, 24, 32]) {
      const options = { namespace: 'n', name: 'k', key: randomBytes(size) }
      const [here, there] = [rawAes(options), node.rawAes(options)]
      expect(await there.unwrap(await here.wrap(plain, call), call)).toEqual(plain)
      expect(Buffer.from(await here.unwrap(await there.wrap(plain, call), call))).toEqual(plain)
    }
  })

  it.each(['sha256', 'sha384', 'sha512'] as const)('is the same for RSA-OAEP with %s', async (hash) => {
    const plain = randomBytes(32)
    const there = node.rawRsa({ namespace: 'acme', name: 'rsa-1', ...pem, hash })
    for (const keys of [pem, jwk]) {
      const here = rsa({ ...keys, hash })
      expect(await there.unwrap(await here.wrap(plain, call), call)).toEqual(plain)
      expect(Buffer.from(await here.unwrap(await there.wrap(plain, call), call))).toEqual(plain)
    }
  })

  it('of an RSA key is refused when its length is not that of the modulus', async () => {
    const wrapped = await rsa().wrap(randomBytes(32), call)
    for (const ciphertext of [wrapped.ciphertext.subarray(1), Buffer.concat([Buffer.alloc(1), wrapped.ciphertext])]) {
      await expect(rsa().unwrap({ ...wrapped, ciphertext }, call)).rejects.toThrow(KmsError)
    }
  })
})

describe('a key', () => {
  it('that cannot be read by the page is used all the same', async () => {
    const { subtle } = webcrypto
    const secret = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
    const algorithm = {
      name: 'RSA-OAEP',
      modulusLength: 2048,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: 'SHA-256',
    }
    const keys = await subtle.generateKey(algorithm, false, ['encrypt', 'decrypt'])
    const plain = randomBytes(32)
    for (const kms of [aes({ key: secret }), rsa(keys)]) {
      expect(Buffer.from(await kms.unwrap(await kms.wrap(plain, call), call))).toEqual(plain)
    }
    expect(() => aes({ key: keys.publicKey })).toThrow(InvalidInputError)
    expect(() => rsa({ publicKey: secret })).toThrow(InvalidInputError)
    expect(() => rsa({ publicKey: keys.privateKey })).toThrow(InvalidInputError)
    expect(() => rsa({ ...keys, hash: 'sha512' })).toThrow(InvalidInputError)
  })

  it('that is public alone wraps, and is refused as `denied` when it should unwrap', async () => {
    const half = rawRsa({ namespace: 'acme', name: 'rsa-1', publicKey: pem.publicKey })
    const wrapped = await half.wrap(randomBytes(32), call)
    await expect(half.unwrap(wrapped, call)).rejects.toMatchObject({ code: 'ERR_KMS', kind: 'denied' })
    const secretHalf = rawRsa({ namespace: 'acme', name: 'rsa-1', privateKey: pem.privateKey })
    await expect(secretHalf.wrap(randomBytes(32), call)).rejects.toMatchObject({ kind: 'denied' })
    expect((await secretHalf.unwrap(wrapped, call)).length).toBe(32)
  })

  it('that is private is refused where a public one belongs', () => {
    expect(() => rsa({ publicKey: pem.privateKey })).toThrow('received a private key')
    expect(() => rsa({ publicKey: jwk.privateKey })).toThrow('received a private key')
  })

  it('with `sha1` opens and does not wrap', async () => {
    await expect(rsa({ hash: 'sha1' }).wrap(randomBytes(32), call)).rejects.toMatchObject({ kind: 'misconfigured' })
  })

  it.each([
    ['of 1,024 bits', generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey],
    ['of a curve', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey],
  ])('%s is refused when it is used', async (_, bad) => {
    const publicKey = bad.export({ type: 'spki', format: 'pem' }) as string
    await expect(rsa({ publicKey }).wrap(randomBytes(32), call)).rejects.toMatchObject({ kind: 'misconfigured' })
  })

  it.each([
    ['31 bytes', () => aes({ key: randomBytes(31) })],
    ['hexadecimal', () => aes({ key: key.toString('hex') as unknown as Uint8Array })],
    ['the namespace of AWS KMS', () => aes({ namespace: 'aws-kms' })],
    ['text that is no PEM', () => rsa({ publicKey: 'ssh-rsa AAAA' })],
    ['PKCS #1', () => rsa({ publicKey: pair.publicKey.export({ type: 'pkcs1', format: 'pem' }) as string })],
    ['a number', () => rsa({ publicKey: 7 as unknown as string })],
    ['neither half', () => rawRsa({ namespace: 'n', name: 'k' })],
    ['md5', () => rsa({ hash: 'md5' as 'sha1' })],
  ])('given as %s is refused at once', (_, make) => {
    expect(make).toThrow(InvalidInputError)
  })

  it('is of no use once closed, and is never shown', async () => {
    for (const kms of [aes(), rsa()]) {
      const shown = [inspect(kms, { depth: 9, showHidden: true }), JSON.stringify(kms)].join()
      for (const secret of [key.toString('hex'), key.toString('base64'), jwk.privateKey.d as string]) {
        expect(shown).not.toContain(secret)
      }
      await kms.close?.()
      await expect(kms.wrap(randomBytes(32), call)).rejects.toThrow(ClosedError)
    }
  })
})
