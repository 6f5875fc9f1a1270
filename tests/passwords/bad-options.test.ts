import { describe, expect, test } from 'vitest'
import {
  argon2id,
  breachedPasswords,
  calibrateArgon2id,
  firebaseHash,
  firebaseScrypt,
  passwordPolicy,
  rawDigest,
  replaceHashSql,
  verifyAndUpgrade,
  withPepper,
  wordList,
} from '../../src/index.ts'
import { passwordCandidates } from '../../src/passwords/password-bytes.ts'
import { small } from './fixtures.ts'

const hasher = argon2id(small)
const pepper = { encrypt: (hash: string) => `sr1_${hash}`, decrypt: (stored: string) => stored, isCurrent: () => true }
const peppered = withPepper(hasher, pepper)
const attempt = { password: 'x', stored: undefined, replace: async () => true }
const notOptions: readonly unknown[] = [null, 5, 5n, true, 'x', Symbol('s'), [], () => {}, new Date(), new Map()]
const notText: readonly unknown[] = [null, 5, 5n, true, Symbol('s'), [], {}, () => {}, '\ud800']
const notList: readonly unknown[] = [null, 5, true, Symbol('s'), {}, () => {}]
const notSignal: readonly unknown[] = [null, 5, 'x', {}, () => {}]

const calls: Record<string, [readonly unknown[], (bad: never) => unknown]> = {
  'argon2id options': [notOptions, (bad) => argon2id(bad)],
  'argon2id admission': [notOptions, (bad) => argon2id({ ...small, admission: bad })],
  'argon2id legacy': [[...notList, [5], [{}]], (bad) => argon2id({ ...small, legacy: bad })],
  'argon2id onUnreadable': [[null, 5, 'x', {}], (bad) => argon2id({ ...small, onUnreadable: bad })],
  'hash options': [notOptions, (bad) => hasher.hash('x', bad)],
  'hash key': [notText, (bad) => hasher.hash('x', { key: bad })],
  'hash userId': [notText, (bad) => hasher.hash('x', { userId: bad })],
  'hash signal': [notSignal, (bad) => hasher.hash('x', { signal: bad })],
  'verify options': [notOptions, (bad) => hasher.verify('x', undefined, bad)],
  'verify signal': [notSignal, (bad) => hasher.verify('x', undefined, { signal: bad })],
  'wrapLegacy options': [notOptions, (bad) => hasher.wrapLegacy('{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', bad)],
  needsRehash: [notText, (bad) => hasher.needsRehash(bad)],
  inspect: [notText, (bad) => hasher.inspect(bad)],
  'withPepper hasher': [[...notOptions, {}], (bad) => withPepper(bad, pepper)],
  'withPepper pepper': [[...notOptions, {}], (bad) => withPepper(hasher, bad)],
  'withPepper options': [notOptions, (bad) => withPepper(hasher, pepper, bad)],
  'peppered needsRehash': [notText, (bad) => peppered.needsRehash(bad)],
  'peppered wrapLegacy': [notText, (bad) => peppered.wrapLegacy(bad, { userId: 'u' })],
  'peppered reencrypt': [notText, (bad) => peppered.reencrypt(bad, { userId: 'u' })],
  'verifyAndUpgrade hasher': [[...notOptions, {}], (bad) => verifyAndUpgrade(bad, attempt)],
  'verifyAndUpgrade attempt': [notOptions, (bad) => verifyAndUpgrade(hasher, bad)],
  'verifyAndUpgrade replace': [[null, 5, 'x', {}], (bad) => verifyAndUpgrade(hasher, { ...attempt, replace: bad })],
  'replaceHashSql column': [notOptions, (bad) => replaceHashSql(bad)],
  'replaceHashSql names': [[...notText, ''], (bad) => replaceHashSql({ table: bad, id: 'id', column: 'hash' })],
  'passwordPolicy options': [notOptions, (bad) => passwordPolicy(bad)],
  'passwordPolicy blocklists': [[...notList, [5]], (bad) => passwordPolicy({ blocklists: bad })],
  'policy words': [[...notList, 'x', [5]], (bad) => passwordPolicy().check('correct horse battery staple', bad)],
  wordList: [[...notList, [5], ['\ud800']], (bad) => wordList(bad)],
  'wordList has': [notText, (bad) => wordList(['x']).has(bad)],
  breachedPasswords: [[...notOptions, undefined, {}], (bad) => breachedPasswords(bad)],
  'breachedPasswords has': [
    notText,
    (bad) => breachedPasswords({ fetch: () => Promise.reject(new Error('asked')) }).has(bad),
  ],
  'calibrateArgon2id options': [notOptions, (bad) => calibrateArgon2id(bad)],
  'calibrateArgon2id memoryKiB': [[...notList, ['x']], (bad) => calibrateArgon2id({ memoryKiB: bad })],
  rawDigest: [[...notOptions, undefined, {}], (bad) => rawDigest(bad)],
  firebaseScrypt: [[...notOptions, undefined, {}], (bad) => firebaseScrypt(bad)],
  firebaseHash: [notText, (bad) => firebaseHash(bad, 'AAAA')],
}

describe('wrong types are a TypeError that says what was received, before any work', () => {
  test.each(Object.entries(calls))('%s', async (_, [wrong, call]) => {
    for (const bad of wrong) {
      await expect((async () => call(bad as never))(), `${typeof bad} ${String(bad)}`).rejects.toSatisfy(
        (error) => error instanceof TypeError && (error as { code?: string }).code === 'ERR_INVALID_INPUT',
      )
    }
  })
})

test('a password is tried in no form that is longer than 1,024 bytes', () => {
  const swells = '\ufdfa'.repeat(341) // 1,023 bytes, and 11,253 in NFKC
  expect(passwordCandidates(swells, 'NFC').map((form) => form.byteLength)).toEqual([1023])
})
