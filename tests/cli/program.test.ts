import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { findConfig, loadConfig } from '../../src/cli/load-config.ts'
import { CommandError, createOutput } from '../../src/cli/output.ts'
import { run } from '../../src/cli/program.ts'
import { startProgress } from '../../src/cli/progress.ts'
import { table } from '../../src/cli/table.ts'
import { capture } from './capture.ts'

const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'strongroom-cli-'))
  folders.push(path)
  return path
}
const folders: string[] = []
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true })
})
const ESC = '\u001b'

describe('the command line', () => {
  test('prints its version on stdout and ends with 0', async () => {
    const { streams, written } = capture()
    expect(await run(['--version'], streams)).toBe(0)
    expect(written).toEqual({ stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: '' })
  })

  test('prints help on stdout and ends with 0', async () => {
    const { streams, written } = capture()
    expect(await run(['--help'], streams)).toBe(0)
    expect(written.stdout).toContain('Usage: strongroom')
    expect(written.stderr).toBe('')
  })

  test.each([[['--bogus']], [['bogus']], [['init', '--bogus']]])(
    'called wrongly (%j) says so on stderr and ends with 2',
    async (args) => {
      const { streams, written } = capture()
      expect(await run(args, streams)).toBe(2)
      expect(written.stdout).toBe('')
      expect(written.stderr).toMatch(/^strongroom: /)
    },
  )
})

describe('output', () => {
  test('has colours on a terminal, and none when piped or when NO_COLOR is set', () => {
    expect(createOutput(capture({ tty: true }).streams).colours.red('x')).toContain(ESC)
    expect(createOutput(capture().streams).colours.red('x')).toBe('x')
    expect(createOutput(capture({ tty: true, env: { NO_COLOR: '1' } }).streams).colours.red('x')).toBe('x')
  })

  test('does not let text from outside steer the terminal', () => {
    const { streams, written } = capture()
    const output = createOutput(streams)
    output.say(`a${ESC}[2Jb\nc\u202ed`)
    expect(written.stderr).toBe('strongroom: a\\u001b[2Jb\\u000ac\\u202ed\n')
    expect(table(output, ['name'], [[`x${ESC}[31m`]])).not.toContain(ESC)
  })

  test('a table is plain columns when piped and drawn on a terminal', () => {
    const rows = [
      ['active', 1234],
      ['decrypt_only', 7],
    ] as const
    expect(table(createOutput(capture().streams), ['state', 'keys'], rows)).toBe(
      'state          keys\nactive        1,234\ndecrypt_only      7',
    )
    expect(table(createOutput(capture({ tty: true }).streams), ['state', 'keys'], rows)).toContain('│')
  })
})

describe('progress', () => {
  test('is a line now and then when piped', () => {
    const { streams, written } = capture()
    let now = 0
    const progress = startProgress(createOutput(streams), {
      label: 'reencrypt',
      total: 1000,
      unit: 'rows',
      now: () => now,
    })
    for (let done = 100; done <= 1000; done += 100) {
      now += 1000
      progress.update(done)
    }
    progress.end()
    expect(written.stderr.split('\n')).toEqual([
      'strongroom: reencrypt: 500/1000 rows (50%), 100 rows/s, 5 s left',
      'strongroom: reencrypt: 1000/1000 rows (100%), 100 rows/s, 0 s left',
      '',
    ])
    expect(written.stdout).toBe('')
  })

  test('is a bar with rate and time left on a terminal', () => {
    const { streams, written } = capture({ tty: true })
    const progress = startProgress(createOutput(streams), { label: 'reencrypt', total: 10, unit: 'rows' })
    progress.update(10)
    progress.end()
    expect(written.stderr).toMatch(/reencrypt .*100% .*10\/10 rows.*rows\/s.*left/)
  })
})

describe('the configuration', () => {
  test('is found in the folder, TypeScript first, and by --config', () => {
    const at = folder()
    writeFileSync(join(at, 'strongroom.config.mjs'), '')
    expect(findConfig(at)).toBe(join(at, 'strongroom.config.mjs'))
    writeFileSync(join(at, 'strongroom.config.ts'), '')
    expect(findConfig(at)).toBe(join(at, 'strongroom.config.ts'))
    expect(findConfig(at, 'strongroom.config.mjs')).toBe(join(at, 'strongroom.config.mjs'))
    expect(() => findConfig(at, 'other.ts')).toThrow(CommandError)
    expect(() => findConfig(folder())).toThrow(/no strongroom.config.ts/)
  })

  test('may be TypeScript, import its neighbours, and shares the library with this program', async () => {
    const at = folder()
    writeFileSync(join(at, 'name.ts'), `export const name: string = 'billing'\n`)
    writeFileSync(
      join(at, 'strongroom.config.ts'),
      `import { StrongroomError } from 'strongroom'
       import { memoryKms } from 'strongroom/memory'
       import { name } from './name.ts'
       export default { name, StrongroomError, kms: memoryKms() as object, dir: import.meta.dirname }`,
    )
    const config = (await loadConfig(join(at, 'strongroom.config.ts'))) as Record<string, unknown>
    const { StrongroomError } = await import('strongroom')
    expect(config).toMatchObject({ name: 'billing', kms: { name: 'memory' } })
    expect(config.StrongroomError).toBe(StrongroomError)
  })

  test('that throws, is no object, or does not parse is refused with its path', async () => {
    const at = folder()
    for (const text of [
      'throw new Error("boom")',
      'export const x = 1',
      'export default 7',
      'export default {',
      'import "strongroom/nothing"',
    ]) {
      const path = join(at, 'strongroom.config.ts')
      writeFileSync(path, text)
      await expect(loadConfig(path), text).rejects.toThrow(CommandError)
      await expect(loadConfig(path), text).rejects.toThrow(path)
    }
  })
})
