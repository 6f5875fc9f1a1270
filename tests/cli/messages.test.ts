import { Buffer } from 'node:buffer'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { rawAes } from 'strongroom/raw'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from '../../src/cli/program.ts'
import { createMessages } from '../../src/messages/messages.ts'
import { pattern } from '../messages/fixtures.ts'

const KEY = Buffer.alloc(32, 5)
const room = createMessages({ kms: rawAes({ namespace: 'tests', name: 'cli', key: KEY }), name: 'billing' })
const config = (name: string, keys: readonly string[] = ['cli']) => `
  import { rawAes } from 'strongroom/raw'
  const keys = { cli: 5, next: 6 }
  const kms = ${JSON.stringify(keys)}.map((name) => rawAes({ namespace: 'tests', name, key: new Uint8Array(32).fill(keys[name]) }))
  export default { name: ${JSON.stringify(name)}, kms }
`

let home: string
const at = (...names: string[]) => join(home, ...names)
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'strongroom-cli-'))
  writeFileSync(at('strongroom.config.mjs'), config('billing'))
})
afterEach(() => rmSync(home, { recursive: true }))

/** Runs the command line with bytes on stdin, and bytes back from stdout. */
async function strongroom(
  args: string[],
  {
    input = Buffer.alloc(0),
    tty = false,
    configFile = 'strongroom.config.mjs',
  }: { input?: Buffer; tty?: boolean; configFile?: string } = {},
) {
  const parts: Buffer[] = []
  let stderr = ''
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      parts.push(Buffer.from(chunk))
      done()
    },
  })
  const errors = new Writable({
    write(chunk, _encoding, done) {
      stderr += chunk
      done()
    },
  })
  const stdin = Object.assign(new PassThrough(), { isTTY: tty })
  stdin.end(input)
  const code = await run(['--config', at(configFile), ...args], {
    stdin,
    stdout: Object.assign(stdout, { isTTY: tty }),
    stderr: errors,
    env: {},
  })
  return { code, stdout: Buffer.concat(parts), text: Buffer.concat(parts).toString(), stderr }
}

