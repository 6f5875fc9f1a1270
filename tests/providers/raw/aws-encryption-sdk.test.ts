import { constants, generateKeyPairSync, randomBytes } from 'node:crypto'
import {
  AlgorithmSuiteIdentifier,
  buildClient,
  CommitmentPolicy,
  EncryptedDataKey,
  KeyringNode,
  type NodeDecryptionMaterial,
  type NodeEncryptionMaterial,
  RawAesKeyringNode,
  RawAesWrappingSuiteIdentifier,
  RawRsaKeyringNode,
} from '@aws-crypto/client-node'
import { describe, expect, it } from 'vitest'
import { rawAes, rawRsa } from '../../../providers/raw/index.ts'
import type { KmsProvider, RecipientLayout, WrappedKey } from '../../../src/kms.ts'

/**
 * The AWS Encryption SDK for JavaScript is the independent implementation: its keyring opens what ours wrapped, and
 * ours opens what it wrote, for the same key.
 */
const client = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
const context = { tenant: 'acme', table: 'users', Zone: 'eu', ключ: 'значение' }

const unencryptedMasterKey = randomBytes(32)
const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})
const names = { keyNamespace: 'acme', keyName: 'key-1' }

const cases: [string, KeyringNode, KmsProvider][] = [
  [
    'AES',
    new RawAesKeyringNode({
      ...names,
      unencryptedMasterKey: Uint8Array.from(unencryptedMasterKey),
      wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
      utf8Sorting: true,
    }),
    rawAes({ namespace: 'acme', name: 'key-1', key: unencryptedMasterKey }),
  ],
  ...(['sha256', 'sha384', 'sha512'] as const).map((hash): [string, KeyringNode, KmsProvider] => [
    `RSA OAEP ${hash}`,
    new RawRsaKeyringNode({
      ...names,
      rsaKey: { publicKey, privateKey },
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: hash,
    }),
    rawRsa({ namespace: 'acme', name: 'key-1', privateKey, hash }),
  ]),
]

/** Hands a message to `inner` with another encrypted data key in place of its own. */
class Swap extends KeyringNode {
  readonly inner: KeyringNode
  readonly replace: (own: EncryptedDataKey) => Promise<EncryptedDataKey>

  constructor(inner: KeyringNode, replace: (own: EncryptedDataKey) => Promise<EncryptedDataKey>) {
    super()
    this.inner = inner
    this.replace = replace
  }

  async _onEncrypt(material: NodeEncryptionMaterial): Promise<NodeEncryptionMaterial> {
    return this.inner.onEncrypt(material)
  }

  async _onDecrypt(material: NodeDecryptionMaterial, edks: EncryptedDataKey[]): Promise<NodeDecryptionMaterial> {
    return this.inner.onDecrypt(material, [await this.replace(edks[0] as EncryptedDataKey)])
  }
}

function parse(provider: KmsProvider, edk: EncryptedDataKey): WrappedKey {
  const layout = provider.recipient as RecipientLayout
  const info = edk.rawInfo ?? Buffer.from(edk.providerInfo, 'utf8')
  return layout.parse(info, edk.encryptedDataKey) as WrappedKey
}

function encode(provider: KmsProvider, wrapped: WrappedKey): EncryptedDataKey {
  const { info, ciphertext } = (provider.recipient as RecipientLayout).encode(wrapped)
  return new EncryptedDataKey({
    providerId: wrapped.provider,
    providerInfo: Buffer.from(info).toString('utf8'),
    rawInfo: info,
    encryptedDataKey: Uint8Array.from(ciphertext),
  })
}

describe.each(cases)('raw %s and the AWS Encryption SDK', (_, keyring, provider) => {
  it('open what the other one wrapped', async () => {
    const suiteId = AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY
    const { result } = await client.encrypt(keyring, 'hello', { encryptionContext: context, suiteId })
    const swap = new Swap(keyring, async (own) => {
      const dataKey = await provider.unwrap(parse(provider, own), { context })
      return encode(provider, await provider.wrap(dataKey, { context }))
    })
    const { plaintext } = await client.decrypt(swap, result)
    expect(plaintext.toString()).toBe('hello')
  })
})
