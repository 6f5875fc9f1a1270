import { createReadStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { openFile } from '../messages/file.ts'
import { createMessages } from '../messages/messages.ts'
import type { OpenOptions } from '../messages/open-plan.ts'
import { messageConfig, messageOptions, pairFiles, progressOf } from './message-options.ts'
import { pipeOut, pipeToFile } from './message-pipes.ts'
import { CommandError, type Output } from './output.ts'
import { isBeside, recipientsOf, recipientsOption, SEALED } from './recipients-option.ts'
import { Command } from './vendor.ts'

interface OpenFlags {
  readonly output?: string
  readonly context: Record<string, string>
  readonly force: boolean
  readonly threads?: number
  readonly legacySuites: boolean
  readonly recipients?: string
}

/** `strongroom open`: sealed messages back into files, folders or stdout. */
export function openCommand(output: Output): Command {
  return messageOptions(new Command('open'))
    .description('open sealed files, folders or stdin')
    .argument('[inputs...]', 'files and folders; none or - for stdin')
    .option('--legacy-suites', 'also open messages that do not commit to their key', false)
    .addOption(recipientsOption())
    .action(async (inputs: string[], flags: OpenFlags, command: Command) => {
      const [first = '-'] = inputs
      if (inputs.length === 1 && isBeside(first))
        throw new CommandError(`${first} holds recipients of the file beside it: open that`, { exitCode: 2 })
      const { kms, name } = await messageConfig(command)
      const options: OpenOptions = {
        context: flags.context,
        legacySuites: flags.legacySuites,
        ...(await recipientsOf(undefined, flags.recipients)),
      }
      if (inputs.length === 0 || (inputs.length === 1 && inputs[0] === '-')) {
        const stream = createMessages({ kms, ...(name !== undefined && { name }) }).openNodeStream(options)
        if (flags.output === undefined || flags.output === '-') {
          return pipeOut(output.stdin, stream, output.stdout)
        }
        return pipeToFile(output.stdin, stream, flags.output, flags.force)
      }
      if (flags.output === '-' && inputs.length === 1)
        return openToStdout(output, inputs[0] as string, { kms, name }, options)
      const pairs = await pairFiles(
        inputs,
        flags.output,
        (path) => (path.endsWith(SEALED) ? path.slice(0, -SEALED.length) : undefined),
        `has no ${SEALED} at its end`,
      )
      if (flags.recipients !== undefined && pairs.length > 1)
        throw new CommandError('--recipients are those of one file', { exitCode: 2 })
      const progress = progressOf(
        output,
        'open',
        pairs.reduce((sum, { size }) => sum + size, 0),
      )
      let done = 0
      try {
        for (const { from, to, size } of pairs) {
          await mkdir(dirname(to), { recursive: true })
          const threads = flags.threads === undefined ? {} : { threads: flags.threads }
          const onProgress = ({ bytes }: { bytes: number }) => progress.update(done + bytes)
          await openFile(kms, from, to, { ...options, ...threads, force: flags.force, onProgress }, name)
          done += size
          progress.update(done)
          output.result(to)
        }
      } finally {
        progress.end()
      }
    })
}

async function openToStdout(
  output: Output,
  path: string,
  { kms, name }: Awaited<ReturnType<typeof messageConfig>>,
  options: OpenOptions,
): Promise<void> {
  const stream = createMessages({ kms, ...(name !== undefined && { name }) }).openNodeStream({
    ...(await recipientsOf(path, undefined)),
    ...options,
  })
  await pipeOut(createReadStream(path, { highWaterMark: 1024 * 1024 }), stream, output.stdout)
}
