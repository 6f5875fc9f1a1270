import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import {
  buildClient,
  CommitmentPolicy,
  RawAesKeyringNode,
  RawAesWrappingSuiteIdentifier,
} from '@aws-crypto/client-node'
import { rawAes } from 'strongroom/raw'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { EncryptionContext } from '../../src/crypto/context-pairs.ts'
import { ClosedError, DecryptionError, InvalidInputError, KmsError } from '../../src/errors.ts'
import type { KmsProvider } from '../../src/kms.ts'
import { encodeDetached } from '../../src/messages/detached.ts'
import { fileSource, openFile, sealFile, verifyFile } from '../../src/messages/file.ts'
import { parseHeader } from '../../src/messages/header.ts'
import { inspectMessage } from '../../src/messages/inspect.ts'
import { openMessage, sealMessage } from '../../src/messages/message.ts'
import { createMessages } from '../../src/messages/messages.ts'
import { openNodeStream } from '../../src/messages/node-stream.ts'
import { openRange } from '../../src/messages/range.ts'
import { rewrapFile } from '../../src/messages/rewrap-file.ts'
import { createMaterials, sealBytes } from '../../src/messages/seal.ts'
import { planSeal, type SealOptions } from '../../src/messages/seal-options.ts'
import { openStream } from '../../src/messages/stream.ts'
import { fileReads } from '../file-reads.ts'
import { withoutStacks } from '../without-stacks.ts'
import { ada, bob, headerLength, LIMITS, pattern, rsaBoth, rsaPublic, watched } from './fixtures.ts'
import { collect, streamOf } from './streams.ts'

let root: string
let at: (name: string) => string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'strongroom-detached-'))
})
afterAll(() => rm(root, { recursive: true }))
beforeEach(async () => {
  const folder = await mkdtemp(join(root, 'case-'))
  at = (name) => join(folder, name)
})

const quick = { durable: false } as const
const detached = { ...quick, detached: true } as const
const plaintext = pattern(500_000)
const names = async () => (await readdir(at('.'))).sort()
const recipients = () => readFile(at('sealed.recipients'))
const flip = (bytes: Buffer, bit: number) => {
  const out = Buffer.from(bytes)
  out[bit >> 3] = (out[bit >> 3] as number) ^ (1 << (bit & 7))
  return out
}
const away = (kind: KmsError['kind'] = 'unavailable'): KmsProvider =>
  watched(ada, { unwrap: async () => Promise.reject(new KmsError('tests', kind, 'a test')) })

/** A file that Ada sealed, and whose detached recipients are for Bob. */
async function sealed(options: SealOptions = {}, to: KmsProvider | readonly KmsProvider[] = bob): Promise<Buffer> {
  await writeFile(at('in'), plaintext)
  await sealFile(ada, at('in'), at('sealed'), { ...quick, force: true, frameLength: 1024, ...options })
  await rewrapFile(ada, at('sealed'), {
    ...detached,
    force: true,
    to,
    ...(options.context && { context: options.context }),
  })
  return readFile(at('sealed'))
}

/** Detached recipients that are right but for what the test changes. */
async function forged(
  message: Buffer,
  change: {
    plaintext?: (right: Uint8Array) => Uint8Array
    options?: SealOptions
    of?: string
    key?: Uint8Array
    context?: EncryptionContext
  },
): Promise<Buffer> {
  const header = parseHeader(message, LIMITS)
  const [recipient] = header.recipients
  const key =
    change.key ??
    (await ada.unwrap(
      {
        provider: 'tests',
        ...(ada.recipient?.parse(recipient?.info as Uint8Array, recipient?.ciphertext as Uint8Array) as {
          keyId: string
          ciphertext: Uint8Array
        }),
      },
      { context: Object.fromEntries(header.context) },
    ))
  const context = change.context ?? Object.fromEntries(header.context)
  const plan = planSeal(
    { context, ...change.options },
    undefined,
    change.of ?? Buffer.from(header.messageId).toString('hex'),
  )
  const materials = await createMaterials([bob], plan, undefined)
  const right = encodeDetached(header, key)
  return sealBytes(materials, change.plaintext?.(right) ?? right, plan.frameLength)
}

