import { Buffer } from 'node:buffer'
import { constants, createHash, privateDecrypt, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { KeyClient } from '@azure/keyvault-keys'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AzureKeyVaultOptions, azureKeyVault } from '../../../providers/azure/index.ts'
import { kmsConformance } from '../../../providers/testing/index.ts'
import { encodeContext } from '../../../src/crypto/context.ts'
import { ConfigError, InvalidInputError, KmsError } from '../../../src/errors.ts'
import type { KmsProvider } from '../../../src/kms.ts'
import { AzureDouble } from '../../doubles/azure.ts'

const CONTEXT = { app: 'billing', tenant: 'acme' }

let azure: AzureDouble
beforeEach(async () => {
  azure = await new AzureDouble().listen()
})
afterEach(() => azure.close())

/** The options a private host needs; on Azure itself none are needed. */
const trust = (server: AzureDouble): Record<string, unknown> => ({
  disableChallengeResourceVerification: true,
  tlsOptions: { ca: server.certificate.cert },
})
const connect = (options: Partial<AzureKeyVaultOptions> = {}): KmsProvider =>
  azureKeyVault({
    keyId: `${azure.url}/keys/root`,
    credential: azure.credential(),
    clientOptions: trust(azure),
    ...options,
  })
const failure = (call: Promise<unknown>): Promise<KmsError> =>
  call.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  )
const kindOf = (error: unknown): string => (error instanceof KmsError ? error.kind : String(error))

for (const algorithm of ['RSA-OAEP-256', 'A256KW'] as const) {
  describe(`conformance with the real client, ${algorithm}`, () => {
    const kind = algorithm === 'A256KW' ? 'oct-HSM' : 'RSA'
    const cases = kmsConformance(async () => {
      const server = await new AzureDouble().listen()
      for (const name of ['root', 'other']) server.addVersion(name, kind)
      const options = { algorithm, credential: server.credential(), clientOptions: trust(server) }
      return {
        provider: azureKeyVault({ ...options, keyId: `${server.url}/keys/root` }),
        other: azureKeyVault({ ...options, keyId: `${server.url}/keys/other` }),
        calls: () => server.requests.length,
        secrets: [Buffer.from(server.token)],
        close: () => server.close(),
      }
    })
    for (const { name, run } of cases) test(name, run)
  })
}