describe('strongroom seal and open', () => {
  it('take a file to another and back, and keep its permissions', async () => {
    writeFileSync(at('in'), pattern(200_000))
    chmodSync(at('in'), 0o640)
    expect(
      (await strongroom(['seal', at('in'), '-o', at('sealed'), '--context', 'a=1', 'b=x=y', '--verify'])).code,
    ).toBe(0)
    expect(
      (await room.open(readFileSync(at('sealed')), { context: { a: '1', b: 'x=y' } })).plaintext.equals(
        pattern(200_000),
      ),
    ).toBe(true)
    const opened = await strongroom(['open', at('sealed'), '-o', at('out'), '--context', 'a=1'])
    expect(opened).toMatchObject({ code: 0, text: `${at('out')}\n`, stderr: '' })
    expect(readFileSync(at('out')).equals(pattern(200_000))).toBe(true)
    expect(statSync(at('out')).mode & 0o777).toBe(0o640)
    expect((await strongroom(['open', at('sealed'), '-o', at('other'), '--context', 'a=2'])).code).toBe(1)
    expect(existsSync(at('other'))).toBe(false)
  })

  it('work in a pipe', async () => {
    const sealed = await strongroom(['seal', '--signed'], { input: pattern(100_000) })
    expect(sealed.code).toBe(0)
    const opened = await strongroom(['open', '-'], { input: sealed.stdout })
    expect(opened.stdout.equals(pattern(100_000))).toBe(true)
    const toFile = await strongroom(['seal', '-o', at('sealed')], { input: pattern(10) })
    expect(toFile.code).toBe(0)
    expect((await strongroom(['open', at('sealed'), '-o', '-'])).stdout.equals(pattern(10))).toBe(true)
    const cut = await strongroom(['open', '-o', at('out')], { input: sealed.stdout.subarray(0, -1) })
    expect(cut).toMatchObject({ code: 1, stderr: expect.stringContaining('decryption failed') })
    expect(existsSync(at('out'))).toBe(false)
  })

  it('take several files and whole folders', async () => {
    mkdirSync(at('data', 'deep'), { recursive: true })
    writeFileSync(at('data', 'a'), 'A')
    writeFileSync(at('data', 'deep', 'b'), 'B')
    writeFileSync(at('c'), 'C')
    expect((await strongroom(['seal', at('data'), at('c'), '-o', at('vault')])).code).toBe(0)
    expect(readdirSync(at('vault')).sort()).toEqual(['a.sr', 'c.sr', 'deep'])
    expect((await strongroom(['open', at('vault'), '-o', at('back')])).code).toBe(0)
    expect(readFileSync(at('back', 'deep', 'b'), 'utf8')).toBe('B')
    expect((await strongroom(['seal', at('c')])).text).toBe(`${at('c.sr')}\n`)
    expect((await strongroom(['seal', at('data', 'a'), at('vault', 'deep'), '-o', at('again')])).code).toBe(0)
  })

  it('replace nothing without --force', async () => {
    writeFileSync(at('in'), 'new')
    writeFileSync(at('in.sr'), 'precious')
    expect(await strongroom(['seal', at('in')])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('exists already'),
    })
    expect(readFileSync(at('in.sr'), 'utf8')).toBe('precious')
    expect((await strongroom(['seal', at('in'), '--force'])).code).toBe(0)
    expect((await strongroom(['open', at('in.sr')])).code).toBe(1)
    expect((await strongroom(['seal', '-o', at('in')], { input: pattern(3) })).code).toBe(1)
    expect(readFileSync(at('in'), 'utf8')).toBe('new')
  })

  it('say what is wrong with the call and end with 2', async () => {
    writeFileSync(at('plain'), 'x')
    expect((await strongroom(['seal'], { tty: true })).code).toBe(2)
    expect((await strongroom(['seal', at('none')])).code).toBe(2)
    expect((await strongroom(['open', at('plain')])).code).toBe(2)
    expect((await strongroom(['seal', at('plain'), '--context', 'novalue'])).code).toBe(2)
    expect((await strongroom(['seal', at('plain'), '--threads', '0'])).code).toBe(2)
  })

  it('keep the messages of one application from another that has the same key', async () => {
    writeFileSync(at('shop.mjs'), config('shop'))
    writeFileSync(at('in'), 'x')
    await strongroom(['seal', at('in')])
    expect((await strongroom(['open', at('in.sr'), '-o', at('out')], { configFile: 'shop.mjs' })).code).toBe(1)
  })
})

describe('strongroom inspect', () => {
  it('shows a header without opening anything', async () => {
    writeFileSync(at('in'), pattern(70_000))
    await strongroom(['seal', at('in'), '--context', 'line=\u001b[31m'])
    const shown = await strongroom(['inspect', at('in.sr')])
    expect(shown.code).toBe(0)
    expect(shown.text).toContain('0x0478, commits to its key')
    expect(shown.text).toContain('tests: cli')
    expect(shown.text).toContain('2 of 65,536 bytes')
    expect(shown.text).not.toContain('\u001b')
    const json = JSON.parse((await strongroom(['inspect', at('in.sr'), '--json'])).text)
    expect(json).toMatchObject({
      suite: 0x0478,
      frames: 2,
      plaintextLength: 70_000,
      context: { strongroom: 'billing' },
    })
    expect((await strongroom(['inspect', at('in')])).code).toBe(1)
  })
})