describe('detached recipients', () => {
  withoutStacks()

  it('let others open a file, which stays as it is to the byte', async () => {
    await writeFile(at('in'), plaintext)
    await sealFile(ada, at('in'), at('sealed'), { ...quick, context: { a: '1' } })
    await utimes(at('sealed'), 1000, 2000)
    const [before, bytes] = [await stat(at('sealed'), { bigint: true }), await readFile(at('sealed'))]
    await expect(openFile(bob, at('sealed'), at('out'), quick)).rejects.toThrow(DecryptionError)
    expect(await rewrapFile(ada, at('sealed'), { ...detached, to: bob })).toEqual({ bytes: 0, frames: 0 })
    const after = await stat(at('sealed'), { bigint: true })
    for (const what of ['ino', 'size', 'mode', 'mtimeNs', 'ctimeNs'] as const) expect(after[what]).toBe(before[what])
    expect((await readFile(at('sealed'))).equals(bytes)).toBe(true)
    for (const kms of [ada, bob, [bob, ada]]) {
      const opened = await openFile(kms, at('sealed'), at('out'), { ...quick, force: true, context: { a: '1' } })
      expect(opened).toMatchObject({ bytes: plaintext.length, context: { a: '1' } })
      expect((await readFile(at('out'))).equals(plaintext)).toBe(true)
    }
    expect(await names()).toEqual(['in', 'out', 'sealed', 'sealed.recipients'])
  })

  it('are made from the header alone, however long the file is', async () => {
    await writeFile(at('in'), plaintext)
    await sealFile(ada, at('in'), at('sealed'), { ...quick, frameLength: 64 })
    const reads = await fileReads(() => rewrapFile(ada, at('sealed'), { ...detached, to: bob }))
    expect(reads).toEqual([{ from: 0, bytes: 4096 }])
    // A body that is not there cannot have been read: a terabyte of holes.
    const header = headerLength(await readFile(at('sealed')))
    await truncate(at('sealed'), header)
    await truncate(at('sealed'), 2 ** 40)
    await rewrapFile(bob, at('sealed'), { ...detached, to: [ada, rsaPublic] })
    await expect(verifyFile(rsaBoth, at('sealed'))).rejects.toThrow(DecryptionError)
  })

  it('are used wherever a file is opened by its path', async () => {
    for (const suite of [0x0478, 0x0578] as const) {
      await sealed({ suite })
      for (const threads of [1, 2]) {
        await openFile(bob, at('sealed'), at('out'), { ...quick, force: true, threads })
        expect((await readFile(at('out'))).equals(plaintext)).toBe(true)
      }
      expect((await verifyFile(bob, at('sealed'))).bytes).toBe(plaintext.length)
    }
    await sealed()
    const source = await fileSource(at('sealed'))
    const range = await openRange(bob, source, 1000, 5000)
    await source.close()
    expect(range.equals(plaintext.subarray(1000, 5000))).toBe(true)
  })

  it('are used for streams and messages in memory by an option that takes them, or a function that reads them', async () => {
    const message = await sealed()
    const bytes = await recipients()
    for (const option of [bytes, async () => bytes]) {
      const options = { recipients: option }
      expect((await openMessage(bob, message, options)).plaintext.equals(plaintext)).toBe(true)
      const web = streamOf(message, 10_000).pipeThrough(openStream(bob, options))
      expect((await collect(web)).equals(plaintext)).toBe(true)
      const parts: Buffer[] = []
      await pipeline([message], openNodeStream(bob, options), async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) parts.push(chunk)
      })
      expect(Buffer.concat(parts).equals(plaintext)).toBe(true)
      const messages = createMessages({ kms: bob })
      expect((await messages.open(message, options)).plaintext.equals(plaintext)).toBe(true)
    }
    for (const wrong of ['text', 1, {}, null]) {
      await expect(openMessage(bob, message, { recipients: wrong as never })).rejects.toThrow(TypeError)
    }
    await expect(openMessage(bob, message, { recipients: async () => undefined })).rejects.toThrow(DecryptionError)
  })

  it('can be made from detached recipients again, which they then replace', async () => {
    await sealed()
    await rewrapFile(bob, at('sealed'), { ...detached, to: rsaPublic })
    expect((await verifyFile(rsaBoth, at('sealed'))).bytes).toBe(plaintext.length)
    await expect(verifyFile(bob, at('sealed'))).rejects.toThrow(DecryptionError)
    expect((await verifyFile(ada, at('sealed'))).bytes).toBe(plaintext.length)
  })

  it('open a file for rewrapFile too, which seals it again and takes them away', async () => {
    const before = await sealed({ context: { a: '1' } })
    await rewrapFile(bob, at('sealed'), { ...quick, to: rsaPublic, context: { a: '1' } })
    expect(await names()).toEqual(['in', 'sealed'])
    expect((await verifyFile(rsaBoth, at('sealed'))).context).toEqual({ a: '1' })
    for (const kms of [ada, bob]) await expect(verifyFile(kms, at('sealed'))).rejects.toThrow(DecryptionError)
    expect((await readFile(at('sealed'))).equals(before)).toBe(false)
    await writeFile(at('sealed.recipients'), 'somebody else’s')
    await rewrapFile(rsaBoth, at('sealed'), { ...quick, to: ada })
    expect(await readFile(at('sealed.recipients'), 'utf8')).toBe('somebody else’s')
  })
})

