import { Buffer } from 'node:buffer'
import { constants, createDecipheriv, createHash, privateDecrypt, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type Pkcs11HsmOptions, pkcs11Hsm } from '../../../providers/pkcs11/index.ts'
import { kmsConformance } from '../../../providers/testing/index.ts'
import { encodeContext } from '../../../src/crypto/context.ts'
import { ConfigError, InvalidInputError, KmsError } from '../../../src/errors.ts'
import type { KmsProvider } from '../../../src/kms.ts'
import { DOUBLE_FILE, type HsmDouble, hsmDouble, tokenJson } from '../../doubles/pkcs11.ts'

const CONTEXT = { app: 'billing', tenant: 'acme' }

const connect = (client: HsmDouble, options: Partial<Pkcs11HsmOptions> = {}): KmsProvider =>
  pkcs11Hsm({ client, token: 'room', pin: '1234', key: { label: 'a' }, ...options })
const inWorker = (library: string, options: Partial<Pkcs11HsmOptions> = {}): KmsProvider =>
  pkcs11Hsm({ library, pkcs11js: DOUBLE_FILE, token: 'room', pin: '1234', key: { label: 'a' }, ...options })
const failure = (call: Promise<unknown>): Promise<KmsError> =>
  call.then(
    () => expect.fail('it succeeded'),
    (error) => error,
  )
const kindOf = (error: unknown): string => (error instanceof KmsError ? error.kind : String(error))

describe('conformance, AES-GCM by label', () => {
  const cases = kmsConformance(async () => {
    const hsm = hsmDouble()
    const provider = connect(hsm)
    return {
      provider,
      other: connect(hsm, { key: { label: 'b' } }),
      calls: () => hsm.counts.operations,
      secrets: [Buffer.from('1234')],
      close: async () => provider.close?.(),
    }
  })
  for (const { name, run } of cases) test(name, run)
})

describe('conformance, RSA-OAEP by id', () => {
  const cases = kmsConformance(async () => {
    const hsm = hsmDouble()
    const provider = connect(hsm, { key: { id: Buffer.from([12]) }, mechanism: 'rsa-oaep' })
    return { provider, other: connect(hsm), calls: () => hsm.counts.operations }
  })
  for (const { name, run } of cases) test(name, run)
})

describe('conformance, AES-GCM in a worker thread', () => {
  const library = tokenJson()
  const provider = inWorker(library)
  const other = inWorker(library, { key: { label: 'b' } })
  for (const { name, run } of kmsConformance(async () => ({ provider, other }))) test(name, run)
})

describe('wrapping', () => {
  test('AES-GCM: IV, ciphertext and tag, with the encoded context as associated data', async () => {
    const json = tokenJson()
    const key = randomBytes(32)
    const wrapped = await connect(hsmDouble(json)).wrap(key, { context: CONTEXT })
    const sealed = Buffer.from(wrapped.ciphertext)
    expect([wrapped.keyId, sealed.length]).toEqual(['pkcs11:token=room;object=a', 60])
    const secret = Buffer.from(JSON.parse(json).keys[0].secret, 'hex')
    const decipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, 12))
    decipher.setAAD(encodeContext(CONTEXT)).setAuthTag(sealed.subarray(-16))
    expect(Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])).toEqual(key)
  })

  for (const hash of ['sha1', 'sha256', 'sha384', 'sha512'] as const) {
    test(`RSA-OAEP with ${hash}: the key and the SHA-256 of the encoded context`, async () => {
      const json = tokenJson()
      const key = randomBytes(32)
      const kms = connect(hsmDouble(json), { key: { label: 'r' }, mechanism: 'rsa-oaep', hash })
      const { ciphertext } = await kms.wrap(key, { context: CONTEXT })
      const { pem } = JSON.parse(json).keys[3]
      const options = { key: pem, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }
      const digest = createHash('sha256').update(encodeContext(CONTEXT)).digest()
      expect(privateDecrypt(options, Buffer.from(ciphertext))).toEqual(Buffer.concat([key, digest]))
    })
  }

  test('a key id is an RFC 7512 URI', () => {
    const hsm = hsmDouble()
    expect(connect(hsm, { token: 'my hsm;1', key: { id: Buffer.from([1, 0xab]) } }).keyId).toBe(
      'pkcs11:token=my%20hsm%3B1;id=%01%ab',
    )
  })
})

