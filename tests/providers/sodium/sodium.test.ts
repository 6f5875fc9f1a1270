import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import fc from 'fast-check'
import { argon2id } from 'hash-wasm'
import { afterAll, describe, expect, test } from 'vitest'
import { createKeyFile, sodiumKms } from '../../../providers/sodium/index.ts'
import { readKeyFile } from '../../../providers/sodium/key-file.ts'
import { encodeKeyText, parseKeyText } from '../../../providers/sodium/key-text.ts'
import { kmsConformance } from '../../../providers/testing/index.ts'
import { lengthPrefixed } from '../../../src/bytes.ts'
import { encodeContext } from '../../../src/crypto/context.ts'

const folder = mkdtempSync(join(tmpdir(), 'strongroom-sodium-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const fresh = () => join(folder, `${files++}.key`)
const cost = { memoryKiB: 19_456, passes: 2, parallelism: 1 }
const passphrase = 'correct horse battery staple'
const key = new Uint8Array(32).fill(5)
const context = { tenant: 'acme' }
const made = async (options: { passphrase?: string } = {}) => {
  const path = fresh()
  await createKeyFile({ path, cost, ...options })
  return path
}
const edit = (path: string, change: (text: string) => string) => writeFileSync(path, change(readFileSync(path, 'utf8')))

describe('a raw key file', async () => {
  const [path, otherPath] = [await made(), await made()]
  const secrets = [readKeyFile(path).key as Uint8Array]
  const cases = kmsConformance(async () => ({
    provider: sodiumKms({ path }),
    other: sodiumKms({ path: otherPath }),
    secrets,
  }))
  for (const { name, run } of cases) test(name, run)
})

describe('a key file locked by a passphrase', async () => {
  const [path, otherPath] = [await made({ passphrase }), await made({ passphrase })]
  const provider = sodiumKms({ path, passphrase })
  const other = sodiumKms({ path: otherPath, passphrase: async () => passphrase })
  for (const { name, run } of kmsConformance(async () => ({ provider, other, secrets: [Buffer.from(passphrase)] })))
    test(name, run)

  test('asks for its passphrase once, at first use', async () => {
    let asked = 0
    const kms = sodiumKms({ path, passphrase: () => String(++asked && passphrase) })
    expect(kms.accepts({ provider: 'sodium', keyId: kms.keyId, ciphertext: key })).toBe(true)
    expect(asked).toBe(0)
    await Promise.all(Array.from({ length: 5 }, () => kms.wrap(key, { context })))
    expect(asked).toBe(1)
  })

  test('opens with the same passphrase typed in another Unicode form', async () => {
    const at = await made({ passphrase: 'caf\u00e9' })
    const wrapped = await sodiumKms({ path: at, passphrase: 'cafe\u0301' }).wrap(key, { context })
    expect([...(await sodiumKms({ path: at, passphrase: 'caf\u00e9' }).unwrap(wrapped, { context }))]).toEqual([...key])
  })

  test('opens after a wrong passphrase was tried, and a failure is not kept', async () => {
    let answer = 'wrong'
    const kms = sodiumKms({ path, passphrase: () => answer })
    await expect(kms.wrap(key, { context })).rejects.toMatchObject({ code: 'ERR_KEY_FILE', fault: 'wrong-passphrase' })
    answer = passphrase
    await expect(kms.wrap(key, { context })).resolves.toMatchObject({ keyId: kms.keyId })
  })

  test('is not opened without one', async () => {
    await expect(sodiumKms({ path }).wrap(key, { context })).rejects.toMatchObject({ fault: 'passphrase-required' })
  })

  test('refuses an empty passphrase, a very long one and other types', async () => {
    for (const bad of ['', 'x'.repeat(1025), '\ud800', 7 as never]) {
      await expect(createKeyFile({ path: fresh(), cost, passphrase: bad })).rejects.toThrow(TypeError)
    }
  })

  test('does not hold the key in any readable form, and prints nothing of it', async () => {
    const at = await made({ passphrase })
    const text = readFileSync(at, 'utf8')
    expect(text).not.toContain('sr_sk1')
    expect(text).not.toContain(passphrase)
    expect(inspect(sodiumKms({ path: at, passphrase }), { showHidden: true, depth: 10 })).not.toContain(passphrase)
  })

  test('is opened by other implementations of Argon2id and XChaCha20-Poly1305', async () => {
    const file = JSON.parse(readFileSync(path, 'utf8'))
    const box = Buffer.from(file.box, 'base64url')
    const lockingKey = await argon2id({
      password: passphrase,
      salt: Buffer.from(file.salt, 'base64url'),
      memorySize: cost.memoryKiB,
      iterations: cost.passes,
      parallelism: cost.parallelism,
      hashLength: 32,
      outputType: 'binary',
    })
    const header = lengthPrefixed(['strongroom-key-file', '1', file.id, file.created])
    const secret = xchacha20poly1305(lockingKey, box.subarray(0, 24), header).decrypt(box.subarray(24))
    const { ciphertext } = await provider.wrap(key, { context })
    const aad = lengthPrefixed(['strongroom/v1/sodium', file.id, encodeContext(context)])
    const opened = xchacha20poly1305(secret, ciphertext.subarray(0, 24), aad).decrypt(ciphertext.subarray(24))
    expect([...opened]).toEqual([...key])
  })
})

describe('a key file', () => {
  test('is made for its owner alone, and never over another file', async () => {
    const path = await made()
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const before = readFileSync(path)
    await expect(createKeyFile({ path })).rejects.toMatchObject({ code: 'ERR_KEY_FILE', fault: 'exists' })
    expect(readFileSync(path)).toEqual(before)
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp') || name.split('.').length > 2)).toEqual([])
  })

  test('that others can read is refused, with what to type', async () => {
    const path = await made()
    for (const mode of [0o640, 0o604, 0o644, 0o660, 0o610]) {
      chmodSync(path, mode)
      const error = await sodiumKms({ path })
        .wrap(key, { context })
        .catch((thrown) => thrown)
      expect(error).toMatchObject({ fault: 'permissions', message: expect.stringContaining(`chmod 600 ${path}`) })
    }
    for (const mode of [0o600, 0o400]) {
      chmodSync(path, mode)
      await sodiumKms({ path }).wrap(key, { context })
    }
  })

  test('that is missing, or whose folder is, says so', async () => {
    await expect(sodiumKms({ path: fresh() }).wrap(key, { context })).rejects.toMatchObject({ fault: 'missing' })
    await expect(createKeyFile({ path: join(folder, 'no', 'x') })).rejects.toMatchObject({ fault: 'missing' })
  })

  test('is damaged, not locked by another passphrase, whichever character changed or wherever it is cut', async () => {
    for (const options of [{}, { passphrase }]) {
      const path = await made(options)
      const whole = readFileSync(path, 'utf8')
      for (let at = 0; at < whole.length; at++) {
        const changed = [
          whole.slice(0, at) + String.fromCharCode(whole.charCodeAt(at) ^ 1) + whole.slice(at + 1),
          whole.slice(0, at),
        ]
        for (const text of changed) {
          writeFileSync(path, text)
          await expect(sodiumKms({ path, passphrase }).wrap(key, { context })).rejects.toMatchObject({
            fault: 'damaged',
          })
        }
      }
    }
  })

  test.each([
    ['memoryKiB', 8],
    ['memoryKiB', 4_294_967_295],
    ['memoryKiB', 1e308],
    ['passes', 0],
    ['passes', 1_000_000],
    ['parallelism', 255],
    ['parallelism', 1.5],
  ])('with a hostile cost (%s %d) is refused before any work', async (name, value) => {
    const { createHash } = await import('node:crypto')
    const path = await made({ passphrase })
    edit(path, (text) => {
      const { checksum: _, ...fields } = JSON.parse(text)
      fields.argon2id[name] = value
      const checksum = createHash('sha256').update(JSON.stringify(fields)).digest('hex').slice(0, 16)
      return `${JSON.stringify({ ...fields, checksum }, null, 2)}\n`
    })
    const started = performance.now()
    await expect(sodiumKms({ path, passphrase }).wrap(key, { context })).rejects.toMatchObject({ fault: 'damaged' })
    expect(performance.now() - started).toBeLessThan(100)
  })

  test.each(['', '{}', 'null', '[]', '{"strongroom-key-file":1,"__proto__":{}}', 'x'.repeat(20_000)])(
    'is damaged when it is %j',
    async (text) => {
      const path = await made()
      writeFileSync(path, text)
      await expect(sodiumKms({ path }).wrap(key, { context })).rejects.toMatchObject({ fault: 'damaged' })
    },
  )

  test('whose key was wiped by close works no more', async () => {
    const kms = sodiumKms({ path: await made() })
    const wrapped = await kms.wrap(key, { context })
    await kms.close?.()
    await expect(kms.unwrap(wrapped, { context })).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })
})

describe('a key text', () => {
  test('is one text for one key, and no other text is taken', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.nat(200),
        fc.integer({ min: 1, max: 127 }),
        (bytes, at, flip) => {
          const text = encodeKeyText('secretKey', bytes)
          assert.match(text, /^sr_sk1_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/)
          assert(Buffer.from(bytes).equals(parseKeyText('secretKey', text) as Buffer))
          const place = at % text.length
          const changed =
            text.slice(0, place) + String.fromCharCode(text.charCodeAt(place) ^ flip) + text.slice(place + 1)
          assert.equal(parseKeyText('secretKey', changed), undefined)
          assert.equal(parseKeyText('sealedBoxSecret', text), undefined)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('above 256 bits is refused', () => {
    expect(parseKeyText('secretKey', `sr_sk1_${'z'.repeat(43)}_000000`)).toBeUndefined()
  })
})
