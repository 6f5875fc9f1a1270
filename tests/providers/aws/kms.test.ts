import { randomBytes } from 'node:crypto'
import { KMS } from '@aws-sdk/client-kms'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type AwsKmsOptions, awsKms } from '../../../providers/aws/index.ts'
import { kmsConformance } from '../../../providers/testing/index.ts'
import { ClosedError, ConfigError, InvalidInputError } from '../../../src/errors.ts'
import type { KmsProvider, WrappedKey } from '../../../src/kms.ts'
import { AwsKmsDouble, type DoubleKey } from '../../doubles/aws-kms.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const context = { purpose: 'root', store: 'billing' }
const double = new AwsKmsDouble()
const replica = new AwsKmsDouble('us-east-1', double.keys)
let key: DoubleKey
const open: KmsProvider[] = []

const make = (options: Partial<AwsKmsOptions> = {}, at = double): KmsProvider => {
  const provider = awsKms({
    keyId: at.arn(key),
    endpoint: at.endpoint,
    region: at.region,
    credentials: { accessKeyId: at.accessKeyId, secretAccessKey: SECRET },
    ...options,
  })
  open.push(provider)
  return provider
}

beforeAll(async () => void (await Promise.all([double.start(), replica.start()])))
beforeEach(() => {
  key = double.createKey()
  double.aliases.clear()
  double.denied.clear()
  double.faults.length = 0
  double.calls.length = 0
})
afterEach(async () => void (await Promise.all(open.splice(0).map((provider) => provider.close?.()))))
afterAll(async () => void (await Promise.all([double.stop(), replica.stop()])))

describe.each(['ARN', 'alias'])('awsKms with an %s keeps the promises of a KMS provider', (by) => {
  const harness = async () => {
    const other = double.createKey()
    key = double.createKey()
    double.aliases.set('alias/app', key.id)
    return {
      provider: make({ keyId: by === 'ARN' ? double.arn(key) : 'alias/app' }),
      // What an alias stands for is not known before the first call: its own case is below.
      ...(by === 'ARN' && { other: make({ keyId: double.arn(other) }) }),
      calls: () => double.calls.length,
      secrets: [Buffer.from(SECRET)],
    }
  }
  for (const { name, run } of kmsConformance(harness)) it(name, run)
})

describe('which key', () => {
  it('the ARN that AWS used is recorded, whatever names the key in the configuration', async () => {
    double.aliases.set('alias/app', key.id)
    const aliasArn = double.arn(key).replace(/key\/.*/, 'alias/app')
    for (const keyId of [double.arn(key), key.id, 'alias/app', aliasArn]) {
      const provider = make({ keyId })
      const wrapped = await provider.wrap(randomBytes(32), { context })
      expect(wrapped.keyId).toBe(double.arn(key))
      await make({ keyId }).unwrap(wrapped, { context })
    }
  })

  it('Decrypt is pinned to the configured key, never to the one that a wrapped key names', async () => {
    const wrapped = await make().wrap(randomBytes(32), { context })
    double.calls.length = 0
    await make({ keyId: key.id }).unwrap(wrapped, { context })
    expect(double.calls).toMatchObject([{ action: 'Decrypt', keyId: key.id }])
  })

  it('a ciphertext of another key under the name of the configured one is refused', async () => {
    const foreign = await make({ keyId: double.arn(double.createKey()) }).wrap(randomBytes(32), { context })
    const disguised: WrappedKey = { ...foreign, keyId: double.arn(key) }
    await expect(make().unwrap(disguised, { context })).rejects.toMatchObject({ kind: 'invalid-ciphertext' })
  })

  it('with an alias, a wrapped key that names another key is refused before any Decrypt', async () => {
    double.aliases.set('alias/app', key.id)
    const foreign = await make({ keyId: double.arn(double.createKey()) }).wrap(randomBytes(32), { context })
    double.calls.length = 0
    await expect(make({ keyId: 'alias/app' }).unwrap(foreign, { context })).rejects.toMatchObject({
      kind: 'key-not-found',
    })
    expect(double.calls.map(({ action }) => action)).toEqual(['DescribeKey'])
  })

  it('an alias that moves is followed at once when wrapping, and its old key opens when named as previous', async () => {
    double.aliases.set('alias/app', key.id)
    const provider = make({ keyId: 'alias/app', previousKeys: [double.arn(key)] })
    const old = await provider.wrap(randomBytes(32), { context })
    const next = double.createKey()
    double.aliases.set('alias/app', next.id)
    const fresh = await provider.wrap(randomBytes(32), { context })
    expect(fresh.keyId).toBe(double.arn(next))
    await provider.unwrap(old, { context })
    await provider.unwrap(fresh, { context })
    await expect(make({ keyId: 'alias/app' }).unwrap(old, { context })).rejects.toMatchObject({ kind: 'key-not-found' })
  })

  it('replicas of a multi-Region key open what the other region wrapped, each pinned to its own', async () => {
    key = double.createKey({ multiRegion: true })
    const plain = randomBytes(32)
    const wrapped = await make().wrap(plain, { context })
    const there = make({}, replica)
    expect(there.accepts(wrapped)).toBe(true)
    expect(await there.unwrap(wrapped, { context })).toEqual(plain)
    expect(replica.calls.at(-1)?.keyId).toBe(replica.arn(key))
  })

  it('keys of one region do not stand for keys of another', async () => {
    const wrapped = await make().wrap(randomBytes(32), { context })
    expect(make({}, replica).accepts(wrapped)).toBe(false)
  })

  it('rewrap moves a wrap to the configured key inside AWS', async () => {
    const plain = randomBytes(32)
    const old = await make().wrap(plain, { context })
    const next = double.createKey()
    const provider = make({ keyId: double.arn(next), previousKeys: [double.arn(key)] })
    const moved = (await provider.rewrap?.(old, { context })) as WrappedKey
    expect(moved.keyId).toBe(double.arn(next))
    expect(await make({ keyId: double.arn(next) }).unwrap(moved, { context })).toEqual(plain)
  })

  it('keys wrapped before a rotation of the key material open after it', async () => {
    const plain = randomBytes(32)
    const wrapped = await make().wrap(plain, { context })
    key.material.push(randomBytes(32))
    expect(await make().unwrap(wrapped, { context })).toEqual(plain)
  })
})

