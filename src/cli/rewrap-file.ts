import { statSync } from 'node:fs'
import { RECIPIENTS_SUFFIX } from '../messages/recipients-file.ts'
import { rewrapFile } from '../messages/rewrap-file.ts'
import { contextOption, type MessageConfig, messageConfig, progressOf } from './message-options.ts'
import { CommandError, type Output } from './output.ts'
import { printRewrapFilePlans, withDryRun } from './print-plan.ts'
import { withoutRecipients } from './recipients-option.ts'
import { planRewrapFile, type RewrapChoice } from './rewrap-file-plan.ts'
import { Command } from './vendor.ts'

interface RewrapFlags {
  readonly from?: string
  readonly legacySuites: boolean
  readonly context: Record<string, string>
  readonly detached?: true
  readonly force?: true
  readonly dryRun?: true
  readonly json?: true
}

/** `strongroom rewrap-file`: other recipients for sealed files. */
export function rewrapFileCommand(output: Output): Command {
  return withDryRun(new Command('rewrap-file'))
    .description('give sealed files the recipients of this configuration; the plaintext never reaches the disk')
    .argument('<files...>', 'sealed files, each replaced once it is verified')
    .option(
      '--detached',
      'leave FILE as it is, and write the recipients to FILE.recipients, which belongs to it from then on',
    )
    .option('--force', 'with --detached, replace a FILE.recipients that is not for FILE')
    .option('--from <config>', 'configuration that can open them now (default: the same)')
    .addOption(contextOption('expect these pairs; those that the files do not store are bound again'))
    .option('--legacy-suites', 'also take messages that do not commit to their key; they do afterwards', false)
    .option('--json', 'print what --dry-run finds for programs')
    .action(async (given: string[], flags: RewrapFlags, command: Command) => {
      if (flags.force && !flags.detached) throw new CommandError('--force goes with --detached', { exitCode: 2 })
      const paths = withoutRecipients(given)
      const to = await messageConfig(command)
      const from = flags.from === undefined ? to : await messageConfig(command, flags.from)
      const { context, legacySuites, detached = false, force = false } = flags
      const options = { context, legacySuites, detached, force }
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
  options: RewrapChoice,
  output: Output,
): Promise<void> {
  const sizes = paths.map((path) => (options.detached ? 0 : statSync(path).size))
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
      output.result(options.detached ? path + RECIPIENTS_SUFFIX : path)
    }
  } finally {
    progress.end()
  }
}
