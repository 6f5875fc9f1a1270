import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sealFile } from '../messages/file.ts'
import { createMessages } from '../messages/messages.ts'
import type { SealOptions } from '../messages/seal-options.ts'
import { messageConfig, messageOptions, pairFiles, progressOf } from './message-options.ts'
import { pipeOut, pipeToFile } from './message-pipes.ts'
import { CommandError, type Output } from './output.ts'
import { isBeside, SEALED } from './recipients-option.ts'
import { Command } from './vendor.ts'

interface SealFlags {
  readonly output?: string
  readonly context: Record<string, string>
  readonly unstored?: string[]
  readonly force: boolean
  readonly threads?: number
  readonly signed: boolean
  readonly verify: boolean
}

/** `strongroom seal`: files, folders or stdin into sealed messages. */
export function sealCommand(output: Output): Command {
  return messageOptions(new Command('seal'))
    .description('seal files, folders or stdin into messages that only the KMS opens')
    .argument('[inputs...]', 'files and folders; none or - for stdin')
    .option('--unstored <name...>', 'pairs of the context that are bound but not written into the message')
    .option('--signed', 'sign the message as well (suite 0x0578)', false)
    .option('--verify', 'open every file again before it gets its name', false)
    .action(async (inputs: string[], flags: SealFlags, command: Command) => {
      const { kms, name } = await messageConfig(command)
      const options: SealOptions = {
        context: flags.context,
        ...(flags.unstored && { unstored: flags.unstored }),
        ...(flags.signed && { suite: 0x0578 }),
      }
      if (inputs.length === 0 || (inputs.length === 1 && inputs[0] === '-')) {
        return sealStdin(output, { kms, name }, options, flags)
      }
      const pairs = await pairFiles(
        inputs,
        flags.output,
        (path) => (path.endsWith(SEALED) || isBeside(path) ? undefined : path + SEALED),
        'belongs to what is sealed already',
      )
      await sealFiles(output, { kms, name }, options, flags, pairs)
    })
}

type Config = Awaited<ReturnType<typeof messageConfig>>

async function sealStdin(output: Output, { kms, name }: Config, options: SealOptions, flags: SealFlags): Promise<void> {
  if (flags.verify) throw new CommandError('--verify needs a file to read again', { exitCode: 2 })
  const messages = createMessages({ kms, ...(name !== undefined && { name }) })
  if (flags.output === undefined || flags.output === '-') {
    if (output.stdout.isTTY === true)
      throw new CommandError('a message is not for terminals: redirect stdout, or use --output', { exitCode: 2 })
    return pipeOut(output.stdin, messages.sealNodeStream(options), output.stdout)
  }
  await pipeToFile(output.stdin, messages.sealNodeStream(options), flags.output, flags.force)
}

async function sealFiles(
  output: Output,
  { kms, name }: Config,
  options: SealOptions,
  flags: SealFlags,
  pairs: Awaited<ReturnType<typeof pairFiles>>,
): Promise<void> {
  const progress = progressOf(
    output,
    'seal',
    pairs.reduce((sum, { size }) => sum + size, 0),
  )
  let done = 0
  try {
    for (const { from, to, size } of pairs) {
      await mkdir(dirname(to), { recursive: true })
      await sealFile(
        kms,
        from,
        to,
        {
          ...options,
          force: flags.force,
          verify: flags.verify,
          ...(flags.threads !== undefined && { threads: flags.threads }),
          onProgress: ({ bytes }) => progress.update(done + bytes),
        },
        name,
      )
      done += size
      progress.update(done)
      output.result(to)
    }
  } finally {
    progress.end()
  }
}