describe('what the service answers', () => {
  it.each([
    ['ThrottlingException', 400, 'throttled'],
    ['LimitExceededException', 400, 'throttled'],
    ['KMSInternalException', 500, 'unavailable'],
    ['DependencyTimeoutException', 503, 'unavailable'],
    ['KeyUnavailableException', 500, 'unavailable'],
    ['SomethingNew', 503, 'unavailable'],
    ['SomethingNew', 429, 'throttled'],
    ['reset', 0, 'unavailable'],
    ['ExpiredTokenException', 400, 'denied'],
    ['InvalidGrantTokenException', 400, 'denied'],
    ['ValidationException', 400, 'misconfigured'],
    ['SomethingNew', 400, 'misconfigured'],
    ['redirect', 0, 'misconfigured'],
  ])('%s with status %i is %s', async (fault, status, kind) => {
    double.faults.push({ fault, status })
    await expect(make().wrap(randomBytes(32), { context })).rejects.toMatchObject({ provider: 'aws-kms', kind })
    expect(double.calls).toHaveLength(1) // the SDK did not retry, and followed nothing
  })

  it.each([
    ['Disabled', 'key-disabled'],
    ['PendingDeletion', 'key-disabled'],
    ['PendingImport', 'key-disabled'],
  ] as const)('a key that is %s is %s, to wrap and to unwrap', async (state, kind) => {
    const wrapped = await make().wrap(randomBytes(32), { context })
    key.state = state
    await expect(make().wrap(randomBytes(32), { context })).rejects.toMatchObject({ kind })
    await expect(make().unwrap(wrapped, { context })).rejects.toMatchObject({ kind })
  })

  it('a key of another usage is misconfigured', async () => {
    key.usage = 'GENERATE_VERIFY_MAC'
    await expect(make().wrap(randomBytes(32), { context })).rejects.toMatchObject({ kind: 'misconfigured' })
  })

  it('a missing permission names the action and the key', async () => {
    double.denied.add(`kms:Encrypt ${key.id}`)
    await expect(make().wrap(randomBytes(32), { context })).rejects.toMatchObject({
      kind: 'denied',
      message: `aws-kms: kms:Encrypt on ${double.arn(key)} is not allowed for these credentials`,
      cause: { message: expect.stringContaining('not authorized to perform: kms:Encrypt') },
    })
  })

  it('a key that does not exist is key-not-found', async () => {
    const gone = `${double.arn(key).slice(0, -12)}000000000000`
    await expect(make({ keyId: gone }).wrap(randomBytes(32), { context })).rejects.toMatchObject({
      kind: 'key-not-found',
    })
  })

  it('wrong credentials are denied', async () => {
    const stranger = make({ credentials: { accessKeyId: 'AKIDOTHER', secretAccessKey: SECRET } })
    await expect(stranger.wrap(randomBytes(32), { context })).rejects.toMatchObject({ kind: 'denied' })
  })

  it('nobody at the endpoint is unavailable', async () => {
    await expect(make({ endpoint: 'http://127.0.0.1:9' }).wrap(randomBytes(32), { context })).rejects.toMatchObject({
      kind: 'unavailable',
    })
  })

  it('an aborted call rejects with the reason and frees the connection', async () => {
    double.faults.push({ fault: 'hang' })
    const abort = new AbortController()
    const reason = new Error('enough')
    setTimeout(() => abort.abort(reason), 50)
    await expect(make().wrap(randomBytes(32), { context, signal: abort.signal })).rejects.toBe(reason)
  })

  it('an answer for another key, or without one, is not believed', async () => {
    const real = new KMS({ region: 'eu-central-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } })
    const lies = [
      { KeyId: double.arn(double.createKey()) },
      { KeyId: undefined },
      { CiphertextBlob: new Uint8Array(0) },
    ]
    for (const lie of lies) {
      const answer = { KeyId: double.arn(key), CiphertextBlob: new Uint8Array(9), ...lie }
      const client = Object.assign(Object.create(real), { encrypt: async () => answer })
      await expect(make({ client }).wrap(randomBytes(32), { context })).rejects.toMatchObject({ kind: 'misconfigured' })
    }
    real.destroy()
  })
})

describe('configuration', () => {
  it('grant tokens and context reach the service', async () => {
    await make({ grantTokens: ['token-1'] }).wrap(randomBytes(32), { context })
    expect(double.calls).toMatchObject([{ action: 'Encrypt', tokens: ['token-1'], context }])
  })

  it('a client of the user is used as it is, and not closed', async () => {
    const client = new KMS({
      endpoint: double.endpoint,
      region: double.region,
      credentials: { accessKeyId: double.accessKeyId, secretAccessKey: SECRET },
      maxAttempts: 1,
    })
    const provider = make({ client })
    await provider.wrap(randomBytes(32), { context })
    await provider.close?.()
    expect((await client.describeKey({ KeyId: key.id })).KeyMetadata?.Arn).toBe(double.arn(key))
    client.destroy()
  })

  it('an endpoint in the environment is not obeyed', async () => {
    process.env.AWS_ENDPOINT_URL_KMS = process.env.AWS_ENDPOINT_URL = double.endpoint
    try {
      const provider = awsKms({
        keyId: double.arn(key),
        credentials: { accessKeyId: double.accessKeyId, secretAccessKey: SECRET },
      })
      const signal = AbortSignal.timeout(300)
      await expect(provider.wrap(randomBytes(32), { context, signal })).rejects.toThrow()
      expect(double.calls).toHaveLength(0)
    } finally {
      delete process.env.AWS_ENDPOINT_URL_KMS
      delete process.env.AWS_ENDPOINT_URL
    }
  })

  it.each<[string, Partial<AwsKmsOptions>]>([
    ['plain http to another machine', { endpoint: 'http://kms.internal' }],
    ['a password in the endpoint', { endpoint: 'https://user:pass@kms.internal' }],
    ['a region that is not that of the key', { region: 'us-west-2' }],
    ['an endpoint and fips together', { endpoint: 'https://kms.internal', fips: true }],
  ])('refuses %s before any call', (_, options) => {
    expect(() => make(options)).toThrow(ConfigError)
  })

  it.each<[string, Partial<AwsKmsOptions>]>([
    ['a key id that is none', { keyId: 'billing' }],
    ['an ARN of another service', { keyId: 'arn:aws:s3:eu-central-1:111122223333:key/x' }],
    ['a bare alias prefix', { keyId: 'alias/' }],
    ['a previous key by its id', { previousKeys: ['1234abcd-12ab-34cd-56ef-1234567890ab'] }],
    ['11 grant tokens', { grantTokens: Array(11).fill('t') }],
  ])('refuses %s', (_, options) => {
    expect(() => make(options)).toThrow(InvalidInputError)
  })

  it('is of no use once closed', async () => {
    const provider = make()
    await provider.close?.()
    await expect(provider.wrap(randomBytes(32), { context })).rejects.toThrow(ClosedError)
  })
})
