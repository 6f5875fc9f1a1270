import { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AwsKmsDouble, type DoubleKey } from './aws-kms.ts'

/** What AWS documents for Encrypt, Decrypt, ReEncrypt and DescribeKey, asked of the double by the vendor's client. */
describe('the AWS KMS double', () => {
  const double = new AwsKmsDouble()
  let kms: KMS
  let key: DoubleKey
  const EncryptionContext = { tenant: 'acme' }
  const Plaintext = new Uint8Array([1, 2, 3])

  beforeAll(async () => {
    await double.start()
    kms = new KMS({
      endpoint: double.endpoint,
      region: double.region,
      credentials: { accessKeyId: double.accessKeyId, secretAccessKey: 's' },
      maxAttempts: 1,
    })
  })
  beforeEach(() => {
    key = double.createKey()
  })
  afterAll(async () => {
    kms.destroy()
    await double.stop()
  })
  const encrypt = async () => (await kms.encrypt({ KeyId: key.id, Plaintext, EncryptionContext })).CiphertextBlob

  it('encrypts, decrypts with and without a pinned key, and names the ARN', async () => {
    const { CiphertextBlob, KeyId } = await kms.encrypt({ KeyId: key.id, Plaintext, EncryptionContext })
    expect(KeyId).toBe(double.arn(key))
    expect((await kms.decrypt({ CiphertextBlob, EncryptionContext })).Plaintext).toEqual(Plaintext)
    expect((await kms.decrypt({ CiphertextBlob, EncryptionContext, KeyId })).Plaintext).toEqual(Plaintext)
  })

  it('answers InvalidCiphertextException for a wrong context and for damage alike', async () => {
    const CiphertextBlob = (await encrypt()) as Uint8Array
    const damaged = Uint8Array.from(CiphertextBlob)
    damaged[damaged.length - 1] = (damaged.at(-1) as number) ^ 1
    for (const input of [{ CiphertextBlob }, { CiphertextBlob: damaged, EncryptionContext }]) {
      await expect(kms.decrypt(input)).rejects.toMatchObject({ name: 'InvalidCiphertextException' })
    }
  })

  it('answers IncorrectKeyException when the pinned key is another', async () => {
    const CiphertextBlob = await encrypt()
    const KeyId = double.createKey().id
    await expect(kms.decrypt({ CiphertextBlob, EncryptionContext, KeyId })).rejects.toMatchObject({
      name: 'IncorrectKeyException',
    })
  })

  it('refuses disabled keys and keys pending deletion', async () => {
    const CiphertextBlob = await encrypt()
    key.state = 'Disabled'
    await expect(kms.decrypt({ CiphertextBlob, EncryptionContext })).rejects.toMatchObject({
      name: 'DisabledException',
    })
    key.state = 'PendingDeletion'
    await expect(encrypt()).rejects.toMatchObject({ name: 'KMSInvalidStateException' })
  })

  it('keeps opening old ciphertexts after a rotation, which makes new material', async () => {
    const CiphertextBlob = await encrypt()
    key.material.push(Buffer.alloc(32, 7))
    expect((await kms.decrypt({ CiphertextBlob, EncryptionContext })).Plaintext).toEqual(Plaintext)
    key.material.splice(0, 1, Buffer.alloc(32))
    await expect(kms.decrypt({ CiphertextBlob, EncryptionContext })).rejects.toThrow()
  })

  it('denies by action and key, in the words of AWS', async () => {
    double.denied.add(`kms:Encrypt ${key.id}`)
    await expect(encrypt()).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining('is not authorized to perform: kms:Encrypt'),
    })
  })

  it('knows aliases, and says NotFoundException for what it does not know', async () => {
    double.aliases.set('alias/app', key.id)
    expect((await kms.describeKey({ KeyId: 'alias/app' })).KeyMetadata?.Arn).toBe(double.arn(key))
    await expect(kms.describeKey({ KeyId: 'alias/other' })).rejects.toMatchObject({ name: 'NotFoundException' })
  })

  it('refuses strange credentials and another region', async () => {
    for (const change of [
      { credentials: { accessKeyId: 'AKIDOTHER', secretAccessKey: 's' } },
      { region: 'us-east-1' },
    ]) {
      const stranger = new KMS({
        endpoint: double.endpoint,
        region: double.region,
        credentials: { accessKeyId: double.accessKeyId, secretAccessKey: 's' },
        maxAttempts: 1,
        ...change,
      })
      await expect(stranger.describeKey({ KeyId: key.id })).rejects.toMatchObject({
        $metadata: { httpStatusCode: 400 },
      })
      stranger.destroy()
    }
  })
})
