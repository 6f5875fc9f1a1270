import { Buffer } from 'node:buffer'
import { createDecipheriv } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { VaultDouble } from './vault.ts'

let vault: VaultDouble
let token: string
beforeEach(async () => {
  vault = await new VaultDouble().listen()
  token = vault.createToken('*')
})
afterEach(() => vault.close())

type Answer = {
  status: number
  body: { data?: Record<string, string | number>; auth?: Record<string, unknown>; errors?: string[] }
}
async function post(path: string, body: Record<string, string>, as = token): Promise<Answer> {
  const headers = { 'x-vault-token': as, 'content-type': 'application/json' }
  const response = await fetch(`${vault.address}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}
const base64 = (text: string): string => Buffer.from(text).toString('base64')

test('a ciphertext is vault:vN: and base64 of nonce, AES-256-GCM and tag', async () => {
  const key = vault.createKey('k').versions[0] as Buffer
  const { body } = await post('transit/encrypt/k', { plaintext: base64('hello'), associated_data: base64('row 1') })
  expect(body.data?.key_version).toBe(1)
  const [, encoded = ''] = /^vault:v1:(.+)$/.exec(String(body.data?.ciphertext)) ?? []
  const sealed = Buffer.from(encoded, 'base64')
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12))
  decipher.setAAD(Buffer.from('row 1')).setAuthTag(sealed.subarray(-16))
  expect(decipher.update(sealed.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8')).toBe('hello')
})

test('wrong associated data and a wrong context fail authentication with status 400', async () => {
  vault.createKey('k')
  vault.createKey('d', { derived: true })
  const a = await post('transit/encrypt/k', { plaintext: base64('x'), associated_data: base64('a') })
  const d = await post('transit/encrypt/d', { plaintext: base64('x'), context: base64('a') })
  const refused = { status: 400, body: { errors: ['cipher: message authentication failed'] } }
  const [ciphertext, derived] = [String(a.body.data?.ciphertext), String(d.body.data?.ciphertext)]
  expect(await post('transit/decrypt/k', { ciphertext, associated_data: base64('b') })).toEqual(refused)
  expect(await post('transit/decrypt/k', { ciphertext })).toEqual(refused)
  expect(await post('transit/decrypt/d', { ciphertext: derived, context: base64('b') })).toEqual(refused)
})

test('rewrap moves to the newest version, and refuses what was made with associated data', async () => {
  vault.createKey('k').versions.push(Buffer.alloc(32, 1))
  const plain = await post('transit/encrypt/k', { plaintext: base64('x') })
  vault.keys.get('k')?.versions.push(Buffer.alloc(32, 2))
  const moved = await post('transit/rewrap/k', { ciphertext: String(plain.body.data?.ciphertext) })
  expect(String(moved.body.data?.ciphertext)).toMatch(/^vault:v3:/)
  const bound = await post('transit/encrypt/k', { plaintext: base64('x'), associated_data: base64('a') })
  const ciphertext = String(bound.body.data?.ciphertext)
  expect((await post('transit/rewrap/k', { ciphertext, associated_data: base64('a') })).status).toBe(400)
})

test('a version below min_decryption_version is too old, one above the newest too new', async () => {
  const key = vault.createKey('k')
  const old = String((await post('transit/encrypt/k', { plaintext: base64('x') })).body.data?.ciphertext)
  key.versions.push(Buffer.alloc(32, 1))
  key.minDecryptionVersion = 2
  expect((await post('transit/decrypt/k', { ciphertext: old })).body.errors?.[0]).toContain('(too old)')
  const next = old.replace('vault:v1:', 'vault:v9:')
  expect((await post('transit/decrypt/k', { ciphertext: next })).body.errors?.[0]).toContain('too new')
})

test('a policy without create refuses to make a missing key', async () => {
  const limited = vault.createToken({ 'transit/encrypt/k': ['update'] })
  expect((await post('transit/encrypt/k', { plaintext: base64('x') }, limited)).status).toBe(403)
  expect((await post('transit/encrypt/k', { plaintext: base64('x') })).status).toBe(200)
  expect((await post('transit/encrypt/k', { plaintext: base64('x') }, limited)).status).toBe(200)
})

test('tokens expire, are renewed up to their maximum, and an unknown one is denied', async () => {
  let now = 0
  vault.now = () => now
  const short = vault.createToken('*', { ttlSeconds: 30, maxTtlSeconds: 70 })
  expect((await post('auth/token/renew-self', {}, short)).body.auth?.lease_duration).toBe(60)
  now = 50_000
  expect((await post('auth/token/renew-self', {}, short)).body.auth?.lease_duration).toBe(20)
  now = 71_000
  expect((await post('auth/token/renew-self', {}, short)).status).toBe(403)
  expect((await post('auth/token/renew-self', {}, 'nobody')).status).toBe(403)
})

test('an AppRole with a wrong secret id is refused with status 400', async () => {
  vault.appRoles.set('r', { secret: 's', policy: '*', ttlSeconds: 60, maxTtlSeconds: 60 })
  expect((await post('auth/approle/login', { role_id: 'r', secret_id: 'x' }, '')).status).toBe(400)
  expect((await post('auth/approle/login', { role_id: 'r', secret_id: 's' }, '')).body.auth?.client_token).toMatch(
    /^hvs\./,
  )
})
