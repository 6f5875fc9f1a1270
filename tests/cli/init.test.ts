import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { askSecret } from '../../src/cli/ask-secret.ts'
import { configTemplate } from '../../src/cli/init-template.ts'
import { loadConfig } from '../../src/cli/load-config.ts'
import { createOutput } from '../../src/cli/output.ts'
import { run } from '../../src/cli/program.ts'
import type { StrongroomConfig } from '../../src/config.ts'
import { openStrongroom } from '../../src/strongroom.ts'
import { capture } from './capture.ts'

const folders: string[] = []
const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'strongroom-init-'))
  folders.push(path)
  return path
}
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true })
})
const init = async (args: readonly string[], options: Parameters<typeof capture>[0] = {}) => {
  const { streams, written } = capture(options)
  return { code: await run(['init', ...args], streams), ...written }
}
const contents = (at: string) =>
  readdirSync(at)
    .sort()
    .map((name) => [name, readFileSync(join(at, name), 'utf8')])
const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

describe('strongroom init', () => {
  test('makes a key file, a key store, a configuration and the first root key, as a program of its own', async () => {
    const at = folder()
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [
      '--import',
      'tsx',
      cli,
      'init',
      '--dir',
      at,
      '--no-passphrase',
    ])
    expect(stdout).toMatch(
      /^made +key file .*\nmade +key store .*\nmade +configuration .*\nmade +root key +[0-9a-f]{32}\n$/,
    )
    expect(stderr).toContain('hint: copy ')
    expect(readdirSync(at).sort()).toEqual(['strongroom.config.ts', 'strongroom.key', 'strongroom.keystore'])
    for (const name of ['strongroom.key', 'strongroom.keystore'])
      expect(statSync(join(at, name)).mode & 0o777).toBe(0o600)
  })

  test('makes a configuration that runs as it stands: a value goes in and comes out', async () => {
    const at = folder()
    await init(['--dir', at, '--no-passphrase', '--name', 'billing'])
    const config = (await loadConfig(join(at, 'strongroom.config.ts'))) as StrongroomConfig
    expect(config.name).toBe('billing')
    const room = await openStrongroom(config)
    const cipher = room.records.customers as unknown as Record<'encrypt' | 'decrypt', (row: object) => object>
    await room.unlock([{}])
    const row = cipher.encrypt({ id: '1', email: 'ada@example.com', notes: null })
    expect(JSON.stringify(row)).not.toContain('ada@example.com')
    expect(cipher.decrypt(row)).toMatchObject({ email: 'ada@example.com', notes: null })
    await room.close()
  })

  test('run again says what exists, makes nothing and changes nothing', async () => {
    const at = folder()
    await init(['--dir', at, '--no-passphrase'])
    const before = contents(at)
    for (const args of [['--no-passphrase'], []]) {
      const { code, stdout, stderr } = await init(['--dir', at, ...args])
      expect([code, stderr]).toEqual([0, ''])
      expect(stdout.match(/^exists /gm)).toHaveLength(4)
    }
    expect(contents(at)).toEqual(before)
  })

  test('finishes what an earlier run left undone', async () => {
    const at = folder()
    await init(['--dir', at, '--no-passphrase'])
    const key = readFileSync(join(at, 'strongroom.key'))
    rmSync(join(at, 'strongroom.keystore'))
    rmSync(join(at, 'strongroom.config.ts'))
    const { code, stdout } = await init(['--dir', at, '--no-passphrase'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^exists +key file .*\nmade +key store .*\nmade +configuration .*\nmade +root key/)
    expect(readFileSync(join(at, 'strongroom.key'))).toEqual(key)
  })

  test('with --force writes the configuration anew, and never a key', async () => {
    const at = folder()
    await init(['--dir', at, '--no-passphrase'])
    const before = contents(at)
    writeFileSync(join(at, 'strongroom.config.ts'), '// mine')
    expect(
      (await init(['--dir', at, '--no-passphrase', '--force', '--name', before.length ? nameOf(before) : ''])).code,
    ).toBe(0)
    expect(contents(at)).toEqual(before)
  })

  test('locks the key file by the passphrase in a file, which the configuration reads', async () => {
    const at = folder()
    const words = join(at, 'words')
    writeFileSync(words, 'correct horse\n')
    expect((await init(['--dir', at, '--passphrase-file', words])).code).toBe(0)
    expect(readFileSync(join(at, 'strongroom.key'), 'utf8')).toContain('argon2id')
    const room = await openStrongroom((await loadConfig(join(at, 'strongroom.config.ts'))) as StrongroomConfig)
    await room.close()
    writeFileSync(words, 'wrong')
    await expect(
      openStrongroom((await loadConfig(join(at, 'strongroom.config.ts'))) as StrongroomConfig),
    ).rejects.toMatchObject({
      fault: 'wrong-passphrase',
    })
  })

  test('asks for the passphrase twice on a terminal, and shows neither', async () => {
    const at = folder()
    const { code, stdout, stderr } = await init(['--dir', at], {
      tty: true,
      input: 'tro\u007foub4dor\rtroub4dor\r',
      env: { NO_COLOR: '1' },
    })
    expect(code).toBe(0)
    expect(stderr).toContain('passphrase for the key file: \nonce more: \n')
    expect(stdout + stderr + JSON.stringify(contents(at))).not.toContain('troub4dor')
    expect(readFileSync(join(at, 'strongroom.config.ts'), 'utf8')).toContain('STRONGROOM_PASSPHRASE_FILE')
  })

  test('makes nothing when the two passphrases differ, or there is nobody to ask', async () => {
    const at = join(folder(), 'new')
    expect(await init(['--dir', at], { tty: true, input: 'one\rtwo\r' })).toMatchObject({ code: 1, stdout: '' })
    expect(await init(['--dir', at])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('hint: use --passphrase-file'),
    })
    expect(existsSync(at)).toBe(false)
  })

  test.each([
    [['--name', 'a b']],
    [['--passphrase-file', '/nowhere/x']],
    [['--passphrase-file', 'x', '--no-passphrase']],
  ])('called wrongly (%j) ends with 2 and makes nothing', async (args) => {
    const at = join(folder(), 'new')
    expect(await init(['--dir', at, ...args])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^strongroom: /),
    })
    expect(existsSync(at)).toBe(false)
  })

  test('refuses a damaged configuration, key file or key store, and leaves it', async () => {
    for (const name of ['strongroom.config.ts', 'strongroom.keystore']) {
      const at = folder()
      await init(['--dir', at, '--no-passphrase'])
      writeFileSync(join(at, name), 'x y z')
      const before = contents(at)
      expect(await init(['--dir', at, '--no-passphrase'])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(name),
      })
      expect(contents(at)).toEqual(before)
    }
  })

  test('says what it made as JSON', async () => {
    const at = folder()
    const { stdout } = await init(['--dir', at, '--no-passphrase', '--json'])
    expect(JSON.parse(stdout)).toEqual({
      directory: at,
      made: [
        { what: 'key file', path: join(at, 'strongroom.key'), id: expect.stringMatching(/^[0-9a-f]{32}$/), made: true },
        { what: 'key store', path: join(at, 'strongroom.keystore'), made: true },
        { what: 'configuration', path: join(at, 'strongroom.config.ts'), made: true },
        { what: 'root key', id: expect.stringMatching(/^[0-9a-f]{32}$/), made: true },
      ],
    })
  })

  test('writes the configuration that the guide shows', () => {
    const guide = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
    expect(guide).toContain(`\`\`\`ts\n${configTemplate({ name: 'billing', passphrase: { kind: 'asked' } })}\`\`\`\n`)
  })
})

describe('asking for a secret', () => {
  test('ends when it is interrupted or the input ends', async () => {
    for (const input of ['abc\u0003', 'abc']) {
      const { streams } = capture({ tty: true, input })
      await expect(askSecret(createOutput(streams), 'secret')).rejects.toThrow('interrupted')
    }
  })

  test('turns the echo of the terminal off while it reads, and on again', async () => {
    const modes: boolean[] = []
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => modes.push(on) })
    const answer = askSecret(createOutput({ ...capture({ tty: true }).streams, stdin }), 'secret')
    expect(modes).toEqual([true])
    stdin.write('se')
    stdin.write('cret\n')
    expect(await answer).toBe('secret')
    expect(modes).toEqual([true, false])
  })
})

function nameOf(files: string[][]): string {
  return /name: '([^']+)'/.exec(files.find(([name]) => name === 'strongroom.config.ts')?.[1] as string)?.[1] as string
}
