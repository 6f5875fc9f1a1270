import { Buffer } from 'node:buffer'
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Pkcs11HsmOptions, type Pkcs11Module, pkcs11Hsm } from '../../../providers/pkcs11/index.ts'
import { kmsConformance } from '../../../providers/testing/index.ts'
import { KmsError } from '../../../src/errors.ts'
import type { KmsProvider } from '../../../src/kms.ts'
import { describeComponent } from '../../components/component.ts'

const LIBRARY = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
].find(existsSync)
const FOLDER = process.env.STRONGROOM_PKCS11JS ?? fileURLToPath(new URL('../../components/pkcs11', import.meta.url))
const PKCS11JS = resolvePkcs11js()
const CONTEXT = { app: 'billing', tenant: 'acme' }

/** What pkcs11js has beyond the part that the provider uses: making keys, and losing sessions. */
interface Admin extends Pkcs11Module {
  load(library: string): void
  C_CloseAllSessions(slot: Uint8Array): void
  C_Logout(session: Uint8Array): void
  C_GenerateKey(session: Uint8Array, mechanism: object, template: object[]): Uint8Array
  C_GenerateKeyPair(
    session: Uint8Array,
    mechanism: object,
    publicTemplate: object[],
    privateTemplate: object[],
  ): unknown
}

describeComponent('PKCS#11 on SoftHSM', missing(), () => {
  let folder = ''
  let admin: Admin
  const connect = (options: Partial<Pkcs11HsmOptions> = {}): KmsProvider =>
    pkcs11Hsm({
      library: LIBRARY ?? '',
      pkcs11js: PKCS11JS ?? '',
      token: 'room',
      pin: '5678',
      key: { label: 'aes' },
      ...options,
    })
  const slot = (): Uint8Array =>
    admin.C_GetSlotList(true).find((one) => admin.C_GetTokenInfo(one).label.trim() === 'room') as Uint8Array

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-hsm-'))
    mkdirSync(join(folder, 'tokens'))
    writeFileSync(join(folder, 'conf'), `directories.tokendir = ${join(folder, 'tokens')}\nlog.level = ERROR\n`)
    process.env.SOFTHSM2_CONF = join(folder, 'conf')
    const init = ['--init-token', '--free', '--label', 'room', '--so-pin', '1234', '--pin', '5678']
    execFileSync('softhsm2-util', init, { stdio: 'ignore' })
    const { PKCS11 } = createRequire(import.meta.url)(PKCS11JS as string) as { PKCS11: new () => Admin }
    admin = new PKCS11()
    admin.load(LIBRARY as string)
    admin.C_Initialize({ flags: 2 })
    makeKeys(admin, slot())
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const kinds = [
    { key: { label: 'aes' } },
    { key: { id: Buffer.from([0x0a]) } },
    { key: { label: 'rsa' }, mechanism: 'rsa-oaep', hash: 'sha1' },
  ] as const
  for (const options of kinds) {
    describe(`conformance, ${JSON.stringify(options)}`, () => {
      let provider: KmsProvider
      let other: KmsProvider
      beforeAll(() => {
        provider = connect(options)
        other = connect({ key: { label: 'other' } })
      })
      afterAll(async () => {
        await provider.close?.()
        await other.close?.()
      })
      for (const { name, run } of kmsConformance(async () => ({ provider, other, secrets: [Buffer.from('5678')] }))) {
        test(name, run)
      }
    })
  }

  test('a lost login and lost sessions are opened anew, whoever closed them', async () => {
    const kms = connect()
    const key = randomBytes(32)
    const wrapped = await kms.wrap(key, { context: CONTEXT })
    admin.C_CloseAllSessions(slot())
    const all = await Promise.all(Array.from({ length: 20 }, () => kms.unwrap(wrapped, { context: CONTEXT })))
    for (const unwrapped of all) expect(Buffer.from(unwrapped)).toEqual(key)
    const session = admin.C_OpenSession(slot(), 4)
    admin.C_Logout(session)
    expect(Buffer.from(await kms.unwrap(wrapped, { context: CONTEXT }))).toEqual(key)
    admin.C_CloseSession(session)
    await kms.close?.()
  })

  test('500 calls at the same time share four sessions', async () => {
    const kms = connect()
    const key = randomBytes(32)
    const all = await Promise.all(Array.from({ length: 500 }, () => kms.wrap(key, { context: CONTEXT })))
    expect(new Set(all.map(({ ciphertext }) => Buffer.from(ciphertext).toString('hex'))).size).toBe(500)
    await kms.close?.()
  })

  test('what one process wraps, another unwraps after a restart of both', async () => {
    const first = connect()
    const key = randomBytes(32)
    const wrapped = await first.wrap(key, { context: CONTEXT })
    await first.close?.()
    const second = connect()
    expect(Buffer.from(await second.unwrap(wrapped, { context: CONTEXT }))).toEqual(key)
    await second.close?.()
  })

  test('a missing key, a missing token and a hash that SoftHSM lacks are told apart', async () => {
    const kindOf = async (options: Partial<Pkcs11HsmOptions>): Promise<string> => {
      const kms = connect(options)
      const error = await kms.wrap(randomBytes(32), { context: CONTEXT }).catch((thrown: unknown) => thrown)
      await kms.close?.()
      return error instanceof KmsError ? error.kind : String(error)
    }
    expect(await kindOf({ key: { label: 'nothing' } })).toBe('key-not-found')
    expect(await kindOf({ token: 'elsewhere' })).toBe('unavailable')
    expect(await kindOf({ key: { label: 'rsa' }, mechanism: 'rsa-oaep', hash: 'sha256' })).toBe('misconfigured')
  })

  test('a wrong PIN is denied and tried once', async () => {
    admin.C_CloseAllSessions(slot())
    const kms = connect({ pin: '0000' })
    for (let times = 0; times < 5; times++) {
      const error = await kms.wrap(randomBytes(32), { context: CONTEXT }).catch((thrown: unknown) => thrown)
      expect((error as KmsError).kind).toBe('denied')
    }
    await kms.close?.()
  })
})