describe('which recipients are asked', () => {
  it('those in the header, and the others are not even read when they open it', async () => {
    const message = await sealed()
    let reads = 0
    const watching = async () => {
      reads++
      return recipients()
    }
    await openMessage([bob, ada], message, { recipients: watching })
    expect(reads).toBe(0)
    await openMessage(bob, message, { recipients: watching })
    expect(reads).toBe(1)
    for (const damage of [
      Buffer.alloc(0),
      Buffer.from('not at all'),
      flip(await recipients(), 2000),
      Buffer.alloc(2 ** 22),
    ]) {
      await writeFile(at('sealed.recipients'), damage)
      expect((await verifyFile(ada, at('sealed'))).bytes).toBe(plaintext.length)
      await expect(verifyFile(bob, at('sealed'))).rejects.toThrow(DecryptionError)
    }
    await rm(at('sealed.recipients'))
    await mkdir(at('sealed.recipients'))
    expect((await verifyFile(ada, at('sealed'))).bytes).toBe(plaintext.length)
    await expect(verifyFile(bob, at('sealed'))).rejects.toThrow(InvalidInputError)
  })

  it.each(['unavailable', 'denied', 'throttled'] as const)(
    'the others when the service of the header is %s',
    async (kind) => {
      await sealed()
      expect((await verifyFile([away(kind), bob], at('sealed'))).bytes).toBe(plaintext.length)
    },
  )

  it('and when neither opens it, the failure of the header counts first', async () => {
    const message = await sealed({}, [bob, rsaPublic])
    const bobAway = watched(bob, { unwrap: async () => Promise.reject(new KmsError('tests', 'denied', 'a test')) })
    const given = { recipients: await recipients() }
    await expect(openMessage([away(), bobAway], message, given)).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(openMessage(bobAway, message, given)).rejects.toMatchObject({ kind: 'denied' })
    await expect(openMessage([away(), bob], message, { recipients: Buffer.alloc(9) })).rejects.toMatchObject({
      kind: 'unavailable',
    })
    const unreadable = () => Promise.reject(Object.assign(new Error('no'), { code: 'EACCES' }))
    await expect(openMessage(bob, message, { recipients: unreadable })).rejects.toMatchObject({ code: 'EACCES' })
    await expect(openMessage(away(), message, { recipients: unreadable })).rejects.toMatchObject({
      kind: 'unavailable',
    })
    const controller = new AbortController()
    const stopped = watched(ada, {
      unwrap: async () => {
        controller.abort(new Error('enough'))
        throw new KmsError('tests', 'unavailable', 'a test')
      },
    })
    const aborting = openMessage([stopped, bob], message, { ...given, signal: controller.signal })
    await expect(aborting).rejects.toThrow('enough')
  })

  it('those given rather than those beside the file', async () => {
    await sealed()
    const right = await recipients()
    await writeFile(at('sealed.recipients'), 'no')
    expect((await verifyFile(bob, at('sealed'), { recipients: right })).bytes).toBe(plaintext.length)
  })

  it('and a data key that came from detached ones is not kept for messages that come without', async () => {
    const message = await sealed()
    const messages = createMessages({ kms: bob })
    await messages.open(message, { recipients: await recipients() })
    await expect(messages.open(message)).rejects.toThrow(DecryptionError)
    messages.close()
    await expect(messages.open(message, { recipients: await recipients() })).rejects.toThrow(ClosedError)
  })
})

