import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { DecryptionError, KmsError } from '../../src/errors.ts'
import { argon2id } from '../../src/passwords/argon2id.ts'
import { type PasswordPepper, withPepper } from '../../src/passwords/pepper.ts'
import { costOf, countingEngine, small } from './fixtures.ts'

const PASSWORD = 'correct horse battery staple'
const plain = argon2id(small)

/** A pepper with rotating keys: AES-GCM, the user id as associated data. */
function rotatingPepper(): PasswordPepper & { rotate(): void } {
  const keys = [randomBytes(32)]
  return {
    rotate: () => void keys.push(randomBytes(32)),
    isCurrent: (stored) => stored.startsWith(`sr1_${keys.length - 1}.`),
    async encrypt(hash, userId) {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', keys.at(-1) as Buffer, nonce).setAAD(Buffer.from(userId))
      const body = Buffer.concat([nonce, cipher.update(hash, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `sr1_${keys.length - 1}.${body.toString('base64url')}`
    },
    decrypt(stored, userId) {
      const [, version, text] = /^sr1_(\d+)\.(.*)$/.exec(stored) ?? []
      const body = Buffer.from(text ?? '', 'base64url')
      try {
        const decipher = createDecipheriv('aes-256-gcm', keys[Number(version)] as Buffer, body.subarray(0, 12))
        decipher.setAAD(Buffer.from(userId)).setAuthTag(body.subarray(-16))
        return decipher.update(body.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8')
      } catch {
        throw new DecryptionError()
      }
    },
  }
}

test('the stored value shows nothing of the hash, and verifies for its user alone', async () => {
  const hasher = withPepper(plain, rotatingPepper())
  const stored = await hasher.hash(PASSWORD, { userId: 'ada' })
  expect(stored).toMatch(/^sr1_/)
  expect(await hasher.verify(PASSWORD, stored, { userId: 'ada' })).toEqual({ valid: true })
  expect(await hasher.verify('wrong', stored, { userId: 'ada' })).toEqual({ valid: false })
  expect(await hasher.verify(PASSWORD, stored, { userId: 'eve' })).toEqual({ valid: false })
  expect(await hasher.verify(PASSWORD, `${stored.slice(0, -2)}AA`, { userId: 'ada' })).toEqual({ valid: false })
  expect(await hasher.verify(PASSWORD, undefined, { userId: 'ada' })).toEqual({ valid: false })
})

test('a moved hash, a damaged one and an unknown user do the same work', async () => {
  const { engine, requests } = await countingEngine()
  const hasher = withPepper(argon2id({ ...small, engine }), rotatingPepper())
  const stored = await hasher.hash(PASSWORD, { userId: 'ada' })
  const work = async (value: string | undefined, userId: string) => {
    requests.length = 0
    expect(await hasher.verify('wrong', value, { userId })).toEqual({ valid: false })
    return requests.map(costOf)
  }
  const known = await work(stored, 'ada')
  expect(known.length).toBe(1)
  for (const [value, userId] of [
    [stored, 'eve'],
    ['sr1_0.AAAA', 'ada'],
    [undefined, 'ada'],
  ] as const) {
    expect(await work(value, userId)).toEqual(known)
  }
})

test('an unknown user is decrypted for, and fails without the key, as a known one', async () => {
  const inner = rotatingPepper()
  let decrypted = 0
  let away = false
  const decrypt: PasswordPepper['decrypt'] = (stored, userId) => {
    if (away) throw new KmsError('pepper', 'unavailable', 'no answer')
    decrypted++
    return inner.decrypt(stored, userId)
  }
  const hasher = withPepper(plain, { ...inner, decrypt })
  const stored = await hasher.hash(PASSWORD, { userId: 'ada' })
  for (const rotated of [false, true]) {
    if (rotated) inner.rotate()
    for (const value of [stored, undefined]) {
      decrypted = 0
      expect(await hasher.verify('wrong', value, { userId: 'ada' })).toEqual({ valid: false })
      expect(decrypted).toBe(1)
    }
  }
  away = true
  for (const value of [stored, undefined]) {
    await expect(hasher.verify('wrong', value, { userId: 'ada' })).rejects.toMatchObject({ code: 'ERR_KMS' })
  }
})

test('every call needs the user id, except for an unknown user, who has none', async () => {
  const hasher = withPepper(plain, rotatingPepper())
  expect(await hasher.verify(PASSWORD, undefined)).toEqual({ valid: false })
  expect(await hasher.verify(PASSWORD, null)).toEqual({ valid: false })
  for (const options of [undefined, {}, { userId: '' }, { userId: 7 as unknown as string }]) {
    await expect(hasher.hash(PASSWORD, options)).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
    await expect(hasher.verify(PASSWORD, 'sr1_0.AAAA', options)).rejects.toMatchObject({ code: 'ERR_INVALID_INPUT' })
    await expect(hasher.wrapLegacy('{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', options)).rejects.toMatchObject({
      code: 'ERR_INVALID_INPUT',
    })
  }
})

test('rolled out over a table of plain and old hashes, each becomes peppered at its next login', async () => {
  const hasher = withPepper(plain, rotatingPepper())
  const stored = await plain.hash(PASSWORD)
  expect(hasher.needsRehash(stored)).toBe(true)
  const { valid, rehash } = await hasher.verify(PASSWORD, stored, { userId: 'ada' })
  expect(valid).toBe(true)
  expect(rehash).toMatch(/^sr1_/)
  expect(await hasher.verify(PASSWORD, rehash, { userId: 'ada' })).toEqual({ valid: true })
  const old = await hasher.verify('password', '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', { userId: 'ada' })
  expect(old).toMatchObject({ valid: true, rehash: expect.stringMatching(/^sr1_/) })
})

test('once the table is peppered throughout, plain hashes can be refused, so that nobody plants one', async () => {
  const pepper = rotatingPepper()
  const { engine, requests } = await countingEngine()
  const hasher = withPepper(argon2id({ ...small, engine }), pepper, { mode: 'only' })
  const planted = await plain.hash('planted')
  expect(await hasher.verify('planted', planted, { userId: 'ada' })).toEqual({ valid: false })
  expect(requests.length).toBe(1)
  const stored = await hasher.hash(PASSWORD, { userId: 'ada' })
  expect(await hasher.verify(PASSWORD, stored, { userId: 'ada' })).toEqual({ valid: true })
})

test('taken off, peppered hashes are still read and become plain at the next login', async () => {
  const pepper = rotatingPepper()
  const stored = await withPepper(plain, pepper).hash(PASSWORD, { userId: 'ada' })
  const retiring = withPepper(plain, pepper, { mode: 'retire' })
  expect(retiring.needsRehash(stored)).toBe(true)
  const { valid, rehash } = await retiring.verify(PASSWORD, stored, { userId: 'ada' })
  expect(valid).toBe(true)
  expect(await plain.verify(PASSWORD, rehash)).toEqual({ valid: true })
  expect(await retiring.verify(PASSWORD, rehash, { userId: 'ada' })).toEqual({ valid: true })
  await expect(plain.verify(PASSWORD, stored)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
})

test('after a rotation the old key still reads, and the hash is written under the new one', async () => {
  const pepper = rotatingPepper()
  const hasher = withPepper(plain, pepper)
  const stored = await hasher.hash(PASSWORD, { userId: 'ada' })
  expect(hasher.needsRehash(stored)).toBe(false)
  pepper.rotate()
  expect(hasher.needsRehash(stored)).toBe(true)
  const { rehash } = await hasher.verify(PASSWORD, stored, { userId: 'ada' })
  expect(rehash).toMatch(/^sr1_1/)
  // Offline, as a re-encryption does it, without a password:
  const offline = await pepper.encrypt(await pepper.decrypt(stored, 'ada'), 'ada')
  expect(await hasher.verify(PASSWORD, offline, { userId: 'ada' })).toEqual({ valid: true })
})

test('an old hash is wrapped under Argon2id and the pepper at once', async () => {
  const hasher = withPepper(plain, rotatingPepper())
  const wrapped = await hasher.wrapLegacy('{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', { userId: 'ada' })
  expect(wrapped).toMatch(/^sr1_/)
  expect(await hasher.verify('password', wrapped, { userId: 'ada' })).toMatchObject({ valid: true })
  expect(await hasher.verify('password', wrapped, { userId: 'eve' })).toEqual({ valid: false })
})

test('a pepper that cannot be reached is an error, not a wrong password', async () => {
  const down = { ...rotatingPepper(), decrypt: () => Promise.reject(new Error('the key service is down')) }
  await expect(withPepper(plain, down).verify(PASSWORD, 'sr1_0.AAAA', { userId: 'ada' })).rejects.toThrow('is down')
  expect(() => withPepper(plain, down, { mode: 'off' as 'on' })).toThrow(/mode must be/)
})