describe('sessions', () => {
  test('calls at the same time share the sessions, one operation in each, one login for all', async () => {
    const hsm = hsmDouble()
    const kms = connect(hsm, { sessions: 3 })
    await Promise.all(Array.from({ length: 60 }, () => kms.wrap(randomBytes(32), { context: CONTEXT })))
    expect(hsm.counts).toEqual({ logins: 1, operations: 60, most: 3 })
    expect(hsm.sessions.size).toBe(4)
  })

  test('lost sessions and logins are opened anew, once for all calls', async () => {
    const hsm = hsmDouble()
    const kms = connect(hsm)
    const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
    hsm.lose()
    await Promise.all(Array.from({ length: 20 }, () => kms.unwrap(wrapped, { context: CONTEXT })))
    expect(hsm.counts.logins).toBe(2)
  })

  test('a library that another part of the process shut down is initialised again', async () => {
    const hsm = hsmDouble()
    const kms = connect(hsm)
    await kms.wrap(randomBytes(32), { context: CONTEXT })
    hsm.lose()
    hsm.initialized = false
    await kms.wrap(randomBytes(32), { context: CONTEXT })
  })

  test('a device that was removed is unavailable, and works again when it is back', async () => {
    const hsm = hsmDouble()
    const kms = connect(hsm)
    await kms.wrap(randomBytes(32), { context: CONTEXT })
    hsm.removed = true
    const error = await failure(kms.wrap(randomBytes(32), { context: CONTEXT }))
    expect([error.kind, error.retryable]).toEqual(['unavailable', true])
    hsm.removed = false
    hsm.lose()
    await kms.wrap(randomBytes(32), { context: CONTEXT })
  })

  test('a loss that repeats ends after one more try', async () => {
    const hsm = hsmDouble()
    const kms = connect(hsm)
    await kms.wrap(randomBytes(32), { context: CONTEXT })
    hsm.faults.push('SESSION_HANDLE_INVALID', 'SESSION_HANDLE_INVALID')
    expect(kindOf(await failure(kms.wrap(randomBytes(32), { context: CONTEXT })))).toBe('unavailable')
    await kms.wrap(randomBytes(32), { context: CONTEXT })
  })

  test('close during calls leaves no session behind', async () => {
    const hsm = hsmDouble()
    const kms = connect(hsm)
    const calls = Array.from({ length: 20 }, () => kms.wrap(randomBytes(32), { context: CONTEXT }))
    await calls[0]
    await kms.close?.()
    await Promise.allSettled(calls)
    await kms.close?.()
    expect(hsm.sessions.size).toBe(0)
  })

  test('failed operations leave no session behind', async () => {
    const hsm = hsmDouble()
    const kms = connect(hsm, { sessions: 2 })
    const wrapped = await kms.wrap(randomBytes(32), { context: CONTEXT })
    for (let times = 0; times < 40; times++) {
      expect(kindOf(await failure(kms.unwrap(wrapped, { context: {} })))).toBe('invalid-ciphertext')
    }
    expect(hsm.sessions.size).toBeLessThanOrEqual(3)
    await kms.close?.()
    expect(hsm.sessions.size).toBe(0)
  })
})

