import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { createKeyStoreFile, fileKeyStore } from '../../providers/file/index.ts'
import { rawAes } from '../../providers/raw/index.ts'
import { recoveryKms } from '../../providers/sodium/index.ts'
import { run } from '../../src/cli/program.ts'
import { combineShares, encodeShare, parseShares, splitKey } from '../../src/cli/recovery-share.ts'
import { defineStrongroom } from '../../src/config.ts'
import { createRecoveryKey, parseRecoveryKeyText, publicOf, recoveryKeyText } from '../../src/crypto/recovery-key.ts'
import { ConfigError, InvalidInputError, KmsError } from '../../src/errors.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import { capture } from './capture.ts'

let folder: string
let config: string

beforeEach(async ({ onTestFinished }) => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-recovery-'))
  config = join(folder, 'strongroom.config.ts')
  await createKeyStoreFile({ path: join(folder, 'keys') })
  onTestFinished(() => rmSync(folder, { recursive: true }))
})

const kms = (name: string) => rawAes({ namespace: 'test', name, key: Buffer.alloc(32, name.charCodeAt(0)) })

/** A Strongroom over the file store under these services; null is no recovery key. */
function configure(service: string, publicKey: string | null) {
  const recovery = publicKey === null ? '' : `, recoveryKms({ publicKey: '${publicKey}' })`
  writeFileSync(
    config,
    `import { defineStrongroom } from 'strongroom'
import { fileKeyStore } from 'strongroom/file'
import { rawAes } from 'strongroom/raw'
import { recoveryKms } from 'strongroom/sodium'
export default defineStrongroom({
  name: 'billing',
  kms: [rawAes({ namespace: 'test', name: '${service}', key: Buffer.alloc(32, '${service}'.charCodeAt(0)) })${recovery}],
  store: fileKeyStore({ path: ${JSON.stringify(join(folder, 'keys'))} }),
})
`,
  )
  return defineStrongroom({
    name: 'billing',
    kms: [kms(service), ...(publicKey === null ? [] : [recoveryKms({ publicKey })])],
    store: fileKeyStore({ path: join(folder, 'keys') }),
  })
}

async function strongroom(args: string[], options: Parameters<typeof capture>[0] = {}) {
  const { streams, written } = capture(options)
  const code = await run([...args, '--config', config], streams)
  return { code, ...written }
}

const shareFile = (at: number) => join(folder, 'shares', `share-${at}.txt`)

/** Makes a recovery key of 5 shares, 3 of which open it. */
async function create(out = 'shares'): Promise<string> {
  const made = await strongroom([
    'recovery',
    'create',
    '--shares',
    '5',
    '--threshold',
    '3',
    '--out',
    join(folder, out),
    '--json',
  ])
  expect(made.code).toBe(0)
  return JSON.parse(made.stdout).publicKey
}