describe('detached recipients are bound', () => {
  it('to the context of their file: their service sees it, and the id of the message, and not the key of the signature', async () => {
    const seen: EncryptionContext[] = []
    const watching = watched(bob, {
      wrap: (key, call) => {
        seen.push(call.context)
        return bob.wrap(key, call)
      },
      unwrap: (wrapped, call) => {
        seen.push(call.context)
        return bob.unwrap(wrapped, call)
      },
    })
    const context = { tenant: 'acme', patient: '4711', é: 'ü' }
    const message = await sealed({ context, unstored: ['patient'], suite: 0x0578 }, watching)
    await verifyFile(watching, at('sealed'), { context: { patient: '4711' } })
    const id = message.subarray(3, 35).toString('hex')
    for (const one of seen) expect({ ...one }).toEqual({ ...context, 'strongroom-recipients-of': id })
    expect(seen).toHaveLength(2)
    const bytes = await recipients()
    expect(bytes.includes('acme')).toBe(true)
    expect(bytes.includes('4711')).toBe(false)
    for (const wrong of [
      {},
      { patient: '4712' },
      { patient: '4711', tenant: 'other' },
      { patient: '4711', more: '' },
    ]) {
      await expect(verifyFile(bob, at('sealed'), { context: wrong })).rejects.toThrow(DecryptionError)
    }
  })

  it('to the application of their file', async () => {
    await writeFile(at('in'), plaintext)
    await sealFile(ada, at('in'), at('sealed'), quick, 'billing')
    await expect(rewrapFile(ada, at('sealed'), { ...detached, to: bob }, 'shop')).rejects.toThrow(DecryptionError)
    await rewrapFile(ada, at('sealed'), { ...detached, to: bob }, 'billing')
    expect((await verifyFile(bob, at('sealed'), {}, 'billing')).context).toEqual({})
    await expect(verifyFile(bob, at('sealed'), {}, 'shop')).rejects.toThrow(DecryptionError)
    expect((await inspectMessage(await recipients())).context).toMatchObject({ strongroom: 'billing' })
  })

  it('to their message: those of another, of the same file sealed again, and of another context open nothing', async () => {
    const first = await sealed({ context: { a: '1' } })
    const firstRecipients = await recipients()
    const second = await sealed({ context: { a: '1' } })
    await expect(openMessage(bob, second, { recipients: firstRecipients })).rejects.toThrow(DecryptionError)
    expect((await openMessage(bob, first, { recipients: firstRecipients })).plaintext.equals(plaintext)).toBe(true)
    const other = await sealed({ context: { a: '2' } })
    await expect(openMessage(bob, other, { recipients: firstRecipients })).rejects.toThrow(DecryptionError)
  })

  it('whatever somebody writes into them who may wrap for the same service', async () => {
    const message = await sealed({ context: { a: '1' } })
    const opens = async (change: Parameters<typeof forged>[1]) =>
      openMessage(bob, message, { recipients: await forged(message, change) })
    expect((await opens({})).plaintext.equals(plaintext)).toBe(true)
    const set = (place: number, value: number) => (right: Uint8Array) => right.with(place, value)
    for (const change of [
      { plaintext: set(0, 0) },
      { plaintext: set(0, 2) },
      { plaintext: set(1, 0x05) },
      { plaintext: set(2, 0x79) },
      { plaintext: (right) => set(3, (right[3] as number) ^ 1)(right) },
      { plaintext: (right) => set(66, (right[66] as number) ^ 1)(right) },
      { plaintext: (right) => right.subarray(0, 66) },
      { plaintext: (right) => Buffer.concat([right, Buffer.alloc(1)]) },
      { plaintext: () => new Uint8Array(0) },
      { key: Buffer.alloc(32, 1) },
      { options: { suite: 0x0578 } },
      { options: { frameLength: 65_537 } },
      { of: '00'.repeat(32) },
      { of: message.subarray(3, 35).toString('hex').toUpperCase() },
      { context: {} },
      { context: { a: '2' } },
      { context: { a: '1', b: '2' } },
      { options: { unstored: ['a'] }, context: { a: '2' } },
      { options: { unstored: ['strongroom-recipients-of'] } },
    ] satisfies Parameters<typeof forged>[1][]) {
      await expect(opens(change), JSON.stringify(change)).rejects.toThrow(DecryptionError)
    }
  })

  it('and refused with any bit changed, cut anywhere, or with a byte more', async () => {
    const message = await sealed({ context: { a: '1' }, frameLength: 1024 })
    const bytes = await recipients()
    const refused = (given: Buffer) =>
      expect(openMessage(bob, message, { recipients: given })).rejects.toThrow(DecryptionError)
    for (let bit = 0; bit < bytes.length * 8; bit++) await refused(flip(bytes, bit))
    for (let length = 0; length < bytes.length; length++) await refused(bytes.subarray(0, length))
    await refused(Buffer.concat([bytes, Buffer.alloc(1)]))
    await refused(Buffer.concat([bytes, bytes]))
    await refused(message)
  })

  it('and the file itself is checked as always: any bit of its header, or of its frames, is refused', async () => {
    const message = await sealMessage(ada, 'x', { context: { a: '1' } })
    await writeFile(at('sealed'), message)
    await rewrapFile(ada, at('sealed'), { ...detached, to: bob })
    const given = { recipients: await recipients() }
    for (let bit = 0; bit < message.length * 8; bit++) {
      await expect(openMessage(bob, flip(message, bit), given)).rejects.toThrow(DecryptionError)
    }
  })
})

