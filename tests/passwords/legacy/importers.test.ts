import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { argon2id } from '../../../src/passwords/argon2id.ts'
import { firebaseHash, firebaseScrypt } from '../../../src/passwords/legacy/firebase.ts'
import { legacySchemes } from '../../../src/passwords/legacy/index.ts'
import { type RawDigestOptions, rawDigest } from '../../../src/passwords/legacy/raw-digest.ts'
import { small } from '../fixtures.ts'

const hasher = argon2id(small)
const hex = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('hex')

describe('bcrypt', () => {
  // Published by Openwall with crypt_blowfish, and the 72-byte rule of the original.
  const password = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
  const stored = '$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui'

  test('reads 72 bytes and no more, as the original did', async () => {
    expect((await hasher.verify(`${password}chars after 72 are ignored`, stored)).valid).toBe(true)
    expect((await hasher.verify(password, stored)).valid).toBe(true)
    expect((await hasher.verify(password.slice(0, 71), stored)).valid).toBe(false)
  })

  test('the upgraded hash holds all of the password, not its first 72 bytes', async () => {
    const { rehash } = await hasher.verify(`${password} and more`, stored)
    expect((await hasher.verify(`${password} and more`, rehash)).valid).toBe(true)
    expect((await hasher.verify(password, rehash)).valid).toBe(false)
  })

  test('refuses a password with a NUL, which the original would have cut there', async () => {
    const short = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW' // "U*U"
    expect((await hasher.verify('U*U', short)).valid).toBe(true)
    expect((await hasher.verify('U*U\0anything', short)).valid).toBe(false)
  })

  test('of a broken implementation, $2x$, are refused', async () => {
    const broken = '$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e'
    expect(hasher.inspect(broken).scheme).toBe('unreadable')
    expect((await hasher.verify('£', broken)).valid).toBe(false)
  })

  test('is computed alike by @node-rs/bcrypt and bcryptjs', async () => {
    vi.resetModules()
    vi.doMock('@node-rs/bcrypt', () => {
      throw new Error('not installed')
    })
    const { bcrypt } = await import('../../../src/passwords/legacy/bcrypt.ts')
    const hash = bcrypt.parse(stored)
    for (const text of [password, `${password}more`, 'pässwörd', '']) {
      const native = legacySchemes[0]?.parse(stored)
      expect(await hash?.compute(Buffer.from(text))).toEqual(await native?.compute(Buffer.from(text)))
    }
    vi.doMock('bcryptjs', () => {
      throw new Error('not installed')
    })
    vi.resetModules()
    const { bcrypt: neither } = await import('../../../src/passwords/legacy/bcrypt.ts')
    await expect(neither.parse(stored)?.compute(Buffer.from('x'))).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: /install @node-rs\/bcrypt or bcryptjs/,
    })
    vi.doUnmock('@node-rs/bcrypt')
    vi.doUnmock('bcryptjs')
  })
})

describe('ASP.NET Core Identity', () => {
  const header = (salt: number) => Buffer.from([1, 0, 0, 0, 2, 0, 0, 0, 50, 0, 0, 0, salt])
  const stored = (salt: number, length: number) =>
    Buffer.concat([header(salt), Buffer.alloc(length, 7)]).toString('base64')

  test('a key of 16 bytes is the shortest that is read, and a salt of 16 the shortest salt', () => {
    expect(hasher.inspect(stored(16, 16 + 16))).toMatchObject({ scheme: 'aspnet-v3', cost: 'iterations=50' })
    for (const text of [
      stored(16, 16 + 15),
      stored(15, 15 + 32),
      stored(16, 16),
      stored(255, 40),
      stored(16, 0),
      'AQ==',
      'AA==',
    ]) {
      expect(hasher.inspect(text).scheme).toBe('unreadable')
    }
  })
})

describe('LDAP', () => {
  test('the name of the scheme is read in either case, and stays as it is written when wrapped', async () => {
    const stored = '{sha}W6ph5Mm5Pz8GgiULbPgzG37mj9g='
    expect((await hasher.verify('password', stored)).valid).toBe(true)
    const wrapped = await hasher.wrapLegacy(stored)
    expect((await hasher.verify('password', wrapped)).valid).toBe(true)
    expect((await hasher.verify('Password', wrapped)).valid).toBe(false)
  })
})

