import type { Command, Option } from '../../src/cli/vendor.ts'

/** The reference of all commands as a page, from the commands themselves. */
export function referenceOf(program: Command): string {
  const commands = leavesOf(program, ['strongroom'])
  const sections = commands.map(([name, command]) => sectionOf(name, command))
  return `${HEAD}${table(
    ['option', 'what it does'],
    program.options.map((option) => optionRow(option)),
  )}\n${sections.join('\n')}`
}

const HEAD = `# Reference of commands

Every command with all of its options, written by \`npm run reference\` from the commands themselves, and held against them by a test. What
they are for, with examples, is in [The command line](cli.md).

These options go with every command:

`

function leavesOf(command: Command, name: readonly string[]): [string, Command][] {
  return command.commands
    .filter((one) => one.name() !== 'help')
    .toSorted((a, b) => (a.name() < b.name() ? -1 : 1))
    .flatMap((one): [string, Command][] => {
      const full = [...name, one.name()]
      return one.commands.length > 0 ? leavesOf(one, full) : [[full.join(' '), one]]
    })
}

function sectionOf(name: string, command: Command): string {
  const usage = [name, ...command.registeredArguments.map((argument) => nameOf(argument)), '[options]'].join(' ')
  const given = command.registeredArguments.filter(({ description }) => description !== '')
  const rows = [
    ...given.map((argument) => [code(nameOf(argument)), cell(argument.description)] as const),
    ...command.options.filter(({ hidden }) => !hidden).map((option) => optionRow(option)),
  ]
  const list = rows.length === 0 ? '' : `\n${table(['', 'what it does'], rows)}`
  return `## ${name}\n\n    ${rows.length === given.length ? usage.replace(' [options]', '') : usage}\n\n${command.description()}\n${list}`
}

function nameOf(argument: Command['registeredArguments'][number]): string {
  const text = `${argument.name()}${argument.variadic ? '...' : ''}`
  return argument.required ? `<${text}>` : `[${text}]`
}

function optionRow(option: Option): readonly [string, string] {
  const { flags, description, defaultValue, argChoices } = option
  const choices = argChoices === undefined ? '' : `; one of ${argChoices.map(code).join(', ')}`
  const isShown = defaultValue !== undefined && typeof defaultValue !== 'boolean' && typeof defaultValue !== 'object'
  return [code(flags), cell(`${description}${choices}${isShown ? `; ${code(String(defaultValue))} by default` : ''}`)]
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

/** Columns as wide as their longest cell, as the formatter of the project writes them. */
function table(head: readonly [string, string], rows: readonly (readonly [string, string])[]): string {
  const widths = head.map((title, at) =>
    Math.max(3, ...[title, ...rows.map((row) => row[at] as string)].map((text) => text.length)),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text, at) => text.padEnd(widths[at] as number)).join(' | ')} |\n`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('')
}
