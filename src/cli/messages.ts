import { backupCommand } from './backup.ts'
import { inspectCommand } from './inspect.ts'
import { openCommand } from './open.ts'
import type { Output } from './output.ts'
import { rewrapFileCommand } from './rewrap-file.ts'
import { sealCommand } from './seal.ts'
import type { Command } from './vendor.ts'

/** The commands for sealed files, with the settings of the program: where they write, and that they never exit. */
export function addMessages(program: Command, output: Output): void {
  for (const make of [sealCommand, openCommand, inspectCommand, rewrapFileCommand, backupCommand]) {
    const command = make(output).copyInheritedSettings(program)
    for (const below of command.commands) below.copyInheritedSettings(command)
    program.addCommand(command)
  }
}