/** AES keys `aes` (0a), `other` (0b) and an RSA pair `rsa` (0c), kept on the token. Numbers from pkcs11t.h. */
function makeKeys(admin: Admin, slot: Uint8Array): void {
  const session = admin.C_OpenSession(slot, 4 | 2)
  admin.C_Login(session, 1, '5678')
  const named = (label: string, id: number, more: object[]): object[] => [
    { type: 1, value: true },
    { type: 3, value: label },
    { type: 0x102, value: Buffer.from([id]) },
    ...more,
  ]
  const use = [
    { type: 0x104, value: true },
    { type: 0x105, value: true },
  ]
  for (const [label, id] of [
    ['aes', 10],
    ['other', 11],
  ] as const) {
    admin.C_GenerateKey(session, { mechanism: 0x1080 }, named(label, id, [...use, { type: 0x161, value: 32 }]))
  }
  const publicPart = [
    { type: 0x104, value: true },
    { type: 0x121, value: 2048 },
    { type: 0x122, value: Buffer.from([1, 0, 1]) },
  ]
  admin.C_GenerateKeyPair(
    session,
    { mechanism: 0 },
    named('rsa', 12, publicPart),
    named('rsa', 12, [{ type: 0x105, value: true }]),
  )
  admin.C_CloseSession(session)
}

function missing(): string | undefined {
  const softhsm = LIBRARY !== undefined && spawnSync('softhsm2-util', ['--version']).status === 0
  if (softhsm && PKCS11JS !== undefined) return undefined
  const how = [
    ...(softhsm ? [] : ['apt-get install softhsm2']),
    ...(PKCS11JS ? [] : ['npm --prefix tests/components/pkcs11 install']),
  ]
  return how.join(' && ')
}

function resolvePkcs11js(): string | undefined {
  try {
    return createRequire(join(FOLDER, 'package.json')).resolve('pkcs11js')
  } catch {
    return undefined
  }
}
