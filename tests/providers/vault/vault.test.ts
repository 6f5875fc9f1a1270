import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { kmsConformance, memoryKeyStore } from '../../../providers/testing/index.ts'
import { type VaultTransitOptions, vaultTransit } from '../../../providers/vault/index.ts'
import { ConfigError, InvalidInputError, KmsError } from '../../../src/errors.ts'
import type { KeyRecord } from '../../../src/key-store.ts'
import { rootContext } from '../../../src/keys/record.ts'
import type { KmsProvider } from '../../../src/kms.ts'
import { openStrongroom } from '../../../src/strongroom.ts'
import { selfSignedCertificate } from '../../doubles/certificate.ts'
import { VaultDouble } from '../../doubles/vault.ts'

const CONTEXT = { app: 'billing', tenant: 'acme' }
const POLICY = {
  'transit/encrypt/billing': ['update'],
  'transit/decrypt/billing': ['update'],
  'transit/rewrap/billing': ['update'],
}

let vault: VaultDouble
beforeEach(async () => {
  vault = await new VaultDouble().listen()
  vault.createKey('billing')
})
afterEach(() => vault.close())

const connect = (options: Partial<VaultTransitOptions> = {}): KmsProvider =>
  vaultTransit({ address: vault.address, key: 'billing', auth: { token: vault.createToken('*') }, ...options })
const transitCalls = (): string[] => vault.requests.filter((request) => request.includes('transit/'))
const kindOf = (error: unknown): string => (error instanceof KmsError ? error.kind : String(error))
const failure = (call: Promise<unknown>): Promise<KmsError> =>
  call.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  )

for (const binding of ['associated-data', 'derived'] as const) {
  describe(`conformance, binding by ${binding}`, () => {
    const cases = kmsConformance(async () => {
      const server = await new VaultDouble().listen()
      for (const name of ['billing', 'other']) server.createKey(name, { derived: binding === 'derived' })
      const token = server.createToken('*')
      const options = { address: server.address, binding, auth: { token } }
      return {
        provider: vaultTransit({ ...options, key: 'billing' }),
        other: vaultTransit({ ...options, key: 'other' }),
        calls: () => server.requests.length,
        secrets: [Buffer.from(token)],
        close: () => server.close(),
      }
    })
    for (const { name, run } of cases) test(name, run)
  })
}

describe('wrapping', () => {
  test('the key id names mount, key and version, and follows a rotation', async () => {
    const kms = connect()
    const before = await kms.wrap(randomBytes(32), { context: CONTEXT })
    vault.keys.get('billing')?.versions.push(randomBytes(32))
    const after = await kms.wrap(randomBytes(32), { context: CONTEXT })
    expect(kms.keyId).toBe('transit/keys/billing')
    expect([before.keyId, after.keyId]).toEqual(['transit/keys/billing/versions/1', 'transit/keys/billing/versions/2'])
    expect(Buffer.from(after.ciphertext).toString()).toMatch(/^vault:v2:/)
    await kms.unwrap(before, { context: CONTEXT })
    await kms.unwrap(after, { context: CONTEXT })
  })

  test('a ciphertext of another version than the one it names is refused without a call', async () => {
    const kms = connect()
    const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
    vault.keys.get('billing')?.versions.push(randomBytes(32))
    const calls = vault.requests.length
    const moved = { ...wrapped, keyId: 'transit/keys/billing/versions/2' }
    expect(kindOf(await failure(kms.unwrap(moved, { context: CONTEXT })))).toBe('invalid-ciphertext')
    expect(vault.requests.length).toBe(calls)
  })

  test('the context is bound even where the server ignores associated data', async () => {
    vault.ignoresAssociatedData = true
    const kms = connect()
    const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
    await kms.unwrap(wrapped, { context: CONTEXT })
    const other = { ...CONTEXT, tenant: 'globex' }
    expect(kindOf(await failure(kms.unwrap(wrapped, { context: other })))).toBe('context-mismatch')
  })

  test('the context is bound even where a key that should be derived is not', async () => {
    const kms = connect({ binding: 'derived' })
    const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
    expect(kindOf(await failure(kms.unwrap(wrapped, { context: {} })))).toBe('context-mismatch')
  })

  test('Vault moves a key to its newest version by itself when keys are derived', async () => {
    vault.createKey('billing', { derived: true })
    const kms = connect({ binding: 'derived' })
    const key = randomBytes(32)
    const old = await kms.wrap(key, { context: CONTEXT })
    const settings = vault.keys.get('billing')
    if (!settings || !kms.rewrap) return expect.fail('no rewrap')
    settings.versions.push(randomBytes(32))
    const moved = await kms.rewrap(old, { context: CONTEXT })
    settings.minDecryptionVersion = 2
    expect(moved.keyId).toBe('transit/keys/billing/versions/2')
    expect(Buffer.from(await kms.unwrap(moved, { context: CONTEXT }))).toEqual(key)
    expect(kindOf(await failure(kms.unwrap(old, { context: CONTEXT })))).toBe('key-disabled')
    expect(kindOf(await failure(kms.rewrap(moved, { context: {} })))).toBe('invalid-ciphertext')
  })

  test('with associated data there is no rewrap, because the API has none', () => {
    expect(connect().rewrap).toBeUndefined()
  })

  test('a namespace is sent and stands in the key id', async () => {
    vault.namespace = 'team/a'
    const kms = connect({ namespace: 'team/a' })
    const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
    expect(wrapped.keyId).toBe('team/a/transit/keys/billing/versions/1')
    expect(connect({ namespace: 'team/b' }).accepts(wrapped)).toBe(false)
    const outside = connect({ auth: { token: () => 'x' } })
    expect(kindOf(await failure(outside.wrap(randomBytes(32), { context: CONTEXT })))).toBe('misconfigured')
  })
})