describe('strongroom rewrap-file', () => {
  it('gives a file other recipients, and only those can open it', async () => {
    writeFileSync(at('next.mjs'), config('billing', ['next']))
    writeFileSync(at('in'), pattern(150_000))
    for (const flags of [[], ['--signed']]) {
      await strongroom(['seal', at('in'), '--force', '--context', 'a=1', ...flags])
      const before = readFileSync(at('in.sr'))
      expect(
        (
          await strongroom(['rewrap-file', at('in.sr'), '--from', at('strongroom.config.mjs')], {
            configFile: 'next.mjs',
          })
        ).code,
      ).toBe(0)
      expect((await strongroom(['open', at('in.sr'), '-o', at('out')])).code).toBe(1)
      expect(
        (
          await strongroom(['open', at('in.sr'), '-o', at('out'), '--force', '--context', 'a=1'], {
            configFile: 'next.mjs',
          })
        ).code,
      ).toBe(0)
      expect(readFileSync(at('out')).equals(pattern(150_000))).toBe(true)
      const after = readFileSync(at('in.sr'))
      expect(after.subarray(3, 35).equals(before.subarray(3, 35))).toBe(false)
      expect(JSON.parse((await strongroom(['inspect', at('in.sr'), '--json'])).text).recipients).toEqual([
        { provider: 'tests', keyId: 'next' },
      ])
    }
  })

  it('binds pairs again that the file does not store, and changes nothing without them', async () => {
    writeFileSync(at('next.mjs'), config('billing', ['next']))
    writeFileSync(at('in'), pattern(1000))
    await strongroom(['seal', at('in'), '--context', 'a=1', 'patient=4711', '--unstored', 'patient'])
    const before = readFileSync(at('in.sr'))
    const rewrap = ['rewrap-file', at('in.sr'), '--from', at('strongroom.config.mjs')]
    expect((await strongroom(rewrap, { configFile: 'next.mjs' })).code).toBe(1)
    expect(readFileSync(at('in.sr')).equals(before)).toBe(true)
    expect((await strongroom([...rewrap, '--context', 'patient=4711'], { configFile: 'next.mjs' })).code).toBe(0)
    expect(readFileSync(at('in.sr')).includes('4711')).toBe(false)
    const open = ['open', at('in.sr'), '-o', at('out')]
    expect((await strongroom(open, { configFile: 'next.mjs' })).code).toBe(1)
    expect((await strongroom([...open, '--context', 'patient=4711'], { configFile: 'next.mjs' })).code).toBe(0)
    expect(readFileSync(at('out')).equals(pattern(1000))).toBe(true)
  })

  it('--dry-run opens a file to its end, says whose it would be, and leaves it as it was', async () => {
    writeFileSync(at('next.mjs'), config('billing', ['next']))
    writeFileSync(at('in'), pattern(150_000))
    await strongroom(['seal', at('in')])
    const before = readFileSync(at('in.sr'))
    const plan = ['rewrap-file', at('in.sr'), '--from', at('strongroom.config.mjs'), '--dry-run']
    const { code, text } = await strongroom([...plan, '--json'], { configFile: 'next.mjs' })
    expect([code, JSON.parse(text)]).toEqual([
      0,
      {
        dryRun: true,
        files: [
          {
            path: at('in.sr'),
            size: before.length,
            recipients: [{ provider: 'tests', keyId: 'cli' }],
            to: [{ provider: 'tests', keyId: 'next' }],
          },
        ],
      },
    ])
    expect((await strongroom(plan, { configFile: 'next.mjs' })).text).toMatch(
      /in\.sr +150,\d{3} +tests cli +tests next/,
    )
    expect(readFileSync(at('in.sr')).equals(before)).toBe(true)
    before[100_000] = (before[100_000] as number) ^ 1
    writeFileSync(at('in.sr'), before)
    expect((await strongroom(plan, { configFile: 'next.mjs' })).code).toBe(1)
  })

  it('leaves a file that is damaged as it was', async () => {
    writeFileSync(at('in'), pattern(150_000))
    await strongroom(['seal', at('in')])
    const damaged = readFileSync(at('in.sr'))
    damaged[100_000] = (damaged[100_000] as number) ^ 1
    writeFileSync(at('in.sr'), damaged)
    expect((await strongroom(['rewrap-file', at('in.sr')])).code).toBe(1)
    expect(readFileSync(at('in.sr')).equals(damaged)).toBe(true)
    expect(readdirSync(home).sort()).toEqual(['in', 'in.sr', 'strongroom.config.mjs'])
  })
})