describe('failures', () => {
  test('a PIN that was refused is not tried again, so the token does not lock', async () => {
    const hsm = hsmDouble()
    let pin = '0000'
    const kms = connect(hsm, { pin: () => pin })
    for (let times = 0; times < 10; times++) {
      const error = await failure(kms.wrap(randomBytes(32), { context: CONTEXT }))
      expect([error.kind, error.retryable, error.message.includes(pin)]).toEqual(['denied', false, false])
    }
    expect(hsm.wrongPins).toBe(1)
    pin = '1234'
    await kms.wrap(randomBytes(32), { context: CONTEXT })
  })

  test('a key that is missing, double or of another use is told apart', async () => {
    const twin = { kind: 'secret key', label: 'a', id: '0d', secret: '00'.repeat(32) } as const
    const call = (options: Partial<Pkcs11HsmOptions>, hsm = hsmDouble()): Promise<KmsError> =>
      failure(connect(hsm, options).wrap(randomBytes(32), { context: CONTEXT }))
    expect(kindOf(await call({ key: { label: 'nothing' } }))).toBe('key-not-found')
    expect(kindOf(await call({}, hsmDouble(tokenJson([twin]))))).toBe('misconfigured')
    expect(kindOf(await call({ token: 'elsewhere' }))).toBe('unavailable')
    const hsm = hsmDouble()
    hsm.faults.push('KEY_FUNCTION_NOT_PERMITTED')
    expect((await call({}, hsm)).message).toContain('CKA_ENCRYPT')
  })

  test('a library or package that cannot be loaded says so', async () => {
    const none = pkcs11Hsm({ library: '/x.so', pkcs11js: 'no-such-package', token: 't', pin: '1', key: { label: 'a' } })
    expect(await failure(none.wrap(randomBytes(32), { context: CONTEXT }))).toBeInstanceOf(ConfigError)
    const error = await failure(inWorker('not json').wrap(randomBytes(32), { context: CONTEXT }))
    expect(kindOf(error)).toBe('misconfigured')
  })

  test('options of the wrong form are refused', () => {
    const hsm = hsmDouble()
    const bad = [
      { sessions: 0 },
      { sessions: 65 },
      { hash: 'md5' },
      { mechanism: 'rsa' },
      { key: { label: '' } },
      { token: 7 },
    ]
    for (const options of bad)
      expect(() => connect(hsm, options as never), JSON.stringify(options)).toThrow(InvalidInputError)
    expect(() => pkcs11Hsm({ token: 't', pin: '1', key: { label: 'a' } })).toThrow(ConfigError)
  })
})

describe('the worker thread', () => {
  test('a token that blocks its thread does not hold up the event loop', async () => {
    const kms = inWorker(JSON.stringify({ ...JSON.parse(tokenJson()), blockMs: 50 }))
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    await Promise.all(Array.from({ length: 6 }, () => kms.wrap(randomBytes(32), { context: CONTEXT })))
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(10)
    await kms.close?.()
  })

  test('keeps its token over many calls and starts again after close', async () => {
    const kms = inWorker(tokenJson())
    const key = randomBytes(32)
    const wrapped = await kms.wrap(key, { context: CONTEXT })
    await kms.close?.()
    expect(Buffer.from(await kms.unwrap(wrapped, { context: CONTEXT }))).toEqual(key)
    await kms.close?.()
  })

  test('close waits for calls that are under way', async () => {
    const kms = inWorker(tokenJson())
    const calls = Array.from({ length: 20 }, () => kms.wrap(randomBytes(32), { context: CONTEXT }))
    await calls[0]
    await kms.close?.()
    expect((await Promise.allSettled(calls)).every(({ status }) => status === 'fulfilled')).toBe(true)
    await kms.close?.()
  })

  test('a signal ends the wait for it', async () => {
    const kms = inWorker(tokenJson())
    const reason = new Error('gone')
    const controller = new AbortController()
    const call = kms.wrap(randomBytes(32), { context: CONTEXT, signal: controller.signal })
    controller.abort(reason)
    expect(await failure(call)).toBe(reason)
    await kms.close?.()
  })
})
