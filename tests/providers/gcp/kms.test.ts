import { randomBytes } from 'node:crypto'
import { KeyManagementServiceClient } from '@google-cloud/kms'
import { credentials, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { silenced } from '../../../providers/gcp/client.ts'
import { type GcpKmsClient, type GcpKmsOptions, gcpKms } from '../../../providers/gcp/index.ts'
import { kmsConformance } from '../../../providers/testing/index.ts'
import { ClosedError, ConfigError, InvalidInputError } from '../../../src/errors.ts'
import { type DoubleKey, GcpKmsDouble } from '../../doubles/gcp-kms.ts'

const context = { purpose: 'root', store: 'billing' }
const double = new GcpKmsDouble()
let key: DoubleKey
let client: KeyManagementServiceClient

beforeAll(async () => {
  process.env.METADATA_SERVER_DETECTION = 'none' // Google's client would look for its cloud around it
  await double.start()
  client = new KeyManagementServiceClient({
    apiEndpoint: '127.0.0.1',
    port: double.grpcPort,
    sslCreds: credentials.createInsecure(),
  })
})
beforeEach(() => {
  key = double.createKey()
  double.calls.length = double.faults.length = 0
  double.denied.clear()
})
afterAll(async () => {
  await client.close()
  await double.stop()
})

/** The real client over gRPC, and the transport of our own over REST, against one double. */
describe.each(['grpc', 'rest'] as const)('gcpKms over %s', (transport) => {
  const make = (options: Partial<GcpKmsOptions> = {}) =>
    transport === 'grpc'
      ? gcpKms({ keyName: key.name, client: client as unknown as GcpKmsClient, ...options })
      : gcpKms({
          keyName: key.name,
          transport,
          endpoint: double.restEndpoint,
          accessToken: async () => double.token,
          ...options,
        })

  describe('keeps the promises of a KMS provider', () => {
    const harness = async () => {
      key = double.createKey()
      return {
        provider: make(),
        other: make({ keyName: double.createKey().name }),
        calls: () => double.calls.length,
        secrets: [Buffer.from(double.token)],
      }
    }
    for (const { name, run } of kmsConformance(harness)) it(name, run)
  })

  it('records the version that Google used, and opens older versions after a rotation', async () => {
    const plain = randomBytes(32)
    const old = await make().wrap(plain, { context })
    double.rotate(key)
    const fresh = await make().wrap(plain, { context })
    expect([old.keyId, fresh.keyId]).toEqual([1, 2].map((version) => `${key.name}/cryptoKeyVersions/${version}`))
    expect(await make().unwrap(old, { context })).toEqual(plain)
    expect(double.calls.at(-1)?.name).toBe(key.name)
  })

  it.each([
    [status.RESOURCE_EXHAUSTED, 'throttled'],
    [status.UNAVAILABLE, 'unavailable'],
    [status.INTERNAL, 'unavailable'],
    [status.DEADLINE_EXCEEDED, 'unavailable'],
    [status.ABORTED, 'unavailable'],
    [status.UNAUTHENTICATED, 'denied'],
    [status.NOT_FOUND, 'key-not-found'],
    [status.INVALID_ARGUMENT, 'misconfigured'],
    [status.UNIMPLEMENTED, 'misconfigured'],
  ])('code %i is %s, and the client does not retry', async (code, kind) => {
    double.faults.push({ code })
    await expect(make().wrap(randomBytes(32), { context })).rejects.toMatchObject({ provider: 'gcp-kms', kind })
    expect(double.calls).toHaveLength(1)
  })

  it('a version that is disabled or destroyed is key-disabled', async () => {
    const wrapped = await make().wrap(randomBytes(32), { context })
    for (const state of ['DISABLED', 'DESTROYED'] as const) {
      Object.assign(key.versions[0] ?? {}, { state })
      await expect(make().unwrap(wrapped, { context })).rejects.toMatchObject({ kind: 'key-disabled' })
    }
  })

  it('a missing permission is named', async () => {
    double.denied.add(`useToEncrypt ${key.name}`)
    await expect(make().wrap(randomBytes(32), { context })).rejects.toMatchObject({
      kind: 'denied',
      message: `gcp-kms: cloudkms.cryptoKeyVersions.useToEncrypt on ${key.name} is not allowed for these credentials`,
    })
  })

  it.each(['ciphertext', 'unverified'] as const)(
    'a wrap damaged on the way (%s) is noticed and can be tried again',
    async (damage) => {
      double.faults.push({ damage })
      await expect(make().wrap(randomBytes(32), { context })).rejects.toMatchObject({
        kind: 'unavailable',
        retryable: true,
      })
    },
  )

  it('a key damaged on the way back is noticed and can be tried again', async () => {
    const wrapped = await make().wrap(randomBytes(32), { context })
    double.faults.push({ damage: 'plaintext' })
    await expect(make().unwrap(wrapped, { context })).rejects.toMatchObject({ kind: 'unavailable', retryable: true })
  })

  it('an answer for another key is not believed', async () => {
    double.faults.push({ damage: 'foreign-name' })
    await expect(make().wrap(randomBytes(32), { context })).rejects.toMatchObject({ kind: 'misconfigured' })
  })

  it('a hanging call is left at once when the caller aborts', async () => {
    double.faults.push({ hang: true })
    const abort = new AbortController()
    const reason = new Error('enough')
    setTimeout(() => abort.abort(reason), 50)
    await expect(make().wrap(randomBytes(32), { context, signal: abort.signal })).rejects.toBe(reason)
  })

  it('is of no use once closed', async () => {
    const provider = make()
    await provider.close?.()
    await expect(provider.wrap(randomBytes(32), { context })).rejects.toThrow(ClosedError)
  })
})

describe('the REST transport', () => {
  const make = (options: Partial<GcpKmsOptions> = {}) =>
    gcpKms({
      keyName: key.name,
      transport: 'rest',
      endpoint: double.restEndpoint,
      accessToken: async () => double.token,
      ...options,
    })

  it('follows no redirect', async () => {
    double.faults.push({ redirect: true })
    await expect(make().wrap(randomBytes(32), { context })).rejects.toMatchObject({ kind: 'misconfigured' })
  })

  it('a refused token is denied, and nobody at the endpoint is unavailable', async () => {
    const call = { context }
    await expect(make({ accessToken: async () => 'x' }).wrap(randomBytes(32), call)).rejects.toMatchObject({
      kind: 'denied',
    })
    await expect(make({ endpoint: 'http://127.0.0.1:65534' }).wrap(randomBytes(32), call)).rejects.toMatchObject({
      kind: 'unavailable',
    })
  })

  it('opens what gRPC wrapped, and the other way round', async () => {
    const grpc = gcpKms({ keyName: key.name, client: client as unknown as GcpKmsClient })
    const plain = randomBytes(32)
    expect(await make().unwrap(await grpc.wrap(plain, { context }), { context })).toEqual(plain)
    expect(await grpc.unwrap(await make().wrap(plain, { context }), { context })).toEqual(plain)
  })
})

describe('configuration', () => {
  it.each<[string, Partial<GcpKmsOptions>]>([
    ['a key version', { keyName: 'projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1' }],
    ['a name that climbs', { keyName: 'projects/p/locations/l/keyRings/../cryptoKeys/k' }],
    ['a bare name', { keyName: 'k' }],
    ['another transport', { transport: 'http' as 'rest' }],
  ])('refuses %s', (_, options) => {
    expect(() => gcpKms({ keyName: key.name, ...options })).toThrow(InvalidInputError)
  })

  it('refuses plain http to another machine, and for gRPC to any', async () => {
    expect(() => gcpKms({ keyName: key.name, endpoint: 'http://kms.internal' })).toThrow(ConfigError)
    const local = gcpKms({ keyName: key.name, endpoint: 'http://127.0.0.1:1' })
    await expect(local.wrap(randomBytes(32), { context })).rejects.toThrow(ConfigError)
  })

  it("Google's client hands every request to its log, keys included; the one made here has none", async () => {
    const own = new KeyManagementServiceClient({
      apiEndpoint: '127.0.0.1',
      port: double.grpcPort,
      sslCreds: credentials.createInsecure(),
    })
    const log = vi.spyOn((own as unknown as { _log: { info(): void } })._log, 'info')
    const provider = () => gcpKms({ keyName: key.name, client: own as unknown as GcpKmsClient })
    await provider().wrap(randomBytes(32), { context })
    expect(log).toHaveBeenCalled() // else this test proves nothing
    log.mockClear()
    silenced(own as unknown as GcpKmsClient)
    await provider().wrap(randomBytes(32), { context })
    expect(log).not.toHaveBeenCalled()
    await own.close()
  })
})