describe('rotation in Vault', () => {
  const rotated = async (policy: typeof POLICY | '*'): Promise<{ requests: string[]; keyIds: string[] }> => {
    vault.createKey('billing', { derived: true })
    const store = memoryKeyStore()
    const kms = connect({ binding: 'derived', auth: { token: vault.createToken(policy) } })
    const room = await openStrongroom({ name: 'app', kms, store }, { init: true })
    const ciphertext = room.encrypt('hello', { context: { row: '1' } })
    vault.keys.get('billing')?.versions.push(randomBytes(32))
    vault.requests.length = 0
    await room.keys.rewrap()
    const requests = transitCalls()
    const key = vault.keys.get('billing')
    if (key) key.minDecryptionVersion = 2
    const [root] = await store.list({ purpose: 'root', limit: 1 })
    await room.refresh()
    expect(room.decrypt(ciphertext, { context: { row: '1' } })).toBe('hello')
    await kms.unwrap({ ...wrapOf(root), provider: 'vault-transit' }, { context: contextOf(root) })
    await room.close()
    return { requests, keyIds: root?.wraps.map(({ keyId }) => keyId) ?? [] }
  }
  const wrapOf = (root: KeyRecord | undefined) => {
    const [wrap] = root?.wraps ?? []
    return { keyId: wrap?.keyId ?? '', ciphertext: Buffer.from(wrap?.ciphertext ?? '', 'base64url') }
  }
  const contextOf = (root: KeyRecord | undefined) => (root ? rootContext(root) : {})

  test('is followed by keys.rewrap inside Vault: the root key is not sent to it', async () => {
    const { requests, keyIds } = await rotated('*')
    expect(requests).toEqual(['POST transit/decrypt/billing', 'POST transit/rewrap/billing'])
    expect(keyIds).toEqual(['transit/keys/billing/versions/2'])
  })

  test('is followed without the permission to rewrap as well', async () => {
    const { 'transit/rewrap/billing': _, ...policy } = POLICY
    const { requests, keyIds } = await rotated(policy as typeof POLICY)
    expect(requests.at(-1)).toBe('POST transit/encrypt/billing')
    expect(keyIds).toEqual(['transit/keys/billing/versions/2'])
  })
})

