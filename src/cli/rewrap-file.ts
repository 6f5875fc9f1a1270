import { statSync } from 'node:fs'
import type { OpenOptions } from '../messages/open-plan.ts'
import { rewrapFile } from '../messages/rewrap-file.ts'
import { contextOption, type MessageConfig, messageConfig, progressOf } from './message-options.ts'
import type { Output } from './output.ts'
import { printRewrapFilePlans, withDryRun } from './print-plan.ts'
import { planRewrapFile } from './rewrap-file-plan.ts'
import { Command } from './vendor.ts'

interface RewrapFlags {
  readonly from?: string
  readonly legacySuites: boolean
  readonly context: Record<string, string>
  readonly dryRun?: true
  readonly json?: true
}

/** `strongroom rewrap-file`: other recipients for sealed files. */
export function rewrapFileCommand(output: Output): Command {
  return withDryRun(new Command('rewrap-file'))
    .description('give sealed files the recipients of this configuration; the plaintext never reaches the disk')
    .argument('<files...>', 'sealed files, each replaced once it is verified')
    .option('--from <config>', 'configuration that can open them now (default: the same)')
    .addOption(contextOption('expect these pairs; those that the files do not store are bound again'))
    .option('--legacy-suites', 'also take messages that do not commit to their key; they do afterwards', false)
    .option('--json', 'print what --dry-run finds for programs')
    .action(async (paths: string[], flags: RewrapFlags, command: Command) => {
      const to = await messageConfig(command)
      const from = flags.from === undefined ? to : await messageConfig(command, flags.from)
      const { context, legacySuites } = flags
      const options = { context, legacySuites }
      if (flags.dryRun) {
        const plans = []
        for (const path of paths) plans.push(await planRewrapFile(path, from, to, options))
        printRewrapFilePlans(plans, flags.json === true, output)
      } else {
        await rewrapFiles(paths, from, to, options, output)
      }
    })
}

async function rewrapFiles(
  paths: readonly string[],
  from: MessageConfig,
  to: MessageConfig,
  options: OpenOptions,
  output: Output,
): Promise<void> {
  const sizes = paths.map((path) => statSync(path).size)
  const progress = progressOf(
    output,
    'rewrap',
    sizes.reduce((sum, size) => sum + size, 0),
  )
  let done = 0
  try {
    for (const [index, path] of paths.entries()) {
      const onProgress = ({ bytes }: { bytes: number }) => progress.update(done + bytes)
      await rewrapFile(from.kms, path, { ...options, to: to.kms, onProgress }, from.name)
      done += sizes[index] as number
      progress.update(done)
      output.result(path)
    }
  } finally {
    progress.end()
  }
}