describe('the data key of a file', () => {
  it('is wiped when its detached recipients are written, and stands in no file', async () => {
    await writeFile(at('in'), plaintext)
    await sealFile(ada, at('in'), at('sealed'), quick)
    const keys: Uint8Array[] = []
    const copies: Buffer[] = []
    const watching = watched(ada, {
      unwrap: async (wrapped, call) => {
        const key = await ada.unwrap(wrapped, call)
        keys.push(key)
        copies.push(Buffer.from(key))
        return key
      },
    })
    await rewrapFile(watching, at('sealed'), { ...detached, to: bob })
    const failing = watched(bob, { wrap: async () => Promise.reject(new KmsError('tests', 'unavailable', 'a test')) })
    await expect(rewrapFile(watching, at('sealed'), { ...detached, to: failing })).rejects.toThrow(KmsError)
    expect(keys).toHaveLength(2)
    for (const key of keys) expect(key.every((byte) => byte === 0)).toBe(true)
    for (const key of copies) expect((await recipients()).includes(key)).toBe(false)
  })

  it('is not handed out as a plaintext: detached recipients do not open as a message', async () => {
    await sealed()
    await expect(openMessage(bob, await recipients())).rejects.toThrow(DecryptionError)
    await expect(openFile(bob, at('sealed.recipients'), at('out'), quick)).rejects.toThrow(DecryptionError)
    await expect(rewrapFile(bob, at('sealed.recipients'), { ...quick, to: ada })).rejects.toThrow(DecryptionError)
    const name = { 'strongroom-recipients-of': 'x' }
    await expect(sealMessage(ada, 'x', { context: name })).rejects.toThrow(InvalidInputError)
    await expect(openMessage(bob, await recipients(), { context: name })).rejects.toThrow(InvalidInputError)
  })

  it('is found by anybody with the key of the recipients and the AWS Encryption SDK, as the specification says', async () => {
    const key = Buffer.alloc(32, 9)
    const message = await sealed({}, rawAes({ namespace: 'tests', name: 'carl', key }))
    const keyring = new RawAesKeyringNode({
      keyNamespace: 'tests',
      keyName: 'carl',
      unencryptedMasterKey: Uint8Array.from(key),
      wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
      utf8Sorting: true,
    })
    const { decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
    const { plaintext: inside, messageHeader } = await decrypt(keyring, await recipients())
    expect(messageHeader.suiteId).toBe(0x0478)
    expect(inside.subarray(0, 35).equals(Buffer.concat([Buffer.from('010478', 'hex'), message.subarray(3, 35)]))).toBe(
      true,
    )
    expect(inside).toHaveLength(67)
  })
})

describe('the file of detached recipients', () => {
  it('has the permissions of its file', async () => {
    await writeFile(at('in'), plaintext)
    await sealFile(ada, at('in'), at('sealed'), quick)
    await chmod(at('sealed'), 0o640)
    await rewrapFile(ada, at('sealed'), { ...detached, to: bob })
    expect((await stat(at('sealed.recipients'))).mode & 0o777).toBe(0o640)
  })

  it('takes the place of one for the same file alone, unless it is told to', async () => {
    await sealed()
    const ours = await recipients()
    await rewrapFile(ada, at('sealed'), { ...detached, to: rsaPublic })
    expect((await recipients()).equals(ours)).toBe(false)
    const message = await sealMessage(ada, 'x')
    for (const other of [Buffer.from('precious'), message, Buffer.alloc(0), Buffer.alloc(2 ** 22)]) {
      await writeFile(at('sealed.recipients'), other)
      const exists = { code: 'ERR_FILE_EXISTS' }
      await expect(rewrapFile(ada, at('sealed'), { ...detached, to: bob })).rejects.toMatchObject(exists)
      expect((await recipients()).equals(other)).toBe(true)
    }
    await rewrapFile(ada, at('sealed'), { ...detached, to: bob, force: true })
    expect((await verifyFile(bob, at('sealed'))).bytes).toBe(plaintext.length)
    expect(await names()).toEqual(['in', 'sealed', 'sealed.recipients'])
  })

  it('is not written when the file cannot be opened, or does not commit to its key', async () => {
    const vectors = JSON.parse(readFileSync(new URL('../vectors/messages.json', import.meta.url), 'utf8')) as {
      keys: { 'aes-256': string }
      vectors: { comment: string; message: string }[]
    }
    const kms = rawAes({
      namespace: 'vectors',
      name: 'aes-256',
      key: Buffer.from(vectors.keys['aes-256'], 'base64'),
    })
    const old = vectors.vectors.find(({ comment }) => comment.startsWith('format 1, suite 0x0178'))
    await writeFile(at('sealed'), Buffer.from(old?.message as string, 'base64'))
    const legacy = { ...detached, to: bob, legacySuites: true }
    await expect(rewrapFile(kms, at('sealed'), legacy)).rejects.toThrow(InvalidInputError)
    await writeFile(at('sealed'), flip(await sealMessage(ada, 'x'), 8 * 100))
    await expect(rewrapFile(ada, at('sealed'), { ...detached, to: bob })).rejects.toThrow(DecryptionError)
    await expect(rewrapFile(ada, at('none'), { ...detached, to: bob })).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await names()).toEqual(['sealed'])
  })

  it('needs room for one pair more in the context', async () => {
    const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`name ${i}`, '']))
    await sealed({ context: pairs(63) })
    await expect(sealed({ context: pairs(64) })).rejects.toThrow(InvalidInputError)
    const long = (bytes: number) => ({ a: 'x'.repeat(bytes - 2 - 4 - 1) })
    await sealed({ context: long(8100) })
    await expect(sealed({ context: long(8101) })).rejects.toThrow(InvalidInputError)
    expect((await verifyFile(ada, at('sealed'))).bytes).toBe(plaintext.length)
  })

  it('and those of a message that does not commit to its key are never asked for', async () => {
    const vectors = JSON.parse(readFileSync(new URL('../vectors/messages.json', import.meta.url), 'utf8')) as {
      vectors: { comment: string; message: string }[]
    }
    const old = vectors.vectors.find(({ comment }) => comment.startsWith('format 1, suite 0x0178'))
    const asked = openMessage(bob, Buffer.from(old?.message as string, 'base64'), {
      legacySuites: true,
      recipients: () => Promise.reject(new Error('asked')),
    })
    await expect(asked).rejects.toThrow(DecryptionError)
  })

  it('is shown by inspectMessage, also when it is not for this file', async () => {
    await sealed({}, [bob, rsaPublic])
    const look = async () => {
      const source = await fileSource(at('sealed'))
      const { detached, recipients } = await inspectMessage(source)
      await source.close()
      return { detached, recipients }
    }
    expect(await look()).toEqual({
      recipients: [{ provider: 'tests', keyId: 'ada' }],
      detached: [
        { provider: 'tests', keyId: 'bob' },
        { provider: 'tests', keyId: 'rsa' },
      ],
    })
    for (const other of [Buffer.from('precious'), await sealMessage(ada, 'x'), Buffer.alloc(2 ** 22)]) {
      await writeFile(at('sealed.recipients'), other)
      expect((await look()).detached).toEqual([])
    }
    await rm(at('sealed.recipients'))
    expect((await look()).detached).toBe(undefined)
  })
})

