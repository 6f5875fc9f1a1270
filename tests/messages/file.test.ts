import { Buffer } from 'node:buffer'
import { readdirSync, statSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DecryptionError, InvalidInputError } from '../../src/errors.ts'
import { fileSource, openFile, sealFile, verifyFile } from '../../src/messages/file.ts'
import { openMessage, sealMessage } from '../../src/messages/message.ts'
import { openRange } from '../../src/messages/range.ts'
import { createMaterials, startMessage } from '../../src/messages/seal.ts'
import { planSeal } from '../../src/messages/seal-options.ts'
import { threadsFor } from '../../src/messages/threads.ts'
import { ada, bob, pattern, rsaPublic, watched } from './fixtures.ts'

let root: string
let at: (name: string) => string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'strongroom-files-'))
})
afterAll(() => rm(root, { recursive: true }))
beforeEach(async () => {
  const folder = await mkdtemp(join(root, 'case-'))
  at = (name) => join(folder, name)
})

const quick = { durable: false } as const
const names = () => readdir(at('.'))

describe('a sealed file', () => {
  it.each([0, 1, 65_536, 65_537, 1_048_576, 2_500_000])(
    'of %i bytes opens to the same bytes, with one thread and with two',
    async (size) => {
      const plaintext = pattern(size)
      await writeFile(at('in'), plaintext)
      for (const threads of size === 0 || size > 2_000_000 ? [1, 2] : [1]) {
        const sealed = at(`sealed-${threads}`)
        const done = await sealFile(ada, at('in'), sealed, { ...quick, threads, context: { a: '1' } })
        expect(done).toEqual({ bytes: size, frames: Math.max(1, Math.ceil(size / 65_536)) })
        expect((await openMessage(ada, await readFile(sealed))).plaintext.equals(plaintext)).toBe(true)
        const opened = await openFile(ada, sealed, at(`out-${threads}`), { ...quick, threads, context: { a: '1' } })
        expect(opened).toMatchObject({ ...done, context: { a: '1' }, suite: 0x0478 })
        expect((await readFile(at(`out-${threads}`))).equals(plaintext)).toBe(true)
        expect((await verifyFile(ada, sealed)).bytes).toBe(size)
      }
    },
  )

  it('that is to be verified never appears when it does not open, and leaves what was there', async () => {
    await writeFile(at('in'), pattern(200_000))
    for (const suite of [0x0478, 0x0578] as const) {
      const options = { ...quick, suite, context: { a: '1' }, verify: true, force: true }
      await sealFile(ada, at('in'), at('sealed'), options)
      const before = await readFile(at('sealed'))
      const sealsWrong = watched(ada, { wrap: (_key, call) => ada.wrap(new Uint8Array(32), call) })
      await expect(sealFile(sealsWrong, at('in'), at('sealed'), options)).rejects.toThrow(DecryptionError)
      await expect(sealFile(rsaPublic, at('in'), at('sealed'), options)).rejects.toMatchObject({ kind: 'denied' })
      expect((await readFile(at('sealed'))).equals(before)).toBe(true)
      expect(await names()).toEqual(['in', 'sealed'])
    }
  })

  it('of a signed suite opens too, and is verified to the end', async () => {
    await writeFile(at('in'), pattern(200_000))
    await sealFile(ada, at('in'), at('sealed'), { ...quick, suite: 0x0578, threads: 2 })
    await openFile(ada, at('sealed'), at('out'), { ...quick, threads: 2 })
    expect((await readFile(at('out'))).equals(pattern(200_000))).toBe(true)
    const bytes = await readFile(at('sealed'))
    const last = bytes.length - 1
    bytes[last] = (bytes[last] as number) ^ 1
    await writeFile(at('sealed'), bytes)
    await expect(openFile(ada, at('sealed'), at('other'), quick)).rejects.toThrow(DecryptionError)
    expect(await names()).not.toContain('other')
  })

  it('keeps its permissions, and is readable by its owner alone until it is complete', async () => {
    await writeFile(at('in'), 'x')
    await chmod(at('in'), 0o640)
    const during = new Set<number>()
    const watching = watched(ada, {
      wrap: async (key, call) => {
        for (const name of await names()) if (name.endsWith('.part')) during.add((await stat(at(name))).mode & 0o777)
        return ada.wrap(key, call)
      },
    })
    await sealFile(watching, at('in'), at('sealed'), quick)
    await openFile(ada, at('sealed'), at('out'), {
      ...quick,
      onProgress: () => {
        for (const name of readdirSync(at('.'))) if (name.endsWith('.part')) during.add(statSync(at(name)).mode & 0o777)
      },
    })
    expect((await stat(at('sealed'))).mode & 0o777).toBe(0o640)
    expect((await stat(at('out'))).mode & 0o777).toBe(0o640)
    expect([...during]).toEqual([0o600])
  })

  it('never takes the place of a file that is there, unless told to', async () => {
    await writeFile(at('in'), 'new')
    await writeFile(at('out'), 'precious')
    await expect(sealFile(ada, at('in'), at('out'), quick)).rejects.toMatchObject({ code: 'ERR_FILE_EXISTS' })
    expect(await readFile(at('out'), 'utf8')).toBe('precious')
    await sealFile(ada, at('in'), at('out'), { ...quick, force: true })
    expect((await openMessage(ada, await readFile(at('out')))).plaintext.toString()).toBe('new')
    await expect(sealFile(ada, at('in'), at('in'), quick)).rejects.toThrow(InvalidInputError)
    await sealFile(ada, at('in'), at('in'), { ...quick, force: true })
    expect((await verifyFile(ada, at('in'))).bytes).toBe(3)
    expect(await names()).toEqual(['in', 'out'])
  })

  it('does not take the place of a file that appears while it is written', async () => {
    await writeFile(at('in'), pattern(3_000_000))
    let written: Promise<void> | undefined
    const sealing = sealFile(ada, at('in'), at('out'), {
      ...quick,
      onProgress: () => {
        written ??= writeFile(at('out'), 'precious')
      },
    })
    await expect(sealing).rejects.toMatchObject({ code: 'ERR_FILE_EXISTS' })
    await written
    expect(await readFile(at('out'), 'utf8')).toBe('precious')
    expect((await names()).sort()).toEqual(['in', 'out'])
  })

  it('leaves nothing behind when it is wrong in any frame, with one thread or several', async () => {
    await writeFile(at('in'), pattern(700_000))
    await sealFile(ada, at('in'), at('sealed'), { ...quick, frameLength: 10_000 })
    const good = await readFile(at('sealed'))
    for (const place of [10, 300, 20_000, 400_000, good.length - 1]) {
      const bad = Buffer.from(good)
      bad[place] = (bad[place] as number) ^ 1
      await writeFile(at('bad'), bad)
      for (const threads of place === 20_000 ? [1, 2] : [1]) {
        await expect(openFile(ada, at('bad'), at('out'), { ...quick, threads })).rejects.toThrow(DecryptionError)
      }
    }
    for (const length of [0, 3, 100, good.length - 10_032, good.length - 1]) {
      await writeFile(at('bad'), good)
      await truncate(at('bad'), length)
      for (const threads of [1, 2]) {
        await expect(openFile(ada, at('bad'), at('out'), { ...quick, threads })).rejects.toThrow(DecryptionError)
      }
    }
    await writeFile(at('bad'), Buffer.concat([good, Buffer.alloc(1)]))
    for (const threads of [1, 2]) {
      await expect(openFile(ada, at('bad'), at('out'), { ...quick, threads })).rejects.toThrow(DecryptionError)
    }
    await expect(openFile(bob, at('sealed'), at('out'), quick)).rejects.toThrow(DecryptionError)
    expect((await names()).sort()).toEqual(['bad', 'in', 'sealed'])
  })

  it('stops when its signal says so, and leaves nothing behind', async () => {
    await writeFile(at('in'), pattern(5_000_000))
    for (const threads of [1, 2]) {
      const controller = new AbortController()
      const sealing = sealFile(ada, at('in'), at('out'), {
        ...quick,
        threads,
        frameLength: 1000,
        signal: controller.signal,
        onProgress: () => controller.abort(new Error('enough')),
      })
      if (threads > 1) controller.abort(new Error('enough'))
      await expect(sealing).rejects.toThrow('enough')
    }
    expect(await names()).toEqual(['in'])
  })

  it('is read in ranges', async () => {
    await writeFile(at('in'), pattern(300_000))
    await sealFile(ada, at('in'), at('sealed'), quick)
    const source = await fileSource(at('sealed'))
    expect((await openRange(ada, source, 100_000, 200_001)).equals(pattern(300_000).subarray(100_000, 200_001))).toBe(
      true,
    )
    await source.close()
  })

  it('can be reached by a symbolic link, and nothing but a regular file is taken', async () => {
    await writeFile(at('in'), 'x')
    await symlink(at('in'), at('link'))
    await sealFile(ada, at('link'), at('sealed'), quick)
    await expect(sealFile(ada, at('.'), at('other'), quick)).rejects.toThrow(InvalidInputError)
    await expect(sealFile(ada, '/dev/null', at('other'), quick)).rejects.toThrow(InvalidInputError)
    await expect(sealFile(ada, at('none'), at('other'), quick)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('threads', () => {
  it('write the same bytes as one does, for the same key and message id', async () => {
    const { sealWithThreads } = await import('../../src/messages/threads.ts')
    const { sealBytes } = await import('../../src/messages/seal.ts')
    const { open } = await import('node:fs/promises')
    const plaintext = pattern(3_300_000)
    await writeFile(at('in'), plaintext)
    const plan = planSeal({ frameLength: 50_000 })
    const materials = await createMaterials([ada], plan, undefined)
    const messageId = Buffer.alloc(32, 9)
    const expected = sealBytes(materials, plaintext, 50_000, messageId)
    const input = await open(at('in'))
    const output = await open(at('out'), 'w+')
    await sealWithThreads(input, output, plaintext.length, startMessage(materials, 50_000, messageId), 2, {})
    await Promise.all([input.close(), output.close()])
    expect((await readFile(at('out'))).equals(expected)).toBe(true)
  })

  it('are chosen by size unless given, and given within reason', () => {
    expect(threadsFor(undefined, 1000)).toBe(1)
    expect(threadsFor(undefined, 2 ** 40)).toBeGreaterThan(0)
    expect(threadsFor(3, 1000)).toBe(3)
    for (const threads of [0, 65, 1.5]) expect(() => threadsFor(threads, 1)).toThrow(InvalidInputError)
  })

  it('open what openMessage refuses in the same way: another order of frames', async () => {
    const message = await sealMessage(ada, pattern(100), { frameLength: 10 })
    const body = message.length - (9 * 42 + 50)
    const swapped = Buffer.concat([
      message.subarray(0, body),
      message.subarray(body + 42, body + 84),
      message.subarray(body, body + 42),
      message.subarray(body + 84),
    ])
    await writeFile(at('bad'), swapped)
    await expect(openFile(ada, at('bad'), at('out'), { ...quick, threads: 2 })).rejects.toThrow(DecryptionError)
  })
})
