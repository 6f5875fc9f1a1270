import { Buffer } from 'node:buffer'
import { X509Certificate } from 'node:crypto'
import { request } from 'node:https'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AzureDouble } from './azure.ts'
import { selfSignedCertificate } from './certificate.ts'

let azure: AzureDouble
beforeEach(async () => {
  azure = await new AzureDouble().listen()
})
afterEach(() => azure.close())

type Answer = { status: number; headers: Record<string, unknown>; body: { value?: string; error?: object } }
function call(method: string, path: string, body?: object, token = azure.token): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: token && `Bearer ${token}` }
    const sent = request(azure.url + path, { method, headers, ca: azure.certificate.cert }, async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      const text = Buffer.concat(chunks).toString()
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: JSON.parse(text) })
    })
    sent.on('error', reject).end(body && JSON.stringify(body))
  })
}

test('a request without a token is answered with a challenge', async () => {
  const { status, headers } = await call('GET', '/keys/k', undefined, '')
  expect([status, String(headers['www-authenticate'])]).toEqual([
    401,
    expect.stringContaining('resource="https://vault.azure.net"'),
  ])
})

test('A256KW is the AES key wrap of RFC 3394 section 4.6', async () => {
  const version = azure.addVersion('k', 'oct-HSM')
  const value = Buffer.from('00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f', 'hex')
  version.secret?.set(Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex'))
  const { body } = await call('POST', '/keys/k//wrapkey', { alg: 'A256KW', value: value.toString('base64url') })
  expect(Buffer.from(body.value ?? '', 'base64url').toString('hex')).toBe(
    '28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21',
  )
})

test('RSA-OAEP-256 unwraps what it wrapped, and nothing that was changed', async () => {
  azure.addVersion('k')
  const value = Buffer.from('a key').toString('base64url')
  const wrapped = (await call('POST', '/keys/k//wrapkey', { alg: 'RSA-OAEP-256', value })).body.value ?? ''
  expect((await call('POST', '/keys/k//unwrapkey', { alg: 'RSA-OAEP-256', value: wrapped })).body.value).toBe(value)
  const changed = Buffer.from(wrapped, 'base64url')
  changed.writeUInt8(changed.readUInt8(9) ^ 1, 9)
  const refused = await call('POST', '/keys/k//unwrapkey', {
    alg: 'RSA-OAEP-256',
    value: changed.toString('base64url'),
  })
  expect(refused.status).toBe(400)
})

test('an empty body, a disabled version, an unknown key and a missing permission are refused as Azure does', async () => {
  const version = azure.addVersion('k')
  expect((await call('POST', '/keys/k//wrapkey')).status).toBe(400)
  version.enabled = false
  const disabled = await call('POST', '/keys/k//wrapkey', { alg: 'RSA-OAEP-256', value: 'AA' })
  expect([disabled.status, disabled.body.error]).toEqual([
    403,
    { code: 'Forbidden', message: 'Forbidden', innererror: { code: 'KeyDisabled' } },
  ])
  expect((await call('GET', '/keys/other')).status).toBe(404)
  azure.permissions.clear()
  expect((await call('GET', '/keys/k')).status).toBe(403)
})

test('the certificate of a test run is self-signed, valid now, and for this machine alone', () => {
  const certificate = new X509Certificate(selfSignedCertificate().cert)
  expect(certificate.verify(certificate.publicKey)).toBe(true)
  expect(certificate.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1')
  expect(new Date(certificate.validTo).getTime()).toBeGreaterThan(Date.now())
})