describe('login', () => {
  const appRole = { roleId: 'r-1', secretId: 's-1' }
  const addRole = (ttlSeconds = 3600): void => {
    vault.appRoles.set('r-1', { secret: 's-1', policy: POLICY, ttlSeconds, maxTtlSeconds: 7200 })
  }

  test('an AppRole logs in once for many calls at the same time', async () => {
    addRole()
    const kms = connect({ auth: { appRole } })
    await Promise.all(Array.from({ length: 100 }, () => kms.wrap(randomBytes(32), { context: CONTEXT })))
    expect(vault.requests.filter((request) => request.includes('auth/'))).toEqual(['POST auth/approle/login'])
  })

  test('a pod logs in with its service account, read again for each login', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-'))
    const jwtPath = join(folder, 'token')
    writeFileSync(jwtPath, 'jwt-1\n')
    vault.kubernetesRoles.set('billing', { secret: 'jwt-1', policy: POLICY, ttlSeconds: 3600, maxTtlSeconds: 7200 })
    const kms = connect({ auth: { kubernetes: { role: 'billing', jwtPath } } })
    await kms.wrap(randomBytes(32), { context: CONTEXT })
    vault.tokens.clear()
    vault.kubernetesRoles.set('billing', { secret: 'jwt-2', policy: POLICY, ttlSeconds: 3600, maxTtlSeconds: 7200 })
    writeFileSync(jwtPath, 'jwt-2\n')
    await kms.wrap(randomBytes(32), { context: CONTEXT })
    await rm(folder, { recursive: true })
    expect(
      kindOf(
        await failure(
          connect({ auth: { kubernetes: { role: 'billing', jwtPath } } }).wrap(randomBytes(32), { context: CONTEXT }),
        ),
      ),
    ).toBe('misconfigured')
  })

  test('a revoked token is replaced once, by one login for all calls', async () => {
    addRole()
    const kms = connect({ auth: { appRole } })
    await kms.wrap(randomBytes(32), { context: CONTEXT })
    vault.tokens.clear()
    vault.requests.length = 0
    await Promise.all(Array.from({ length: 20 }, () => kms.wrap(randomBytes(32), { context: CONTEXT })))
    expect(vault.requests.filter((request) => request.includes('auth/'))).toEqual(['POST auth/approle/login'])
  })

  test('a permission that is missing is reported in words of the policy after one more login, without a loop', async () => {
    vault.appRoles.set('r-1', { secret: 's-1', policy: {}, ttlSeconds: 3600, maxTtlSeconds: 7200 })
    const kms = connect({ auth: { appRole } })
    const error = await failure(kms.wrap(randomBytes(32), { context: CONTEXT }))
    expect(error.kind).toBe('denied')
    expect(error.message).toContain('path "transit/encrypt/billing" { capabilities = ["update"] }')
    expect(vault.requests.length).toBe(4)
  })

  test('a wrong secret is denied and is not remembered', async () => {
    addRole()
    let secret = 'wrong'
    const kms = connect({ auth: { appRole: { roleId: 'r-1', secretId: () => secret } } })
    expect(kindOf(await failure(kms.wrap(randomBytes(32), { context: CONTEXT })))).toBe('denied')
    secret = 's-1'
    await kms.wrap(randomBytes(32), { context: CONTEXT })
  })

  test('a token without a way to get another is not asked for again', async () => {
    const kms = connect({ auth: { token: 'revoked' } })
    expect(kindOf(await failure(kms.wrap(randomBytes(32), { context: CONTEXT })))).toBe('denied')
    expect(transitCalls().length).toBe(1)
  })

  test('a login that hangs ends with the deadline of the caller and does not hold the next one', async () => {
    addRole()
    vault.faults.push('hang')
    const kms = connect({ auth: { appRole } })
    const signal = AbortSignal.timeout(50)
    expect(await failure(kms.wrap(randomBytes(32), { context: CONTEXT, signal }))).toMatchObject({
      name: 'TimeoutError',
    })
  })

  test('after close a new login is needed', async () => {
    addRole()
    const kms = connect({ auth: { appRole } })
    await kms.wrap(randomBytes(32), { context: CONTEXT })
    await kms.close?.()
    await kms.wrap(randomBytes(32), { context: CONTEXT })
    expect(vault.requests.filter((request) => request.includes('auth/')).length).toBe(2)
  })
})

