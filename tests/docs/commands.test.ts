import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createOutput } from '../../src/cli/output.ts'
import { createProgram } from '../../src/cli/program.ts'
import type { Command } from '../../src/cli/vendor.ts'
import { capture } from '../cli/capture.ts'
import { allPages, fencesOf, type Page, projectRoot } from './markdown.ts'

const program = createProgram(createOutput(capture().streams))
const { scripts } = JSON.parse(readFileSync(`${projectRoot}package.json`, 'utf8')) as { scripts: object }

describe('the commands in the documents', () => {
  test('are commands of strongroom, with options that they have', () => {
    const lines = allPages().flatMap((page) => commandsOf(page).map((line) => [page.path, line] as const))
    expect(lines.length).toBeGreaterThan(2)
    expect(
      lines.filter(([, line]) => faultOf(line) !== undefined).map(([path, line]) => [path, faultOf(line)]),
    ).toEqual([])
  })

  test('are scripts of the package', () => {
    const unknown = allPages().flatMap((page) =>
      [...page.text.matchAll(/\bnpm run ([\w:-]+)/g)]
        .map(([, script = '']) => script)
        .filter((script) => !Object.hasOwn(scripts, script))
        .map((script) => `${page.path}: npm run ${script}`),
    )
    expect(unknown).toEqual([])
  })
})

describe('the check of commands', () => {
  test.each(['bogus', 'init --bogus', 'passwords bogus', 'init -z'])('finds that "%s" is wrong', (args) => {
    expect(faultOf(`npx strongroom ${args}`)).toBeDefined()
  })

  test.each(['init --no-passphrase', 'init --name=billing # why', '--version', 'doctor --json > report.json'])(
    'takes "%s"',
    (args) => {
      expect(faultOf(`npx strongroom ${args}`)).toBeUndefined()
    },
  )

  test('sees blocks, indented code and inline code', () => {
    const text = '```sh\nnpx strongroom a \\\n  --b\n```\n\n    npx strongroom c\n\nand `npx strongroom d` here\n'
    expect(commandsOf({ path: 'x.md', text })).toEqual(['npx strongroom a --b', 'npx strongroom c', 'npx strongroom d'])
  })
})

/** Every command line of a page that runs strongroom. */
function commandsOf(page: Page): string[] {
  const code = fencesOf(page)
    .filter(({ language }) => ['sh', 'bash', 'console', 'shell'].includes(language))
    .flatMap((fence) => fence.code.replace(/\\\n\s*/g, '').split('\n'))
  const indented = page.text.split('\n').filter((line) => /^ {4}/.test(line))
  const inline = [...page.text.matchAll(/`(npx strongroom [^`\n]+)`/g)].map((match) => match[1] as string)
  return [...code, ...indented, ...inline]
    .map((line) => line.trim().replace(/^\$ /, ''))
    .filter((line) => line.startsWith('npx strongroom '))
    .filter((line, at, lines) => lines.indexOf(line) === at)
}

/** What is wrong with a command line, without running it. */
function faultOf(line: string): string | undefined {
  const words = (line.split(/\s(?:[#|<>&]|\d?>)/)[0] as string).trim().split(/\s+/)
  if (words[0] === 'npx') words.shift()
  let command: Command = program
  for (const word of words.slice(1)) {
    if (word.startsWith('-')) {
      const name = word.split('=')[0] as string
      if (['--help', '-h', '--version', '-V', '-'].includes(name)) continue
      const chain = [command, program]
      if (!chain.some(({ options }) => options.some(({ long, short }) => long === name || short === name))) {
        return `${line}: ${command.name()} has no option ${name}`
      }
      continue
    }
    const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word))
    if (next !== undefined) command = next
    else if (command.commands.length > 0) return `${line}: there is no command ${word}`
  }
  return undefined
}
