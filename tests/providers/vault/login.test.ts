import { expect, test } from 'vitest'
import type { VaultRequest } from '../../../providers/vault/http.ts'
import { type VaultAuth, VaultLogin } from '../../../providers/vault/login.ts'
import { KmsError } from '../../../src/errors.ts'

const appRole: VaultAuth = { appRole: { roleId: 'r', secretId: 's' } }

/** A login at a clock that stands still until it is moved, and a server that grants 90 seconds at a time. */
function setUp(auth: VaultAuth, answers: { renewal?: number | KmsError; ttl?: number; renewable?: boolean } = {}) {
  const { renewal = 90, ttl = 90, renewable = true } = answers
  const paths: string[] = []
  const clock = { now: 0 }
  let count = 0
  const send = async ({ path }: VaultRequest): Promise<Record<string, unknown>> => {
    paths.push(path)
    if (path.endsWith('lookup-self')) return { data: { ttl, renewable } }
    if (path.endsWith('renew-self') && renewal instanceof KmsError) throw renewal
    const seconds = path.endsWith('renew-self') ? renewal : ttl
    return { auth: { client_token: `t${++count}`, lease_duration: seconds, renewable } }
  }
  return { login: new VaultLogin('vault', auth, send, () => clock.now), paths, clock }
}

test('a token is renewed at two thirds of its life and not before', async () => {
  const { login, paths, clock } = setUp(appRole)
  await login.lease()
  clock.now = 59_000
  await login.lease()
  expect(paths).toEqual(['auth/approle/login'])
  clock.now = 61_000
  await Promise.all([login.lease(), login.lease(), login.lease()])
  expect(paths).toEqual(['auth/approle/login', 'auth/token/renew-self'])
})

test('a token that expired while nobody called is not renewed: a new login is made', async () => {
  const { login, paths, clock } = setUp(appRole)
  await login.lease()
  clock.now = 91_000
  await login.lease()
  expect(paths).toEqual(['auth/approle/login', 'auth/approle/login'])
})

test('a renewal that meets the maximum life of the token is followed by a login', async () => {
  const { login, paths, clock } = setUp(appRole, { renewal: 2 })
  await login.lease()
  clock.now = 61_000
  await login.lease()
  expect(paths.at(-1)).toBe('auth/approle/login')
})

test('a token that cannot be renewed is followed by a login before it expires', async () => {
  const { login, paths, clock } = setUp(appRole, { renewable: false })
  await login.lease()
  clock.now = 61_000
  await login.lease()
  expect(paths).toEqual(['auth/approle/login', 'auth/approle/login'])
})

test('an outage during renewal leaves the token that still works', async () => {
  const { login, clock } = setUp(appRole, { renewal: new KmsError('vault', 'unavailable', 'sealed') })
  const first = await login.lease()
  clock.now = 61_000
  expect((await login.lease()).token).toBe(first.token)
})

test('a fixed token is looked up once and renewed as long as it lives', async () => {
  const { login, paths, clock } = setUp({ token: 'fixed' })
  expect((await login.lease()).token).toBe('fixed')
  clock.now = 61_000
  await login.lease()
  expect(paths).toEqual(['auth/token/lookup-self', 'auth/token/renew-self'])
})

test('a token without an end is never renewed', async () => {
  const { login, paths, clock } = setUp({ token: 'root' }, { ttl: 0 })
  await login.lease()
  clock.now = 1e12
  await login.lease()
  expect(paths).toEqual(['auth/token/lookup-self'])
})

test('a token is not found in what the login shows', async () => {
  const { login } = setUp({ token: 'hvs.secret' })
  await login.lease()
  expect(JSON.stringify(login)).not.toContain('hvs.secret')
})
