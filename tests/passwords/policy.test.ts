import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { type BreachedPasswordsOptions, breachedPasswords } from '../../src/passwords/breached-passwords.ts'
import { commonPasswords } from '../../src/passwords/common-passwords.ts'
import { passwordPolicy, wordList } from '../../src/passwords/policy.ts'

const GOOD = 'correct horse battery staple'

test('the least length is 15 code points alone and 8 beside another factor', async () => {
  const single = passwordPolicy()
  const multi = passwordPolicy({ factors: 'multi' })
  expect(await single.check('x'.repeat(14))).toEqual({ accepted: false, fault: 'too-short' })
  expect(await single.check('x'.repeat(15))).toEqual({ accepted: true })
  expect(await multi.check('☃'.repeat(7))).toEqual({ accepted: false, fault: 'too-short' })
  expect(await multi.check('🦉'.repeat(7))).toEqual({ accepted: false, fault: 'too-short' })
  expect(await multi.check('🦉'.repeat(8))).toEqual({ accepted: true })
  expect(await multi.check('e\u0301'.repeat(7))).toEqual({ accepted: false, fault: 'too-short' })
})

test('64 characters and many more are permitted, 1,024 bytes are the end', async () => {
  const policy = passwordPolicy()
  expect(await policy.check('x'.repeat(1024))).toEqual({ accepted: true })
  expect(await policy.check('x'.repeat(1025))).toEqual({ accepted: false, fault: 'too-long' })
  expect(await policy.check('x'.repeat(1_000_000))).toEqual({ accepted: false, fault: 'too-long' })
  expect(await policy.check(`${'x'.repeat(20)}\ud800`)).toEqual({ accepted: false, fault: 'malformed' })
  await expect(policy.check(7 as unknown as string)).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
  for (const wrong of [{ minLength: 7 }, { minLength: 65 }, { factors: 'none' as 'single' }]) {
    expect(() => passwordPolicy(wrong)).toThrow()
  }
})

test('the words of the user and of the service are blocked, whole and in any case', async () => {
  const policy = passwordPolicy({ blocklists: [wordList(['Strongroom Limited'], 'service')] })
  const words = ['ada.lovelace@example.com']
  expect(await policy.check('Ada.Lovelace@Example.COM', words)).toEqual({
    accepted: false,
    fault: 'blocked',
    list: 'words',
  })
  expect(await policy.check('strongroom limited')).toEqual({ accepted: false, fault: 'blocked', list: 'service' })
  expect(await policy.check('strongroom limited and more', words)).toEqual({ accepted: true })
})

test('common passwords are known offline', async () => {
  const policy = passwordPolicy({ factors: 'multi', blocklists: [commonPasswords()] })
  for (const common of ['password1', 'Password1', 'qwertyuiop']) {
    expect(await policy.check(common)).toEqual({ accepted: false, fault: 'blocked', list: 'common-passwords' })
  }
  expect(await policy.check(GOOD)).toEqual({ accepted: true })
})

test('a breached password is found by its range, and the service sees five characters of its hash alone', async () => {
  const hash = createHash('sha1').update(GOOD).digest('hex').toUpperCase()
  const asked: string[] = []
  const fetch: BreachedPasswordsOptions['fetch'] = async (url, init) => {
    asked.push(url)
    expect(init.headers).toEqual({ 'Add-Padding': 'true' })
    expect(init.redirect).toBe('error')
    const suffix = url.endsWith(hash.slice(0, 5)) ? hash.slice(5) : 'F'.repeat(35)
    return { ok: true, status: 200, text: async () => `${'0'.repeat(35)}:0\r\n${suffix}:7\r\n${'1'.repeat(35)}:2` }
  }
  expect(await breachedPasswords({ fetch }).has(GOOD)).toBe(true)
  expect(await breachedPasswords({ fetch, minCount: 8 }).has(GOOD)).toBe(false)
  expect(await breachedPasswords({ fetch }).has('another')).toBe(false)
  expect(asked[0]).toBe(`https://api.pwnedpasswords.com/range/${hash.slice(0, 5)}`)
  expect(asked.join()).not.toContain(hash.slice(5, 11))
})

test('a padding line is no hit', async () => {
  const hash = createHash('sha1').update(GOOD).digest('hex').toUpperCase()
  const fetch = async () => ({ ok: true, status: 200, text: async () => `${hash.slice(5)}:0` })
  expect(await breachedPasswords({ fetch }).has(GOOD)).toBe(false)
})

const answers: [string, BreachedPasswordsOptions['fetch']][] = [
  ['fails', () => Promise.reject(new Error('no network'))],
  ['answers 503', async () => ({ ok: false, status: 503, text: async () => '' })],
  ['answers a page', async () => ({ ok: true, status: 200, text: async () => '<html>blocked by the proxy</html>' })],
  ['answers nothing', async () => ({ ok: true, status: 200, text: async () => '' })],
  ['answers far too much', async () => ({ ok: true, status: 200, text: async () => 'x'.repeat(2_000_000) })],
  [
    'hangs',
    (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  ],
]
test.each(answers)('a service that %s is an error, or accepted where that was chosen', async (_, fetch) => {
  const options = { fetch, timeoutMs: 20 }
  await expect(breachedPasswords(options).has(GOOD)).rejects.toMatchObject({ code: 'ERR_BLOCKLIST_UNAVAILABLE' })
  expect(await breachedPasswords({ ...options, ifUnavailable: 'accept' }).has(GOOD)).toBe(false)
})

test('a service over plain http or options of another shape are refused', () => {
  const fetch = async () => ({ ok: true, status: 200, text: async () => '' })
  for (const wrong of [
    { url: 'http://example.com/' },
    { timeoutMs: 0 },
    { minCount: 0 },
    { ifUnavailable: 'x' as 'throw' },
  ]) {
    expect(() => breachedPasswords({ fetch, ...wrong })).toThrow()
  }
  expect(() => breachedPasswords({} as BreachedPasswordsOptions)).toThrow(/fetch must be a function/)
})
