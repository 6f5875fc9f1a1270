import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run as strongroom } from '../src/cli/program.ts'
import { capture } from './cli/capture.ts'
import { firstProgram } from './docs/markdown.ts'

const run = promisify(execFile)
const root = new URL('..', import.meta.url).pathname
const tsx = ['--import', 'tsx']
const env = { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json'), NO_COLOR: '1' }

describe('README', () => {
  let folder = ''
  let readme = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-readme-'))
    readme = await readFile(join(root, 'README.md'), 'utf8')
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const node = (...args: string[]) => run(process.execPath, [...tsx, ...args], { cwd: root, env })

  it('has a first program that runs as it stands after `strongroom init`', async () => {
    const program = firstProgram()
    expect(program.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(15)
    expect(await strongroom(['init', '--no-passphrase', '--dir', folder], capture().streams)).toBe(0)
    await writeFile(join(folder, 'app.ts'), program)
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    const { stdout } = await node(join(folder, 'app.ts'))
    expect(stdout).toMatch(/email: 'sr1_-[\w-]{97,}'/)
    expect(stdout).toContain("email: 'Ada@Example.com'")
    expect(stdout).toMatch(/\[ '01[0-9a-f]+' \]/)
  })

  it('prints its two commands as lines of their own', () => {
    expect(readme).toContain('\nnpm ci && npm run demo\n')
    expect(readme).toContain('\nnpm ci && npm test\n')
  })

  it('shows no command that does not exist', async () => {
    const { streams, written } = capture()
    await strongroom(['--help'], streams)
    const shown = [...readme.matchAll(/(?:npx )?strongroom ([a-z][a-z-]*)/g)].map((match) => match[1] as string)
    const known = [...written.stdout.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map((match) => match[1] as string)
    expect(shown.length).toBeGreaterThan(1)
    for (const command of shown) expect(known).toContain(command)
  })

  // At once: each mostly waits, for servers and for keys to be heard of.
  it.concurrent('shows what the demonstration does on fewer rows', { timeout: 300_000 }, async () => {
    const { stdout } = await node('docs/demo/main.ts', '--rows', '500')
    expect(stdout).not.toContain('NOT ')
    expect(stdout).toContain('every row decrypts to what it was')
    expect(stdout).toContain('calls to the key management service for all of it')
  })

  it.concurrent('shows a demonstration that takes your own CSV', { timeout: 300_000 }, async () => {
    const people = Array.from({ length: 40 }, (_, n) => `${n},"Person ${n}, the ${n}th",p${n}@example.com`)
    await writeFile(join(folder, 'own.csv'), ['id,Full Name,E-Mail', ...people].join('\n'))
    const { stdout } = await node('docs/demo/main.ts', '--csv', join(folder, 'own.csv'))
    expect(stdout).toContain('e_mail_index')
    expect(stdout).toContain('every row decrypts to what it was')
  })
})