describe('detached recipients of a file that another takes the place of', () => {
  const force = { ...quick, force: true } as const
  beforeEach(async () => {
    await sealed()
    await writeFile(at('new'), 'new')
  })

  it('go with it, whether the new one is sealed or opened', async () => {
    await sealFile(bob, at('new'), at('sealed'), force)
    expect(await names()).toEqual(['in', 'new', 'sealed'])
    expect((await verifyFile(bob, at('sealed'))).bytes).toBe(3)
    await expect(verifyFile(ada, at('sealed'))).rejects.toThrow(DecryptionError)
    await rewrapFile(bob, at('sealed'), { ...detached, to: ada })
    await sealFile(bob, at('new'), at('other'), quick)
    await openFile(bob, at('other'), at('sealed'), force)
    expect(await names()).toEqual(['in', 'new', 'other', 'sealed'])
    expect(await readFile(at('sealed'), 'utf8')).toBe('new')
  })

  it('stay when they are not for it, and keep nobody from the new one', async () => {
    const ofAnother = await recipients()
    for (const other of [Buffer.from('precious'), await sealMessage(ada, 'x'), Buffer.alloc(0), ofAnother]) {
      await sealFile(ada, at('in'), at('sealed'), force)
      await writeFile(at('sealed.recipients'), other)
      await sealFile(bob, at('new'), at('sealed'), force)
      expect((await recipients()).equals(other)).toBe(true)
      expect((await verifyFile(bob, at('sealed'))).bytes).toBe(3)
    }
    await writeFile(at('sealed'), 'no message')
    await sealFile(bob, at('new'), at('sealed'), force)
    expect((await recipients()).equals(ofAnother)).toBe(true)
  })

  it('stay when it stays: when the new one is not finished, or may not be written', async () => {
    const before = await readFile(at('sealed'))
    const failing = watched(bob, { wrap: async () => Promise.reject(new KmsError('tests', 'unavailable', 'a test')) })
    await expect(sealFile(failing, at('new'), at('sealed'), force)).rejects.toThrow(KmsError)
    await expect(sealFile(failing, at('none'), at('sealed'), force)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(sealFile(bob, at('new'), at('sealed'), quick)).rejects.toMatchObject({ code: 'ERR_FILE_EXISTS' })
    expect((await readFile(at('sealed'))).equals(before)).toBe(true)
    expect((await verifyFile(bob, at('sealed'))).bytes).toBe(plaintext.length)
  })

  it('stay when it is what the new one is made of, as it is or from a copy', async () => {
    const given = await recipients()
    const inside = await readFile(at('sealed'))
    await sealFile(ada, at('sealed'), at('sealed'), force)
    expect((await recipients()).equals(given)).toBe(true)
    await openFile(ada, at('sealed'), at('out'), force)
    expect((await openMessage(bob, await readFile(at('out')), { recipients: given })).plaintext).toHaveLength(500_000)
    await writeFile(at('sealed'), inside)
    await writeFile(at('copy'), inside)
    await sealFile(ada, at('copy'), at('sealed'), force)
    expect((await recipients()).equals(given)).toBe(true)
  })

  it('stay when it has another name, or lies behind a link', async () => {
    const given = await recipients()
    await link(at('sealed'), at('name'))
    await sealFile(ada, at('new'), at('sealed'), force)
    expect((await recipients()).equals(given)).toBe(true)
    await rm(at('sealed'))
    await symlink(at('name'), at('sealed'))
    await sealFile(ada, at('new'), at('sealed'), force)
    expect((await openMessage(bob, await readFile(at('name')), { recipients: given })).plaintext).toHaveLength(500_000)
  })
})
