import { Buffer } from 'node:buffer'
import { constants } from 'node:crypto'
import {
  AlgorithmSuiteIdentifier,
  buildClient,
  CommitmentPolicy,
  type KeyringNode,
  MultiKeyringNode,
  RawAesKeyringNode,
  RawAesWrappingSuiteIdentifier,
  RawRsaKeyringNode,
} from '@aws-crypto/client-node'
import { rawAes, rawRsa } from 'strongroom/raw'
import { afterAll, describe, expect, it } from 'vitest'
import { DecryptionError } from '../../src/errors.ts'
import type { KmsProvider } from '../../src/kms.ts'
import { openMessage, sealMessage } from '../../src/messages/message.ts'
import { openStream, sealStream } from '../../src/messages/stream.ts'
import { pattern, rsaPair } from './fixtures.ts'
import { collect, streamOf } from './streams.ts'

// The AWS Encryption SDK for JavaScript is the other side of every test in this file.
const any = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_ALLOW_DECRYPT)
const old = buildClient(CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)

const pem = {
  publicKey: rsaPair.publicKey.export({ type: 'spki', format: 'pem' }) as string,
  privateKey: rsaPair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
}

function aesPair(bits: 128 | 192 | 256): { ours: KmsProvider; theirs: KeyringNode } {
  const key = Buffer.alloc(bits / 8, bits & 255)
  const suite = {
    128: RawAesWrappingSuiteIdentifier.AES128_GCM_IV12_TAG16_NO_PADDING,
    192: RawAesWrappingSuiteIdentifier.AES192_GCM_IV12_TAG16_NO_PADDING,
    256: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  }[bits]
  return {
    ours: rawAes({ namespace: 'tests', name: `aes-${bits}`, key }),
    theirs: new RawAesKeyringNode({
      keyNamespace: 'tests',
      keyName: `aes-${bits}`,
      // The SDK refuses memory that is shared with anything else.
      unencryptedMasterKey: new Uint8Array(key),
      wrappingSuite: suite,
      utf8Sorting: true,
    }),
  }
}

function oaepPair(hash: 'sha256' | 'sha384' | 'sha512'): { ours: KmsProvider; theirs: KeyringNode } {
  return {
    ours: rawRsa({ namespace: 'tests', name: hash, ...pem, hash }),
    theirs: new RawRsaKeyringNode({ keyNamespace: 'tests', keyName: hash, rsaKey: pem, oaepHash: hash }),
  }
}

const pairs = [aesPair(128), aesPair(192), aesPair(256), oaepPair('sha256'), oaepPair('sha384'), oaepPair('sha512')]
const names = ['AES-128', 'AES-192', 'AES-256', 'RSA-OAEP-SHA-256', 'RSA-OAEP-SHA-384', 'RSA-OAEP-SHA-512']
const both = {
  ours: pairs.slice(0, 4).map(({ ours }) => ours),
  theirs: new MultiKeyringNode({
    generator: pairs[0]?.theirs as KeyringNode,
    children: pairs.slice(1, 4).map(({ theirs }) => theirs),
  }),
}

function contextOf(size: number): Record<string, string> {
  const words = [
    'tenant_id',
    'tenantId',
    'Tenant',
    'ä',
    'a\u0308',
    '日本',
    '🌍',
    '\uffff',
    'Z',
    'a',
    'é',
    'e\u0301',
    '_',
    '-',
    '0',
    '10',
    '9',
    'ß',
    'İ',
    'ı',
  ]
  return Object.fromEntries(words.slice(0, size).map((word, i) => [word, i % 3 === 0 ? '' : `värde ${i} 🌍`]))
}

/** Plaintexts of none to three frames, exact multiples among them. */
const shapes: readonly (readonly [frameLength: number, size: number])[] = [
  [1, 0],
  [1, 3],
  [7, 7],
  [7, 20],
  [16, 48],
  [4096, 4096],
  [4096, 9000],
  [65_536, 65_536],
  [1_048_576, 1_048_577],
]
const contexts = [0, 1, 3, 20]
const suiteIds = Object.values(AlgorithmSuiteIdentifier).filter(
  (id): id is AlgorithmSuiteIdentifier => typeof id === 'number',
)
let [theyRead, weRead] = [0, 0]

describe.each(names.map((name, i) => [name, pairs[i] as { ours: KmsProvider; theirs: KeyringNode }] as const))(
  'with %s keys',
  (_name, { ours, theirs }) => {
    it('the AWS Encryption SDK opens what we seal, in both suites', async () => {
      for (const [index, [frameLength, size]] of shapes.entries()) {
        for (const suite of [0x0478, 0x0578] as const) {
          for (const pairCount of [contexts[index % 4] as number, contexts[(index + 2) % 4] as number]) {
            const context = contextOf(pairCount)
            const message = await sealMessage(ours, pattern(size), { suite, frameLength, context })
            const opened = await any.decrypt(theirs, message)
            expect(opened.plaintext.equals(pattern(size))).toBe(true)
            expect(opened.messageHeader.encryptionContext).toMatchObject(context)
            theyRead++
          }
        }
      }
    })

    it('we open what the AWS Encryption SDK seals, in every suite it has', async () => {
      expect(suiteIds.length).toBe(11)
      for (const [index, suiteId] of suiteIds.entries()) {
        const committed = suiteId === 0x0478 || suiteId === 0x0578
        for (let turn = 0; turn < (committed ? 9 : 4); turn++) {
          const [frameLength, size] = shapes[(index + turn * 2) % shapes.length] as readonly [number, number]
          const context = contextOf(contexts[(index + turn) % 4] as number)
          const { result } = await (committed ? any : old).encrypt(theirs, pattern(size), {
            suiteId,
            frameLength,
            encryptionContext: context,
          })
          if (!committed) await expect(openMessage(ours, result)).rejects.toThrow(DecryptionError)
          const opened = await openMessage(ours, result, { context, legacySuites: !committed })
          expect(opened.plaintext.equals(pattern(size))).toBe(true)
          expect({ ...opened.context }).toEqual(context)
          expect(opened.suite).toBe(suiteId)
          const streamed = streamOf(result, 10_000).pipeThrough(openStream(ours, { legacySuites: !committed }))
          expect((await collect(streamed)).equals(pattern(size))).toBe(true)
          weRead++
        }
      }
    })
  },
)