describe('failures', () => {
  const faults = [
    ['sealed', 'unavailable', true],
    ['throttled', 'throttled', true],
    ['behind', 'unavailable', true],
    ['error', 'unavailable', true],
    ['html', 'unavailable', true],
    ['reset', 'unavailable', true],
    ['standby-redirect', 'misconfigured', false],
    ['huge', 'misconfigured', false],
  ] as const
  for (const [fault, kind, retryable] of faults) {
    test(`${fault} is ${kind}, in one call`, async () => {
      const kms = connect()
      const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
      const calls = vault.requests.length
      vault.faults.push(fault)
      const error = await failure(kms.unwrap(wrapped, { context: CONTEXT }))
      expect([kindOf(error), error.retryable]).toEqual([kind, retryable])
      expect(vault.requests.length).toBe(calls + 1)
      await kms.unwrap(wrapped, { context: CONTEXT })
    })
  }

  test('what an operator does to a key has its own kind', async () => {
    const kms = connect()
    const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
    const key = vault.keys.get('billing')
    if (!key) return expect.fail('no key')
    key.softDeleted = true
    expect(kindOf(await failure(kms.unwrap(wrapped, { context: CONTEXT })))).toBe('key-disabled')
    vault.keys.delete('billing')
    expect(kindOf(await failure(kms.unwrap(wrapped, { context: CONTEXT })))).toBe('key-not-found')
    const limited = connect({ auth: { token: vault.createToken(POLICY) } })
    expect(kindOf(await failure(limited.wrap(randomBytes(32), { context: CONTEXT })))).toBe('denied')
    vault.createKey('billing', { type: 'rsa-2048' })
    expect((await failure(kms.wrap(randomBytes(32), { context: CONTEXT }))).message).toContain('aes256-gcm96')
    vault.createKey('billing', { derived: true })
    expect((await failure(kms.wrap(randomBytes(32), { context: CONTEXT }))).message).toContain("binding: 'derived'")
  })

  test('a server that is not there is unavailable', async () => {
    const kms = connect({ address: 'http://127.0.0.1:9' })
    expect(kindOf(await failure(kms.wrap(randomBytes(32), { context: CONTEXT })))).toBe('unavailable')
  })

  test('a certificate that is not trusted is misconfigured, and is not retried', async () => {
    const server = createServer(selfSignedCertificate(), (_request, response) => response.end('{}'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const kms = connect({ address: `https://127.0.0.1:${(server.address() as AddressInfo).port}` })
    const error = await failure(kms.wrap(randomBytes(32), { context: CONTEXT }))
    server.close()
    expect([error.kind, error.message]).toEqual(['misconfigured', expect.stringContaining('not trusted')])
  })

  test('a call that hangs rejects with the reason of its signal', async () => {
    const kms = connect()
    await kms.wrap(randomBytes(32), { context: CONTEXT })
    vault.faults.push('hang')
    const reason = new Error('gone')
    const controller = new AbortController()
    setTimeout(() => controller.abort(reason), 20)
    expect(await failure(kms.wrap(randomBytes(32), { context: CONTEXT, signal: controller.signal }))).toBe(reason)
  })
})

describe('configuration', () => {
  test('plain http is taken for this machine alone', () => {
    expect(() => connect({ address: 'http://vault.example.com:8200' })).toThrow(ConfigError)
    expect(() => connect({ address: 'https://vault.example.com:8200' })).not.toThrow()
  })

  test('names that would reach another path are refused', () => {
    const bad = [
      { key: '../keys/x' },
      { key: 'a/b' },
      { key: '' },
      { key: 'a?b' },
      { mount: '../sys' },
      { mount: 'a//b' },
      { mount: '/x' },
      { namespace: 'a/../b' },
      { namespace: '' },
    ]
    for (const options of bad) expect(() => connect(options), JSON.stringify(options)).toThrow(InvalidInputError)
    for (const options of [{ mount: 'team/transit' }, { key: 'a.b-c_1' }]) expect(() => connect(options)).not.toThrow()
  })
})
