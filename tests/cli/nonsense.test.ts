import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createOutput } from '../../src/cli/output.ts'
import { createProgram, run } from '../../src/cli/program.ts'
import type { Command, Option } from '../../src/cli/vendor.ts'
import { capture } from './capture.ts'

/** What nobody means, as a value of any option: empty, or bytes that were no UTF-8. */
const NO_TEXTS = ['', ' ', '\ud800', 'a\0b', 'a\ufffd']
/** What is no number, no time, no pair and no choice either. */
const NO_VALUES = [
  ...NO_TEXTS,
  'abc',
  '-1',
  '1e9',
  '0x10',
  'NaN',
  'Infinity',
  '9'.repeat(30),
  '__proto__',
  '2026-13-45',
]
const TEXTS =
  /<(file|folder|path|directory|name|id|text|column|url|config|name=value\.\.\.|name\.\.\.)>|<(file|folder|path|text)>/
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-nonsense-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('an option that says nothing is refused with the exit code of a wrong call, a word to the option, and no work', () => {
  test.each(withValues(createProgram(createOutput(capture().streams)), []))('%s %s', async (path, flags, command) => {
    const option = command.options.find((one) => one.flags === flags) as Option
    const isText = option.argChoices === undefined && TEXTS.test(flags)
    const others = command.options.filter((one) => one.mandatory && one !== option).map((one) => `${one.long}=x`)
    const given = command.registeredArguments
      .filter(({ required }) => required)
      .map((argument) => argument.argChoices?.[0] ?? 'x1')
    const before = readdirSync('.')
    for (const bad of isText ? NO_TEXTS : NO_VALUES) {
      const { streams, written } = capture()
      const code = await run([...path.split(' '), `${option.long}=${bad}`, ...others, ...given], streams)
      expect(code, `${bad}: ${written.stderr}`).toBe(2)
      expect(written.stderr, bad).toContain(option.long)
      expect(written.stderr, bad).not.toMatch(/\n\s+at /)
      expect(written.stdout).toBe('')
    }
    expect(readdirSync('.')).toEqual(before)
  })
})

test.each([
  ['no default export', 'export const a = 1', /has no default export/],
  ['a number', 'export default 5', /exports a number by default/],
  ['null', 'export default null', /exports null by default/],
  ['a list', 'export default []', /exports an array by default/],
  ['a promise of a number', 'export default Promise.resolve(5)', /exports a number by default/],
  ['a promise that fails', 'export default Promise.reject(new Error("no such key"))', /cannot load .*no such key/],
  ['a function', 'export default () => { throw new Error("x") }', /exports a function by default/],
  ['a file that throws', 'throw new Error("no such key")', /cannot load .*no such key/],
  ['a file that throws no error', 'throw null', /cannot load .*it threw/],
  ['a syntax error', 'export default {', /cannot load /],
  ['nothing at all', '', /has no default export/],
  ['an empty object', 'export default {}', /\bname\b|\bkms\b/],
  ['a kms that is none', 'export default { name: "a", kms: null, store: {} }', /\bkms\b/],
  ['records that are none', 'export default { name: "a", records: 5 }', /\brecords\b/],
])('a configuration that is %s is refused in one line that says so', async (_, text, message) => {
  const file = join(folder, `${Math.random()}.config.mjs`)
  writeFileSync(file, text)
  for (const command of [['status'], ['doctor'], ['keys', 'list'], ['rotate', '--yes'], ['seal', 'x1']]) {
    const { streams, written } = capture()
    const code = await run(['--config', file, ...command], streams)
    if (written.stderr.includes('unknown option')) continue
    expect(code, command.join(' ')).toBeGreaterThan(0)
    if (command[0] !== 'seal') expect(written.stderr, command.join(' ')).toMatch(message)
    expect(written.stderr).not.toMatch(/\n\s+at |TypeError|undefined/)
    expect(written.stdout).toBe('')
  }
})

/** Every option that takes a value, of every command. */
function withValues(command: Command, path: readonly string[]): [path: string, flags: string, command: Command][] {
  const own = path.length === 0 ? [] : command.options.filter(({ required, optional }) => required || optional)
  return [
    ...own.map(({ flags }): [string, string, Command] => [path.join(' '), flags, command]),
    ...command.commands.flatMap((one) => withValues(one as Command, [...path, one.name()])),
  ]
}