describe('wrapping', () => {
  test('what Azure wraps is the key and the SHA-256 of the encoded context', async () => {
    const { privateKey } = azure.addVersion('root')
    const key = randomBytes(32)
    const { ciphertext } = await connect().wrap(key, { context: CONTEXT })
    if (!privateKey) return expect.fail('no key')
    const options = { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
    const digest = createHash('sha256').update(encodeContext(CONTEXT)).digest()
    expect(privateDecrypt(options, Buffer.from(ciphertext))).toEqual(Buffer.concat([key, digest]))
  })

  test('the key id names the version, and a rotation in Azure is followed at the next wrap', async () => {
    const first = azure.addVersion('root')
    const kms = connect()
    const key = randomBytes(32)
    const before = await kms.wrap(key, { context: CONTEXT })
    const second = azure.addVersion('root')
    const after = await kms.wrap(key, { context: CONTEXT })
    expect(before.keyId).toBe(`${azure.url}/keys/root/${first.version}`)
    expect(after.keyId).toBe(`${azure.url}/keys/root/${second.version}`)
    expect(Buffer.from(await kms.unwrap(before, { context: CONTEXT }))).toEqual(key)
    expect(Buffer.from(await kms.unwrap(after, { context: CONTEXT }))).toEqual(key)
  })

  test('a configured version is the only one that wraps and is accepted', async () => {
    const first = azure.addVersion('root')
    azure.addVersion('root')
    const pinned = connect({ keyId: `${azure.url}/keys/root/${first.version}` })
    expect((await pinned.wrap(randomBytes(32), { context: CONTEXT })).keyId).toBe(pinned.keyId)
    const newer = await connect().wrap(randomBytes(32), { context: CONTEXT })
    const calls = azure.requests.length
    expect(kindOf(await failure(pinned.unwrap(newer, { context: CONTEXT })))).toBe('key-not-found')
    expect(azure.requests.length).toBe(calls)
  })

  test('a wrap costs two calls and an unwrap one, once the client is warm', async () => {
    azure.addVersion('root')
    const kms = connect()
    const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
    azure.requests.length = 0
    await kms.wrap(randomBytes(32), { context: CONTEXT })
    expect(azure.requests.length).toBe(2)
    await kms.unwrap(wrapped, { context: CONTEXT })
    expect(azure.requests.length).toBe(3)
  })

  test('a pinned version needs no permission to read keys', async () => {
    const { version } = azure.addVersion('root')
    azure.permissions.delete('get')
    const kms = connect({ keyId: `${azure.url}/keys/root/${version}` })
    const key = randomBytes(32)
    const wrapped = await kms.wrap(key, { context: CONTEXT })
    expect(Buffer.from(await kms.unwrap(wrapped, { context: CONTEXT }))).toEqual(key)
  })

  test('many first calls at the same time log in without losing a body', async () => {
    const { version } = azure.addVersion('root')
    const wrapped = await connect().wrap(randomBytes(32), { context: CONTEXT })
    const fresh = connect({ keyId: `${azure.url}/keys/root/${version}` })
    await Promise.all(Array.from({ length: 30 }, () => fresh.unwrap(wrapped, { context: CONTEXT })))
  })

  test('a client of the user is used as it is, and must be for the same vault', async () => {
    azure.addVersion('root')
    const client = new KeyClient(azure.url, azure.credential(), trust(azure))
    const kms = azureKeyVault({ keyId: `${azure.url}/keys/root`, client })
    await kms.unwrap(await kms.wrap(randomBytes(32), { context: CONTEXT }), { context: CONTEXT })
    expect(() => azureKeyVault({ keyId: 'https://other.vault.azure.net/keys/root', client })).toThrow(ConfigError)
  })
})

describe('failures', () => {
  const faults = [
    ['throttled', 'throttled', true],
    ['unavailable', 'unavailable', true],
    ['reset', 'unavailable', true],
    ['html', 'unavailable', true],
    ['redirect', 'misconfigured', false],
    ['firewall', 'denied', false],
  ] as const
  for (const [fault, kind, retryable] of faults) {
    test(`${fault} is ${kind}, in one call: the SDK neither retries nor follows`, async () => {
      azure.addVersion('root')
      const kms = connect()
      const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
      const calls = azure.requests.length
      azure.faults.push(fault)
      const error = await failure(kms.unwrap(wrapped, { context: CONTEXT }))
      expect([kindOf(error), error.retryable]).toEqual([kind, retryable])
      expect(azure.requests.length).toBe(calls + 1)
      await kms.unwrap(wrapped, { context: CONTEXT })
    })
  }

  for (const [permission, action] of [
    ['get', 'Microsoft.KeyVault/vaults/keys/read'],
    ['wrapKey', 'Microsoft.KeyVault/vaults/keys/wrap/action'],
    ['unwrapKey', 'Microsoft.KeyVault/vaults/keys/unwrap/action'],
  ] as const) {
    test(`without permission ${permission} the error names ${action}`, async () => {
      azure.addVersion('root')
      const kms = connect()
      const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
      azure.permissions.delete(permission)
      const call =
        permission === 'unwrapKey'
          ? kms.unwrap(wrapped, { context: CONTEXT })
          : kms.wrap(randomBytes(32), { context: CONTEXT })
      const error = await failure(call)
      expect([error.kind, error.message.includes(action)]).toEqual(['denied', true])
    })
  }

  test('an error of the SDK keeps its codes and loses its request, which holds the key and the token', async () => {
    azure.addVersion('root')
    const kms = connect()
    await kms.wrap(randomBytes(32), { context: CONTEXT })
    azure.permissions.delete('wrapKey')
    const key = randomBytes(32)
    const error = await failure(kms.wrap(key, { context: CONTEXT }))
    expect(error.cause).toMatchObject({ name: 'RestError', statusCode: 403, codes: ['ForbiddenByRbac', 'Forbidden'] })
    const shown = inspect(error, { depth: Infinity, showHidden: true })
    for (const secret of [key.toString('base64url').slice(0, 40), key.toString('hex'), azure.token]) {
      expect(shown).not.toContain(secret)
    }
    expect(shown).not.toContain('authorization')
  })

  test('a disabled, an expired and a missing key are told apart', async () => {
    const version = azure.addVersion('root')
    const kms = connect()
    const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
    version.enabled = false
    expect(kindOf(await failure(kms.unwrap(wrapped, { context: CONTEXT })))).toBe('key-disabled')
    version.enabled = true
    version.expires = Date.now() - 1000
    expect(kindOf(await failure(kms.wrap(randomBytes(32), { context: CONTEXT })))).toBe('key-disabled')
    expect(kindOf(await failure(connect().wrap(randomBytes(32), { context: CONTEXT })))).toBe('key-disabled')
    const missing = connect({ keyId: `${azure.url}/keys/nothing` })
    expect(kindOf(await failure(missing.wrap(randomBytes(32), { context: CONTEXT })))).toBe('key-not-found')
  })

  test('a credential that gives no token is denied, and the next call tries again', async () => {
    azure.addVersion('root')
    const good = azure.credential()
    let broken = true
    const credential = {
      getToken: async () => {
        if (broken) throw Object.assign(new Error('no identity'), { name: 'CredentialUnavailableError' })
        return good.getToken()
      },
    }
    const kms = connect({ credential })
    expect(kindOf(await failure(kms.wrap(randomBytes(32), { context: CONTEXT })))).toBe('denied')
    broken = false
    await kms.wrap(randomBytes(32), { context: CONTEXT })
  })

  test('a certificate that is not trusted and a server that claims to be another are misconfigured', async () => {
    azure.addVersion('root')
    const untrusted = connect({ clientOptions: { disableChallengeResourceVerification: true } })
    expect(kindOf(await failure(untrusted.wrap(randomBytes(32), { context: CONTEXT })))).toBe('misconfigured')
    const claimed = connect({ clientOptions: { tlsOptions: { ca: azure.certificate.cert } } })
    expect(kindOf(await failure(claimed.wrap(randomBytes(32), { context: CONTEXT })))).toBe('misconfigured')
  })

  test('a call that hangs rejects with the reason of its signal', async () => {
    azure.addVersion('root')
    const kms = connect()
    const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
    azure.faults.push('hang')
    const reason = new Error('gone')
    const controller = new AbortController()
    setTimeout(() => controller.abort(reason), 20)
    expect(await failure(kms.unwrap(wrapped, { context: CONTEXT, signal: controller.signal }))).toBe(reason)
  })
})

describe('configuration', () => {
  test('an identifier of another form is refused', () => {
    const bad = [
      'x',
      `${azure.url}/secrets/root`,
      `${azure.url}/keys/`,
      `${azure.url}/keys/a b`,
      `${azure.url}/keys/a/b`,
    ]
    for (const keyId of bad) expect(() => connect({ keyId }), keyId).toThrow(InvalidInputError)
    expect(() => connect({ keyId: 'http://billing.vault.azure.net/keys/root' })).toThrow(ConfigError)
    expect(() => azureKeyVault({ keyId: `${azure.url}/keys/root` })).toThrow(ConfigError)
    expect(() => connect({ algorithm: 'RSA1_5' as never })).toThrow(InvalidInputError)
  })
})
