import { expect, test } from 'vitest'
import { argon2id } from '../../src/passwords/argon2id.ts'
import { costOf, countingEngine, small } from './fixtures.ts'

const PASSWORD = 'correct horse battery staple'
const hasher = argon2id(small)
const zeros = (bytes: number) => Buffer.alloc(bytes).toString('base64').replaceAll('=', '')

test('a password verifies against its hash, and another does not', async () => {
  const stored = await hasher.hash(PASSWORD)
  expect(await hasher.verify(PASSWORD, stored)).toEqual({ valid: true })
  expect(await hasher.verify(`${PASSWORD} `, stored)).toEqual({ valid: false })
  expect(hasher.needsRehash(stored)).toBe(false)
})

test('the default is Argon2id with 64 MiB, 3 passes, one lane, a 16-byte salt and a 32-byte hash', async () => {
  const stored = await argon2id().hash(PASSWORD)
  expect(stored).toMatch(/^\$argon2id\$v=19\$m=65536,t=3,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
})

test('the same password hashes differently each time', async () => {
  const hashes = await Promise.all(Array.from({ length: 20 }, () => hasher.hash(PASSWORD)))
  expect(new Set(hashes).size).toBe(20)
})

test('presets are taken by name, and single values replace theirs', async () => {
  expect(await argon2id({ preset: 'owasp-minimum' }).hash(PASSWORD)).toContain('$m=19456,t=2,p=1$')
  expect(await argon2id({ preset: 'owasp-minimum', passes: 3 }).hash(PASSWORD)).toContain('$m=19456,t=3,p=1$')
  expect(() => argon2id({ preset: 'rfc9106-first' })).toThrow(/admission.memoryMiB/)
  expect(() => argon2id({ preset: 'rfc9106-first', admission: { memoryMiB: 2048 } })).not.toThrow()
  expect(() => argon2id({ preset: 'constructor' as 'default' })).toThrow(/preset must be default, owasp-minimum/)
})

test('parameters below the OWASP minimum are refused unless the ugly option is set', () => {
  for (const weak of [
    { memoryKiB: 19_455, passes: 2 },
    { memoryKiB: 65_536 / 4, passes: 2 },
    { memoryKiB: 19_456, passes: 1 },
  ]) {
    expect(() => argon2id(weak)).toThrow(/below the OWASP minimum/)
    expect(() => argon2id({ ...weak, dangerouslyAllowBelowOwaspMinimum: true })).not.toThrow()
  }
  for (const enough of [
    { memoryKiB: 47_104, passes: 1 },
    { memoryKiB: 12_288, passes: 3 },
    { memoryKiB: 7_168, passes: 5 },
  ]) {
    expect(() => argon2id(enough)).not.toThrow()
  }
  for (const wrong of [{ memoryKiB: 7 }, { passes: 0 }, { parallelism: 1.5 }, { memoryKiB: Number.NaN }]) {
    expect(() => argon2id({ ...wrong, dangerouslyAllowBelowOwaspMinimum: true })).toThrow(/whole number/)
  }
})

test('an empty, overlong or malformed password is refused when it is set, and is just wrong when it is tried', async () => {
  const stored = await hasher.hash(PASSWORD)
  for (const wrong of ['', 'x'.repeat(1025), 'é'.repeat(513), 'x'.repeat(1_000_000), 'a\ud800']) {
    await expect(hasher.hash(wrong)).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
    expect(await hasher.verify(wrong, stored)).toEqual({ valid: false })
    expect(await hasher.verify(wrong, undefined)).toEqual({ valid: false })
  }
  for (const wrong of [undefined, 7, Buffer.from('x'), { toString: () => PASSWORD }]) {
    await expect(hasher.hash(wrong as string)).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
    await expect(hasher.verify(wrong as string, stored)).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
  }
  await expect(hasher.verify(PASSWORD, 7 as unknown as string)).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
})

test('1,024 bytes are hashed to the last one, and NUL is a character like others', async () => {
  const long = 'x'.repeat(1023)
  const stored = await hasher.hash(`${long}a`)
  expect(await hasher.verify(`${long}a`, stored)).toEqual({ valid: true })
  expect(await hasher.verify(`${long}b`, stored)).toEqual({ valid: false })
  const withNul = await hasher.hash('before\0after')
  expect(await hasher.verify('before\0after', withNul)).toEqual({ valid: true })
  expect(await hasher.verify('before\0other', withNul)).toEqual({ valid: false })
})

test('composed and decomposed text are one password', async () => {
  const composed = 'r\u00e9sum\u00e9'
  const stored = await hasher.hash(composed)
  expect(await hasher.verify(composed.normalize('NFD'), stored)).toEqual({ valid: true })
})

test('a change of normalization locks nobody out, and is caught up at the next login', async () => {
  const typed = 'ﬁancé of the ＢＩＧ bank'
  const stored = await argon2id({ ...small, normalization: 'NFKC' }).hash(typed)
  const answer = await hasher.verify(typed, stored)
  expect(answer).toMatchObject({ valid: true, rehash: expect.any(String) })
  expect(await hasher.verify(typed, answer.rehash)).toEqual({ valid: true })
})

test('a hash with weaker parameters is replaced, one with stronger parameters is not', async () => {
  const [weak, strong] = [argon2id(small), argon2id({ ...small, memoryKiB: 2048 })]
  const stored = await weak.hash(PASSWORD)
  expect(strong.needsRehash(stored)).toBe(true)
  const { rehash } = await strong.verify(PASSWORD, stored)
  expect(rehash).toContain('$m=2048,t=1,p=1$')
  expect(weak.needsRehash(rehash as string)).toBe(false)
  expect(await weak.verify(PASSWORD, rehash)).toEqual({ valid: true })
  expect(await strong.verify('wrong', stored)).toEqual({ valid: false })
})

test('a short salt or a short hash is replaced', async () => {
  const { engine, requests } = await countingEngine()
  const counting = argon2id({ ...small, engine })
  const parameters = { type: 'argon2id', version: 19, memoryKiB: 1024, passes: 1, parallelism: 1 } as const
  for (const [salt, hashLength] of [
    [Buffer.alloc(8, 7), 32],
    [Buffer.alloc(16, 7), 16],
  ] as const) {
    const hash = await engine.hash({ ...parameters, hashLength, salt, password: Buffer.from(PASSWORD) })
    const b64 = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
    const stored = `$argon2id$v=19$m=1024,t=1,p=1$${b64(salt)}$${b64(hash)}`
    expect(await counting.verify(PASSWORD, stored)).toMatchObject({ valid: true, rehash: expect.any(String) })
  }
  expect(requests.length).toBe(6)
})

test('an unknown user, a wrong password and unreadable text do the same work and get the same answer', async () => {
  const { engine, requests } = await countingEngine()
  let unreadable = 0
  const counting = argon2id({ ...small, engine, onUnreadable: () => unreadable++ })
  const work = async (password: string, stored: string | null | undefined) => {
    requests.length = 0
    expect(await counting.verify(password, stored, { userId: 'u' })).toEqual({ valid: false })
    return requests.map(costOf)
  }
  const stored = await counting.hash(PASSWORD)
  for (const password of ['wrong password', 'r\u00e9sum\u00e9', 're\u0301sume\u0301', 'ﬁn']) {
    const known = await work(password, stored)
    expect(known.length).toBeGreaterThan(0)
    expect(known[0]).toMatchObject({ memoryKiB: 1024, passes: 1, parallelism: 1, hashLength: 32, salt: 16 })
    for (const other of [
      undefined,
      null,
      '',
      '!',
      'garbage',
      `${stored}=`,
      stored.slice(0, -2),
      '$argon2id$v=19$m=1024',
    ]) {
      expect(await work(password, other)).toEqual(known)
    }
  }
  expect(unreadable).toBe(4 * 6)
})

test('a wrong password against an old hash costs what a right one costs', async () => {
  const { engine, requests } = await countingEngine()
  const counting = argon2id({ ...small, engine })
  for (const stored of [
    '$2b$04$abcdefghijklmnopqrstuu5s5/a/SjKXbNPcE0BbLZKO1jpKGUEgi',
    '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=',
    await argon2id({ ...small, memoryKiB: 512 }).hash(PASSWORD),
  ]) {
    requests.length = 0
    expect(await counting.verify('wrong', stored)).toEqual({ valid: false })
    expect(requests.at(-1)).toMatchObject({ memoryKiB: 1024, hashLength: 32 })
  }
})

test('a poisoned row costs no more than an unknown user', async () => {
  const { engine, requests } = await countingEngine()
  const counting = argon2id({ ...small, engine, admission: { memoryMiB: 2048 } })
  const tail = `$${zeros(16)}$${zeros(32)}`
  for (const stored of [
    `$argon2id$v=19$m=1048577,t=1,p=1${tail}`,
    `$argon2id$v=19$m=4294967295,t=1,p=1${tail}`,
    `$argon2id$v=19$m=1024,t=17,p=1${tail}`,
    `$argon2id$v=19$m=1024,t=4294967295,p=1${tail}`,
    `$argon2id$v=19$m=1024,t=1,p=17${tail}`,
    `$argon2id$v=19$m=7,t=1,p=1${tail}`,
    `$argon2id$v=19$m=1024,t=0,p=1${tail}`,
    `$argon2id$v=19$m=1024,t=1,p=0${tail}`,
    `$argon2id$v=19$m=1024,t=1,p=1$${zeros(65)}$${zeros(32)}`,
    `$argon2id$v=19$m=1024,t=1,p=1$${zeros(16)}$${zeros(65)}`,
    `$argon2id$v=19$m=1024,t=1,p=1$${zeros(7)}$${zeros(32)}`,
    `$argon2id$v=19$m=1024,t=1,p=1$${zeros(16)}$${zeros(11)}`,
    `$scrypt$ln=30,r=8,p=1${tail}`,
    `pbkdf2_sha256$4294967295$salt$${Buffer.alloc(32).toString('base64')}`,
    '$2b$31$abcdefghijklmnopqrstuu5s5/a/SjKXbNPcE0BbLZKO1jpKGUEgi',
    `$6$rounds=9999999$salt$${'.'.repeat(86)}`,
    '$P$zabcdefgh......................',
    `$strongroom-wrapped$${Buffer.from(`pbkdf2_sha256$4294967295$salt$${Buffer.alloc(32).toString('base64')}`).toString('base64url')}$argon2id$v=19$m=1024,t=1,p=1${tail}`,
    `$argon2id$${'v'.repeat(100_000)}`,
  ]) {
    requests.length = 0
    expect(await counting.verify(PASSWORD, stored)).toEqual({ valid: false })
    expect(requests.map(({ memoryKiB, passes }) => [memoryKiB, passes])).toEqual([[1024, 1]])
    await expect(counting.wrapLegacy(stored)).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
  }
})

test('a stored hash that needs more than the memory budget is not computed', async () => {
  const { engine, requests } = await countingEngine()
  const counting = argon2id({ ...small, engine, admission: { memoryMiB: 1 } })
  const stored = `$argon2id$v=19$m=1025,t=1,p=1$${zeros(16)}$${zeros(32)}`
  expect(await counting.verify(PASSWORD, stored)).toEqual({ valid: false })
  expect(requests.map(({ memoryKiB }) => memoryKiB)).toEqual([1024])
})

test('a wrapped hash is neither wrapped again nor is a strong one wrapped', async () => {
  const strong = await argon2id({ preset: 'owasp-minimum' }).hash(PASSWORD)
  await expect(hasher.wrapLegacy(strong)).rejects.toThrow(/strong already/)
  const wrapped = await hasher.wrapLegacy('{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=')
  await expect(hasher.wrapLegacy(wrapped)).rejects.toThrow(/wrapped already/)
  const answer = await hasher.verify('password', wrapped)
  expect(answer.valid).toBe(true)
  expect(answer.rehash).toMatch(/^\$argon2id\$/)
})

test('a wrapped hash does not hold the old digest', async () => {
  const digest = 'W6ph5Mm5Pz8GgiULbPgzG37mj9g='
  const wrapped = await hasher.wrapLegacy(`{SHA}${digest}`)
  const settings = Buffer.from(wrapped.split('$')[2] as string, 'base64url').toString()
  expect(settings).toBe(`{SHA}${Buffer.alloc(20).toString('base64')}`)
  expect(wrapped).not.toContain(digest.slice(4, 12))
})

test('without legacy schemes, Argon2 alone is read', async () => {
  const strict = argon2id({ ...small, legacy: [] })
  expect(await strict.verify('password', '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=')).toEqual({ valid: false })
  expect(await hasher.verify('password', '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=')).toMatchObject({ valid: true })
})

test('peppered text without a pepper is an error that says so, not a wrong password', async () => {
  await expect(hasher.verify(PASSWORD, 'sr1_AAAA')).rejects.toThrow(/peppered/)
  expect(() => hasher.needsRehash('sr1_AAAA')).toThrow(/peppered/)
})

test('200 logins at once are all answered, within the memory budget', async () => {
  const { engine, requests } = await countingEngine()
  let inFlight = 0
  let most = 0
  const watched = {
    ...engine,
    hash: async (request: Parameters<typeof engine.hash>[0]) => {
      most = Math.max(most, ++inFlight)
      return engine.hash(request).finally(() => inFlight--)
    },
  }
  const busy = argon2id({ ...small, engine: watched, admission: { memoryMiB: 2, concurrency: 8, queue: 200 } })
  const stored = await busy.hash(PASSWORD)
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => busy.verify(i % 2 === 0 ? PASSWORD : 'wrong', stored)),
  )
  expect(answers.filter(({ valid }) => valid).length).toBe(100)
  expect(most).toBe(2)
  expect(requests.length).toBe(201)
})