it('what its raw RSA keyring wraps with SHA-1 opens and is never written, and PKCS #1 v1.5 does neither', async () => {
  const name = { keyNamespace: 'tests', keyName: 'old' }
  const sha1 = new RawRsaKeyringNode({ ...name, rsaKey: pem, oaepHash: 'sha1' })
  const ours = rawRsa({ namespace: 'tests', name: 'old', ...pem, hash: 'sha1' })
  for (const suiteId of suiteIds) {
    const committed = suiteId === 0x0478 || suiteId === 0x0578
    const { result } = await (committed ? any : old).encrypt(sha1, pattern(20), { suiteId, frameLength: 7 })
    const opened = await openMessage(ours, result, { legacySuites: !committed })
    expect(opened.plaintext.equals(pattern(20))).toBe(true)
    weRead++
  }
  await expect(sealMessage(ours, 'x')).rejects.toMatchObject({ kind: 'misconfigured' })
  const { RSA_PKCS1_PADDING: padding } = constants
  const { result } = await any.encrypt(new RawRsaKeyringNode({ ...name, rsaKey: pem, padding }), 'x')
  await expect(openMessage(ours, result)).rejects.toThrow(DecryptionError)
})

it('messages for several keys are opened by any of them, on both sides', async () => {
  const ourMessage = await sealMessage(both.ours, pattern(100), { context: contextOf(5) })
  const { result } = await any.encrypt(both.theirs, pattern(100), { encryptionContext: contextOf(5) })
  for (const { ours, theirs } of pairs.slice(0, 4)) {
    expect((await any.decrypt(theirs, ourMessage)).plaintext.equals(pattern(100))).toBe(true)
    expect((await openMessage(ours, result)).plaintext.equals(pattern(100))).toBe(true)
    theyRead++
    weRead++
  }
})

it('streams are opened by the other side as well', async () => {
  const { ours, theirs } = aesPair(256)
  const sealed = await collect(streamOf(pattern(200_000), 33_333).pipeThrough(sealStream(ours, { suite: 0x0578 })))
  expect((await any.decrypt(theirs, sealed)).plaintext.equals(pattern(200_000))).toBe(true)
  theyRead++
})

it('recipients that the AWS Encryption SDK does not know are passed over by it', async () => {
  const { ours, theirs } = aesPair(256)
  const other = (name: string): KmsProvider => ({
    name,
    keyId: 'projects/p/key/1',
    wrap: async () => ({ provider: name, keyId: 'projects/p/key/1', ciphertext: Buffer.alloc(113, 1) }),
    unwrap: () => Promise.reject(new Error('not here')),
    accepts: () => false,
  })
  const message = await sealMessage([other('gcp-kms'), other('azure-kv'), other('vault-transit'), ours], 'x')
  expect((await any.decrypt(theirs, message)).plaintext.toString()).toBe('x')
  theyRead++
})

it('a context that sorts by locale in the AWS Encryption SDK is opened when the reader asks for it', async () => {
  const key = Buffer.alloc(32, 3)
  const theirs = new RawAesKeyringNode({
    keyNamespace: 'tests',
    keyName: 'locale',
    unencryptedMasterKey: new Uint8Array(key),
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  })
  const encryptionContext = { tenant_id: '1', tenantId: '2', Tenant: '3' }
  const { result } = await any.encrypt(theirs, 'x', { encryptionContext })
  await expect(openMessage(rawAes({ namespace: 'tests', name: 'locale', key }), result)).rejects.toThrow(
    DecryptionError,
  )
  const legacy = rawAes({ namespace: 'tests', name: 'locale', key, legacyContextOrder: true })
  expect((await openMessage(legacy, result)).plaintext.toString()).toBe('x')
  weRead++
})

it('the AWS Encryption SDK takes bytes behind the end of a message, and we do not', async () => {
  const { ours, theirs } = aesPair(256)
  const message = Buffer.concat([await sealMessage(ours, 'x'), Buffer.from('tail')])
  expect((await any.decrypt(theirs, message)).plaintext.toString()).toBe('x')
  await expect(openMessage(ours, message)).rejects.toThrow(DecryptionError)
})

afterAll(() => {
  console.log(
    `messages opened by the other side: ${theyRead} of ours by the AWS Encryption SDK, ${weRead} of its by us`,
  )
  expect(theyRead).toBeGreaterThanOrEqual(200)
  expect(weRead).toBeGreaterThanOrEqual(200)
})
