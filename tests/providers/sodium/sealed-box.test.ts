import { createPrivateKey, createPublicKey } from 'node:crypto'
import sodium from 'libsodium-wrappers'
import { describe, expect, test } from 'vitest'
import { createSealedBoxKeys, sealedBoxKms } from '../../../providers/sodium/index.ts'
import { parseKeyText } from '../../../providers/sodium/key-text.ts'
import { kmsConformance } from '../../../providers/testing/index.ts'

const key = new Uint8Array(32).fill(5)
const context = { tenant: 'acme' }

describe('a sealed box', async () => {
  const keys = await createSealedBoxKeys()
  const others = await createSealedBoxKeys()
  const secrets = [parseKeyText('sealedBoxSecret', keys.privateKey) as Buffer, Buffer.from(keys.privateKey)]
  const cases = kmsConformance(async () => ({ provider: sealedBoxKms(keys), other: sealedBoxKms(others), secrets }))
  for (const { name, run } of cases) test(name, run)

  test('a process that holds the public key alone wraps and cannot unwrap', async () => {
    const writer = sealedBoxKms({ publicKey: keys.publicKey })
    const wrapped = await writer.wrap(key, { context })
    await expect(writer.unwrap(wrapped, { context })).rejects.toMatchObject({
      code: 'ERR_KMS',
      kind: 'denied',
      retryable: false,
    })
    expect([...(await sealedBoxKms(keys).unwrap(wrapped, { context }))]).toEqual([...key])
  })

  test('tells a wrong context from a changed ciphertext', async () => {
    const kms = sealedBoxKms(keys)
    const wrapped = await kms.wrap(key, { context })
    await expect(kms.unwrap(wrapped, { context: {} })).rejects.toMatchObject({ kind: 'context-mismatch' })
    const changed = { ...wrapped, ciphertext: wrapped.ciphertext.map((byte, at) => (at === 50 ? byte ^ 1 : byte)) }
    await expect(kms.unwrap(changed, { context })).rejects.toMatchObject({ kind: 'invalid-ciphertext' })
  })

  test('a key sealed by libsodium alone, without the context, is refused', async () => {
    const publicKey = parseKeyText('sealedBoxPublic', keys.publicKey) as Buffer
    const kms = sealedBoxKms(keys)
    for (const inner of [key, new Uint8Array(64)]) {
      const ciphertext = sodium.crypto_box_seal(inner, publicKey)
      await expect(kms.unwrap({ provider: kms.name, keyId: kms.keyId, ciphertext }, { context })).rejects.toMatchObject(
        { code: 'ERR_KMS' },
      )
    }
  })

  test('its keys are X25519 keys as Node has them', () => {
    const d = parseKeyText('sealedBoxSecret', keys.privateKey) as Buffer
    const x = parseKeyText('sealedBoxPublic', keys.publicKey) as Buffer
    const jwk = { kty: 'OKP', crv: 'X25519', d: d.toString('base64url'), x: x.toString('base64url') }
    const publicKey = createPublicKey(createPrivateKey({ key: jwk, format: 'jwk' }))
    expect(publicKey.export({ format: 'jwk' }).x).toBe(jwk.x)
  })

  test('a private key of another pair is refused, and mixed up or damaged texts too', async () => {
    const kms = sealedBoxKms({ publicKey: keys.publicKey, privateKey: others.privateKey })
    await expect(kms.unwrap(await kms.wrap(key, { context }), { context })).rejects.toMatchObject({
      kind: 'misconfigured',
    })
    for (const publicKey of [keys.privateKey, '', keys.publicKey.slice(1), new Uint8Array(31), 7 as never]) {
      expect(() => sealedBoxKms({ publicKey })).toThrow(TypeError)
    }
    expect(() => sealedBoxKms({ publicKey: keys.publicKey, privateKey: keys.publicKey })).toThrow(TypeError)
  })
})