describe('Firebase', () => {
  // The example that the project firebase/scrypt publishes.
  const project = {
    signerKey: 'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
    saltSeparator: 'Bw==',
    rounds: 8,
    memCost: 14,
  }
  const stored = firebaseHash(
    '42xEC+ixf3L2lw==',
    'lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
  )

  test('verifies the published example with its signer key, and not with another', async () => {
    const importing = argon2id({ ...small, legacy: [firebaseScrypt(project)] })
    expect((await importing.verify('user1password', stored)).valid).toBe(true)
    expect((await importing.verify('user2password', stored)).valid).toBe(false)
    const wrapped = await importing.wrapLegacy(stored)
    expect((await importing.verify('user1password', wrapped)).valid).toBe(true)
    const other = { ...project, signerKey: Buffer.alloc(64, 1).toString('base64') }
    const wrong = argon2id({ ...small, legacy: [firebaseScrypt(other)] })
    expect((await wrong.verify('user1password', stored)).valid).toBe(false)
    expect((await hasher.verify('user1password', stored)).valid).toBe(false)
  })

  test('takes the URL-safe base64 of the export, and refuses parameters of another shape', async () => {
    expect(firebaseHash('a-_b', 'c-_d')).toBe('$firebase-scrypt$a+/b$c+/d')
    for (const wrong of [
      { signerKey: '' },
      { signerKey: 'not base64!' },
      { rounds: 9 },
      { memCost: 0 },
      { saltSeparator: 7 },
    ]) {
      expect(() => firebaseScrypt({ ...project, ...(wrong as object) })).toThrow()
    }
  })
})

describe('bare digests', () => {
  const cases: [RawDigestOptions, string][] = [
    [{ algorithm: 'md5' }, hex('md5', 'secret')],
    [{ algorithm: 'sha1' }, hex('sha1', 'secret').toUpperCase()],
    [{ algorithm: 'sha256', salt: 'before' }, `${hex('sha256', 'a:bsecret')}:a:b`],
    [{ algorithm: 'sha512', salt: 'after' }, `${hex('sha512', 'secretsalt')}:salt`],
    [{ algorithm: 'sha384', salt: 'before', stored: 'salt:digest' }, `s:${hex('sha384', 'ssecret')}`],
  ]
  test.each(cases)('%j are read, and wrapped without their digest', async (options, stored) => {
    const importing = argon2id({ ...small, legacy: [rawDigest(options)] })
    expect((await importing.verify('secret', stored)).valid).toBe(true)
    expect((await importing.verify('Secret', stored)).valid).toBe(false)
    const wrapped = await importing.wrapLegacy(stored)
    expect((await importing.verify('secret', wrapped)).valid).toBe(true)
    expect((await importing.verify('Secret', wrapped)).valid).toBe(false)
    expect(Buffer.from(wrapped.split('$')[2] as string, 'base64url').toString()).toContain('0'.repeat(32))
  })

  test('of another length, without their salt or with other letters are not', () => {
    const plain = rawDigest({ algorithm: 'md5' })
    const salted = rawDigest({ algorithm: 'md5', salt: 'after' })
    for (const text of ['', 'x', `${hex('md5', 'a')}0`, `${hex('md5', 'a')}:salt`, `z${hex('md5', 'a').slice(1)}`]) {
      expect(plain.parse(text)).toBeUndefined()
    }
    for (const text of [
      '',
      ':',
      hex('md5', 'a'),
      `${hex('md5', 'a')}:`,
      `${hex('md5', 'a')}-salt`,
      `${hex('md5', 'a')}:${'s'.repeat(300)}`,
    ]) {
      expect(salted.parse(text)).toBeUndefined()
    }
  })

  test('with options that contradict each other are refused', () => {
    for (const wrong of [
      { algorithm: 'md4' },
      { algorithm: 'toString' },
      { algorithm: 'md5', salt: 'middle' },
      { algorithm: 'md5', stored: 'digest:salt' },
      { algorithm: 'md5', salt: 'after', stored: 'digest' },
    ]) {
      expect(() => rawDigest(wrong as RawDigestOptions)).toThrow()
    }
  })
})

describe('every importer', () => {
  const heads = [
    '$2b$04$',
    'pbkdf2_sha256$1$',
    'scrypt$2$',
    'pbkdf2:sha256:1$',
    '$scrypt$ln=1,r=1,p=1$',
    '$P$B',
    '$wp$2y$',
    '{SSHA}',
    '$6$',
    '$5$rounds=1000$',
    'AQAAAAEAACcQAAAAE',
    '$pbkdf2$1$',
    'sha1$$',
    'bcrypt_sha256$$2b$04$',
  ]
  const tail = fc.string({ unit: fc.constantFrom(...'$./+=:aZ09-{}\n\0é'), maxLength: 120 })

  test('throws at no text, and its settings hold no digest but parse the same', () => {
    fc.assert(
      fc.property(fc.constantFrom('', ...heads), tail, (head, rest) => {
        for (const scheme of legacySchemes) {
          const hash = scheme.parse(head + rest)
          if (hash === undefined) continue
          const again = scheme.parse(hash.settings)
          expect(again).toMatchObject({ scheme: hash.scheme, cost: hash.cost, settings: hash.settings })
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('answers quickly to long text', () => {
    const started = performance.now()
    for (const head of heads) {
      for (const character of ['$', 'a', '=', '/', '0']) {
        for (const scheme of legacySchemes) scheme.parse(head + character.repeat(100_000))
      }
    }
    expect(performance.now() - started).toBeLessThan(2000)
  })
})
