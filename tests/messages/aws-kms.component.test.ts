import {
  AlgorithmSuiteIdentifier,
  buildClient,
  CommitmentPolicy,
  KmsKeyringNode,
  KMS as OldKms,
} from '@aws-crypto/client-node'
import { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { awsKms } from '../../providers/aws/index.ts'
import { DecryptionError } from '../../src/errors.ts'
import type { KmsProvider } from '../../src/kms.ts'
import { openMessage, sealMessage } from '../../src/messages/message.ts'
import { describeComponent } from '../components/component.ts'
import { motoMissing, startMoto, type TestMoto } from '../fixtures/moto.ts'
import { ada, pattern } from './fixtures.ts'

const missing = motoMissing()
const moto = missing === undefined ? await startMoto() : undefined
const { connection } = moto ?? ({ connection: {} } as TestMoto)
afterAll(async () => moto?.stop())

describeComponent('messages under AWS KMS (moto), with the AWS Encryption SDK on the other side', missing, () => {
  let keyring: KmsKeyringNode
  let kms: KmsProvider
  let otherKms: KmsProvider
  const client = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_ALLOW_DECRYPT)
  const old = buildClient(CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
  const contexts = [{}, { tenant: 'acme' }, { tenant: 'acme', ä: '🌍', Tenant: '', tenant_id: '7' }]
  const shapes = [
    [10, 0],
    [10, 25],
    [4096, 4096],
    [65_536, 70_000],
  ] as const

  beforeAll(async () => {
    const admin = new KMS(connection)
    const arns = await Promise.all([admin.createKey({}), admin.createKey({})])
    admin.destroy()
    const [arn, otherArn] = arns.map(({ KeyMetadata }) => KeyMetadata?.Arn as string) as [string, string]
    kms = awsKms({ keyId: arn, ...connection })
    otherKms = awsKms({ keyId: otherArn, ...connection })
    keyring = new KmsKeyringNode({
      generatorKeyId: arn,
      clientProvider: () => new OldKms(connection as never) as never,
    })
  })
  afterAll(async () => {
    await kms?.close?.()
    await otherKms?.close?.()
  })

  it('it opens what we seal, in both suites', async () => {
    for (const context of contexts) {
      for (const suite of [0x0478, 0x0578] as const) {
        for (const [frameLength, size] of shapes) {
          const message = await sealMessage([kms, ada], pattern(size), { context, suite, frameLength })
          const opened = await client.decrypt(keyring, message)
          expect(opened.plaintext.equals(pattern(size))).toBe(true)
          expect(opened.messageHeader.encryptionContext).toMatchObject(context)
        }
      }
    }
  })

  it('we open what it seals, in every suite', async () => {
    const suites = Object.values(AlgorithmSuiteIdentifier).filter(
      (id) => typeof id === 'number',
    ) as AlgorithmSuiteIdentifier[]
    for (const [index, suiteId] of suites.entries()) {
      const legacySuites = suiteId !== 0x0478 && suiteId !== 0x0578
      for (const context of contexts) {
        const [frameLength, size] = shapes[index % shapes.length] as readonly [number, number]
        const options = { suiteId, frameLength, encryptionContext: context }
        const { result } = await (legacySuites ? old : client).encrypt(keyring, pattern(size), options)
        const opened = await openMessage(kms, result, { context, legacySuites })
        expect(opened.plaintext.equals(pattern(size))).toBe(true)
        expect(opened.recipients).toEqual([{ provider: 'aws-kms', keyId: expect.stringMatching(/^arn:aws:kms:/) }])
      }
    }
  })

  it('a message for one key does not open with another', async () => {
    const message = await sealMessage(kms, 'x', { context: { a: '1' } })
    await expect(openMessage(otherKms, message)).rejects.toThrow(DecryptionError)
    await expect(openMessage(kms, message, { context: { b: '1' } })).rejects.toThrow(DecryptionError)
  })
})