describe('a recovery key', () => {
  test('gets everything back when the KMS is lost, for root keys from after its shares were made as well', async () => {
    const publicKey = await create()
    const first = await openStrongroom(configure('one', publicKey), { init: true })
    const early = first.encrypt('written before', { context: { a: 'b' } })
    await first.keys.rotate({ purpose: 'root' })
    await first.keys.rewrap()
    await first.unlock([{ tenant: 'acme' }])
    const late = first.encrypt('written after', { context: { a: 'b' }, scope: { tenant: 'acme' } })
    await first.close()
    const before = readFileSync(join(folder, 'keys'))
    const rehearsed = await strongroom(['recovery', 'rehearse', shareFile(1), shareFile(3), shareFile(5)])
    expect(rehearsed).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/active +opens[\s\S]*the shares open every root key/),
    })
    expect(readFileSync(join(folder, 'keys'))).toEqual(before)

    // The service is gone: nothing opens any more.
    const lost = configure('two', publicKey)
    await expect(openStrongroom(lost)).rejects.toThrow(KmsError)
    const args = ['recovery', 'restore', shareFile(2), shareFile(4), shareFile(5)]
    expect(await strongroom(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') })
    const planned = await strongroom([...args, '--dry-run', '--json'])
    expect(JSON.parse(planned.stdout)).toMatchObject({
      dryRun: true,
      roots: [{ wraps: [{ keyId: 'one' }, {}] }, { wraps: [{ keyId: 'one' }, {}] }],
      wraps: [{ provider: 'test', keyId: 'two' }, { provider: 'recovery' }],
      keys: 0,
    })
    expect(readFileSync(join(folder, 'keys'))).toEqual(before)
    const restored = await strongroom([...args, '--yes', '--json'])
    expect([restored.code, JSON.parse(restored.stdout)]).toEqual([0, { roots: 2, keys: 0, missing: [] }])
    const second = await openStrongroom(configure('two', publicKey))
    await second.unlock([{ tenant: 'acme' }])
    expect(second.decrypt(early, { context: { a: 'b' } })).toBe('written before')
    expect(second.decrypt(late, { context: { a: 'b' }, scope: { tenant: 'acme' } })).toBe('written after')
    const [root] = await second.keys.list({ purpose: 'root', state: 'active' })
    expect(root?.wraps.map(({ provider }) => provider)).toEqual(['test', 'recovery'])
    await second.close()
    expect(await strongroom(['recovery', 'rehearse', shareFile(1), shareFile(2), shareFile(3)])).toMatchObject({
      code: 0,
    })
  })

  test('wraps root keys alone: no other record names it', async () => {
    const room = await openStrongroom(configure('one', await create()), { init: true })
    await room.unlock([{ tenant: 'acme', subject: '7' }])
    const keys = await room.keys.list()
    const wrapped = keys.filter((key) => key.wraps.some(({ provider }) => provider === 'recovery'))
    expect(wrapped.map(({ purpose }) => purpose)).toEqual(['root'])
    await room.close()
  })

  test('is never asked to open, and takes no part in sealed messages', async () => {
    const settings = configure('one', await create())
    const failures: string[] = []
    const room = await openStrongroom(
      { ...settings, onEvent: ({ type }) => type === 'kms.failed' && failures.push(type) },
      { init: true },
    )
    const sealed = await room.seal('report', { context: { kind: 'x' } })
    expect(Buffer.from(sealed).toString('latin1')).not.toContain('recovery')
    await room.keys.rewrap()
    await room.close()
    expect(failures).toEqual([])
    expect(await strongroom(['doctor'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is wrapped for it'),
    })
    expect(() =>
      defineStrongroom({ ...settings, kms: Array.isArray(settings.kms) ? settings.kms.slice(1) : [] }),
    ).toThrow(ConfigError)
  })

  test('says when a root key is not wrapped for it yet', async () => {
    await (await openStrongroom(configure('one', null), { init: true })).close()
    expect((await strongroom(['recovery', 'rehearse', shareFile(1)])).stderr).toContain('kms has no recovery key')
    configure('one', await create())
    const files = [shareFile(1), shareFile(2), shareFile(3)]
    const early = await strongroom(['recovery', 'rehearse', ...files])
    expect(early).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('not wrapped'),
      stderr: expect.stringContaining('hint: strongroom rewrap'),
    })
    expect(await strongroom(['doctor'])).toMatchObject({ code: 1 })
    expect(await strongroom(['rewrap'])).toMatchObject({ code: 0 })
    const late = await strongroom(['recovery', 'rehearse', ...files, '--json'])
    expect([late.code, JSON.parse(late.stdout).good]).toEqual([0, true])
  })
})