describe('strongroom rewrap-file --detached', () => {
  const next = { configFile: 'next.mjs' }
  const rewrap = (...args: string[]) =>
    strongroom(['rewrap-file', '--detached', '--from', at('strongroom.config.mjs'), ...args], next)
  beforeEach(async () => {
    writeFileSync(at('next.mjs'), config('billing', ['next']))
    writeFileSync(at('in'), pattern(150_000))
    await strongroom(['seal', at('in'), '--context', 'a=1'])
  })

  it('lets others open a file that stays as it is, by its path, in a pipe, and in another folder', async () => {
    const [before, { mtimeMs }] = [readFileSync(at('in.sr')), statSync(at('in.sr'))]
    expect((await strongroom(['open', at('in.sr'), '-o', at('out')], next)).code).toBe(1)
    expect(await rewrap(at('in.sr'))).toMatchObject({ code: 0, text: `${at('in.sr.recipients')}\n`, stderr: '' })
    expect(readFileSync(at('in.sr')).equals(before)).toBe(true)
    expect(statSync(at('in.sr')).mtimeMs).toBe(mtimeMs)
    expect((await strongroom(['open', at('in.sr'), '-o', at('out'), '--context', 'a=1'], next)).code).toBe(0)
    expect(readFileSync(at('out')).equals(pattern(150_000))).toBe(true)
    expect((await strongroom(['open', at('in.sr'), '-o', '-'], next)).stdout.equals(pattern(150_000))).toBe(true)
    const piped = { ...next, input: before }
    expect((await strongroom(['open'], piped)).code).toBe(1)
    const given = ['--recipients', at('in.sr.recipients')]
    expect((await strongroom(['open', ...given], piped)).stdout.equals(pattern(150_000))).toBe(true)
    mkdirSync(at('away'))
    writeFileSync(at('away', 'in.sr'), before)
    expect((await strongroom(['open', at('away', 'in.sr')], next)).code).toBe(1)
    expect((await strongroom(['open', at('away', 'in.sr'), ...given], next)).code).toBe(0)
    expect((await strongroom(['open', at('in.sr'), '-o', at('old')])).code).toBe(0)
    writeFileSync(at('shop.mjs'), config('shop', ['next']))
    expect((await strongroom(['open', at('in.sr'), '-o', at('other')], { configFile: 'shop.mjs' })).code).toBe(1)
  })

  it('takes many files, patterns of the shell that name recipients among them, and makes one of each', async () => {
    writeFileSync(at('b'), 'B')
    await strongroom(['seal', at('b')])
    const all = () => readdirSync(home).filter((name) => name.includes('.sr'))
    const paths = () => all().map((name) => at(name))
    for (let round = 0; round < 2; round++) expect((await rewrap(...paths())).code).toBe(0)
    expect(all().sort()).toEqual(['b.sr', 'b.sr.recipients', 'in.sr', 'in.sr.recipients'])
    expect((await strongroom(['open', ...paths(), '-o', at('out')], next)).text).toBe(
      `${at('out', 'b')}\n${at('out', 'in')}\n`,
    )
    const two = ['open', at('in.sr'), at('b.sr'), '-o', at('two'), '--recipients', at('b.sr.recipients')]
    expect((await strongroom(two, next)).code).toBe(2)
    mkdirSync(at('folder'))
    for (const name of all()) writeFileSync(at('folder', name), readFileSync(at(name)))
    expect((await strongroom(['open', at('folder'), '-o', at('back')], next)).code).toBe(0)
    expect(readdirSync(at('back')).sort()).toEqual(['b', 'in'])
    writeFileSync(at('folder', 'plain'), 'x')
    expect((await strongroom(['seal', at('folder'), '-o', at('again')])).text).toBe(`${at('again', 'plain.sr')}\n`)
    for (const path of [at('in.sr'), at('in.sr.recipients')])
      expect(await strongroom(['seal', path])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('sealed already'),
      })
    expect((await strongroom(['open', at('in.sr.recipients'), '-o', at('key')], next)).code).toBe(2)
    expect((await strongroom(['rewrap-file', ...paths(), '--from', at('strongroom.config.mjs')], next)).code).toBe(0)
    expect(all().sort()).toEqual(['b.sr', 'in.sr'])
  })

  it('replaces what is not for the file with --force alone, and says with --dry-run what it would do', async () => {
    writeFileSync(at('in.sr.recipients'), 'precious')
    for (const flags of [[], ['--dry-run']])
      expect(await rewrap(at('in.sr'), ...flags)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('exists already'),
      })
    const plan = await rewrap(at('in.sr'), '--dry-run', '--force', '--json')
    expect([plan.code, JSON.parse(plan.text)]).toEqual([
      0,
      {
        dryRun: true,
        files: [
          {
            path: at('in.sr'),
            size: statSync(at('in.sr')).size,
            recipients: [{ provider: 'tests', keyId: 'cli' }],
            to: [{ provider: 'tests', keyId: 'next' }],
            writes: at('in.sr.recipients'),
          },
        ],
      },
    ])
    expect((await rewrap(at('in.sr'), '--dry-run', '--force')).text).toContain('would lie beside it for')
    expect(readFileSync(at('in.sr.recipients'), 'utf8')).toBe('precious')
    expect((await rewrap(at('in.sr'), '--force')).code).toBe(0)
    expect((await strongroom(['open', at('in.sr'), '-o', at('out')], next)).code).toBe(0)
    expect((await strongroom(['rewrap-file', at('in.sr'), '--force'], next)).code).toBe(2)
    expect((await strongroom(['rewrap-file', at('in.sr'), '--dry-run'], next)).code).toBe(0)
    const missing = ['open', at('in.sr'), '-o', at('other'), '--recipients', at('none')]
    expect((await strongroom(missing, next)).code).toBe(2)
  })

  it('is shown by inspect', async () => {
    expect((await strongroom(['inspect', at('in.sr')])).text).not.toContain('detached')
    expect(JSON.parse((await strongroom(['inspect', at('in.sr'), '--json'])).text)).not.toHaveProperty('detached')
    await rewrap(at('in.sr'))
    expect((await strongroom(['inspect', at('in.sr')])).text).toMatch(/recipient +tests: cli\ndetached +tests: next\n/)
    expect(JSON.parse((await strongroom(['inspect', at('in.sr'), '--json'])).text)).toMatchObject({
      recipients: [{ provider: 'tests', keyId: 'cli' }],
      detached: [{ provider: 'tests', keyId: 'next' }],
    })
    const id = readFileSync(at('in.sr')).subarray(3, 35).toString('hex')
    expect((await strongroom(['inspect', at('in.sr.recipients')])).text).toContain(`strongroom-recipients-of = ${id}`)
    const old = readFileSync(at('in.sr.recipients'))
    await strongroom(['seal', at('in'), '--force'])
    writeFileSync(at('in.sr.recipients'), old)
    expect((await strongroom(['inspect', at('in.sr')])).text).toContain('in.sr.recipients is not for this message')
  })

  it('goes with its file when that is overwritten, from a file and from a pipe, and nothing else does', async () => {
    const opens = async () => {
      expect((await strongroom(['open', at('in.sr'), '-o', '-'])).stdout.equals(pattern(150_000))).toBe(true)
      return existsSync(at('in.sr.recipients'))
    }
    await rewrap(at('in.sr'))
    expect((await strongroom(['seal', at('in')])).code).toBe(1)
    expect(await opens()).toBe(true)
    expect((await strongroom(['seal', at('in'), '--force'])).code).toBe(0)
    expect(await opens()).toBe(false)
    expect((await rewrap(at('in.sr'))).code).toBe(0)
    const piped = ['seal', '-o', at('in.sr'), '--force']
    expect((await strongroom(piped, { input: pattern(150_000) })).code).toBe(0)
    expect(await opens()).toBe(false)
    writeFileSync(at('in.sr.recipients'), 'precious')
    expect((await strongroom(piped, { input: pattern(150_000) })).code).toBe(0)
    expect(await opens()).toBe(true)
    expect((await rewrap(at('in.sr'), '--force')).code).toBe(0)
    // What is sealed is the message itself: its recipients are still for what is inside.
    expect((await strongroom(piped, { input: readFileSync(at('in.sr')) })).code).toBe(0)
    expect((await strongroom(['open', at('in.sr'), '-o', at('inside.sr')])).code).toBe(0)
    const inside = ['open', at('inside.sr'), '-o', '-', '--recipients', at('in.sr.recipients')]
    expect((await strongroom(inside, next)).stdout.equals(pattern(150_000))).toBe(true)
  })
})
