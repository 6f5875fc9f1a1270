import { rewrapFile } from '../messages/rewrap-file.ts'
import { messageConfig } from './message-options.ts'
import type { Output } from './output.ts'
import { Command } from './vendor.ts'

interface RewrapFlags {
  readonly from?: string
  readonly legacySuites: boolean
}

/** `strongroom rewrap-file`: other recipients for sealed files. */
export function rewrapFileCommand(output: Output): Command {
  return new Command('rewrap-file')
    .description('give sealed files the recipients of this configuration; the plaintext never reaches the disk')
    .argument('<files...>', 'sealed files, each replaced once it is verified')
    .option('--from <config>', 'configuration that can open them now (default: the same)')
    .option('--legacy-suites', 'also take messages that do not commit to their key; they do afterwards', false)
    .action(async (paths: string[], flags: RewrapFlags, command: Command) => {
      const to = await messageConfig(command)
      const from = flags.from === undefined ? to : await messageConfig(command, flags.from)
      for (const path of paths) {
        await rewrapFile(from.kms, path, { to: to.kms, legacySuites: flags.legacySuites }, from.name)
        output.result(path)
      }
    })
}
