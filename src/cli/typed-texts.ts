import { CommandError } from './output.ts'
import type { Command } from './vendor.ts'

/**
 * Refuses options and arguments that nobody means, before a command begins: empty ones, as from a variable of the shell
 * that is not set, and those whose bytes are no text, which would name another tenant or another file.
 *
 * @throws CommandError with the exit code of a wrong call
 */
export function assertTypedTexts(command: Command): void {
  const values = command.opts<Record<string, unknown>>()
  for (const option of command.options) {
    for (const value of [values[option.attributeName()]].flat()) assertTyped(value, option.long ?? option.flags)
  }
  command.registeredArguments.forEach((argument, at) => {
    for (const value of [command.processedArgs[at]].flat()) assertTyped(value, argument.name())
  })
  if (command.parent) assertTypedTexts(command.parent)
}

function assertTyped(value: unknown, name: string): void {
  if (typeof value !== 'string') return
  const fault =
    value.trim() === ''
      ? 'is empty'
      : value.includes('\0') || value.includes('\ufffd') || !value.isWellFormed()
        ? 'is no text: it holds bytes that are not UTF-8'
        : undefined
  if (fault !== undefined) throw new CommandError(`${name} ${fault}: give a value`, { exitCode: 2 })
}