describe('shares', () => {
  test('are written for their owner alone, as text and as a QR code of the same text, and never over others', async () => {
    await create()
    const files = readdirSync(join(folder, 'shares')).sort()
    expect(files).toEqual([1, 2, 3, 4, 5].flatMap((at) => [`share-${at}.png`, `share-${at}.txt`]))
    for (const file of files) expect(statSync(join(folder, 'shares', file)).mode & 0o777).toBe(0o600)
    expect(
      readFileSync(join(folder, 'shares', 'share-1.png'))
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG')
    const again = await strongroom(['recovery', 'create', '--out', join(folder, 'shares')])
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('not empty') })
    for (const bad of [
      ['--shares', '1'],
      ['--shares', '17'],
      ['--threshold', '1'],
      ['--shares', '2', '--threshold', '3'],
    ]) {
      expect(await strongroom(['recovery', 'create', '--out', join(folder, 'x'), ...bad]), bad.join(' ')).toMatchObject(
        { code: 2 },
      )
    }
  })

  test('too few, of another set, edited, mixed up or of another key are refused, each with its reason', async () => {
    const publicKey = await create()
    await create('others')
    await (await openStrongroom(configure('one', publicKey), { init: true })).close()
    const other = (at: number) => join(folder, 'others', `share-${at}.txt`)
    const rehearse = async (...files: string[]) => (await strongroom(['recovery', 'rehearse', ...files])).stderr
    expect(await rehearse(shareFile(1), shareFile(2))).toContain('3 different shares are needed, and 2 were given')
    expect(await rehearse(shareFile(1), shareFile(2), shareFile(2))).toContain('and 2 were given')
    expect(await rehearse(shareFile(1), shareFile(2), other(3))).toContain('shares of 2 recovery keys')
    expect(await rehearse(other(1), other(2), other(3))).toContain('which is not in kms')
    const line = /SRSHARE1-\S+/.exec(readFileSync(shareFile(1), 'utf8'))?.[0] as string
    const typo = join(folder, 'typo')
    for (const wrong of [
      line.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
      line.replace('-3-5-1-', '-3-5-2-'),
    ]) {
      writeFileSync(typo, wrong)
      expect(await rehearse(typo, shareFile(2), shareFile(3))).toContain('copied wrongly')
    }
    for (const none of ['', 'SRSHARE1-', line.slice(0, -1), line.replace('SRSHARE1', 'SRSHARE2')]) {
      writeFileSync(typo, none)
      expect(await rehearse(typo)).toContain('holds no share')
    }
    expect(await rehearse(join(folder, 'absent'))).toContain('ENOENT')
    expect(await rehearse()).toContain('no shares were given')
    writeFileSync(typo, [1, 2, 3].map((at) => readFileSync(shareFile(at), 'utf8').toLowerCase()).join('\n'))
    expect(await rehearse(typo)).not.toContain('share')
  })

  test('can be typed, or come from stdin', async () => {
    const publicKey = await create()
    await (await openStrongroom(configure('one', publicKey), { init: true })).close()
    const lines = [2, 3, 4].map((at) => /SRSHARE1-\S+/.exec(readFileSync(shareFile(at), 'utf8'))?.[0] as string)
    const typed = await strongroom(['recovery', 'rehearse'], {
      tty: true,
      input: lines.map((line) => `${line}\r`).join(''),
    })
    expect([typed.code, typed.stderr]).toEqual([0, expect.stringContaining('share 3 of 3')])
    expect(typed.stdout + typed.stderr).not.toContain('SRSHARE1')
    expect(await strongroom(['recovery', 'rehearse', '-'], { input: lines.join('\n') })).toMatchObject({ code: 0 })
  })

  test('a share that somebody changed together with its checksum gives no key: the result must be the one that is named', async () => {
    const { privateKey } = createRecoveryKey()
    const shares = await splitKey(privateKey, 5, 3)
    const [first, second, third] = shares as [(typeof shares)[0], (typeof shares)[0], (typeof shares)[0]]
    expect(Buffer.from(await combineShares([third, first, second]))).toEqual(privateKey)
    const forged = { ...first, data: Uint8Array.from(first.data, (byte, at) => (at === 4 ? byte ^ 1 : byte)) }
    const reread = parseShares(encodeShare(forged), 'a test')
    expect(reread).toEqual([forged])
    await expect(combineShares([...reread, second, third])).rejects.toThrow('one of them is wrong')
    await expect(combineShares([{ ...first, threshold: 2 }, second, third])).rejects.toThrow('one of them is wrong')
    await expect(combineShares([])).rejects.toThrow('no share')
    for (const share of shares) expect(parseShares(encodeShare(share), 'a test')).toEqual([share])
  })
})

test('the text of a public key has a checksum, and the provider takes nothing else', () => {
  const { privateKey, publicKey } = createRecoveryKey()
  const text = recoveryKeyText(publicKey)
  expect(parseRecoveryKeyText(text)).toEqual(publicKey)
  expect(publicOf(privateKey)).toEqual(publicKey)
  for (const bad of [text.replace(/.$/, (last) => (last === '0' ? '1' : '0')), text.slice(1), '', publicKey as never]) {
    expect(() => recoveryKms({ publicKey: bad })).toThrow(InvalidInputError)
  }
})

test('shares can be put together from the specification alone', async () => {
  const { privateKey } = createRecoveryKey()
  const shares = (await splitKey(privateKey, 4, 3)).slice(1)
  const times = (a: number, b: number) => {
    let product = 0
    for (let bit = 0; bit < 8; bit++) if ((b >> bit) & 1) product ^= a << bit
    for (let bit = 14; bit >= 8; bit--) if ((product >> bit) & 1) product ^= 0x11b << (bit - 8)
    return product
  }
  const inverse = (a: number) => Array.from({ length: 256 }, (_, b) => b).find((b) => times(a, b) === 1) as number
  const xs = shares.map(({ data }) => data[32] as number)
  const secret = Buffer.from(
    Array.from({ length: 32 }, (_, at) =>
      shares.reduce((sum, { data }, i) => {
        const basis = xs.reduce(
          (all, x, j) => (i === j ? all : times(all, times(x, inverse(x ^ (xs[i] as number))))),
          1,
        )
        return sum ^ times(data[at] as number, basis)
      }, 0),
    ),
  )
  expect(secret).toEqual(privateKey)
})
