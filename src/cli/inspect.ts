import { fileSource } from '../messages/file.ts'
import { inspectMessage } from '../messages/inspect.ts'
import { RECIPIENTS_SUFFIX } from '../messages/recipients-file.ts'
import type { Output } from './output.ts'
import { printable } from './output.ts'
import { Command } from './vendor.ts'

/** `strongroom inspect`: what a message says of itself, without a key. */
export function inspectCommand(output: Output): Command {
  return new Command('inspect')
    .description('show the header of a sealed file; nothing is opened, and nothing shown is verified')
    .argument('<file>', 'a sealed file')
    .option('--json', 'for programs', false)
    .action(async (path: string, { json }: { json: boolean }) => {
      const source = await fileSource(path)
      try {
        const summary = await inspectMessage(source)
        if (json) return output.json(summary)
        const line = (label: string, value: string | number) =>
          output.result(`${label.padEnd(12)} ${printable(String(value))}`)
        const count = (value: number | undefined) => value?.toLocaleString('en') ?? 'only opening tells'
        line('format', `AWS Encryption SDK message, version ${summary.version}`)
        line(
          'suite',
          `0x${summary.suite.toString(16).padStart(4, '0')}${summary.version === 2 ? ', commits to its key' : ', does not commit to its key'}${summary.signed ? ', signed' : ''}`,
        )
        line('message id', summary.messageId)
        for (const { provider, keyId } of summary.recipients) line('recipient', `${provider}: ${keyId}`)
        for (const { provider, keyId } of summary.detached ?? []) line('detached', `${provider}: ${keyId}`)
        if (summary.detached?.length === 0) line('detached', `${path}${RECIPIENTS_SUFFIX} is not for this message`)
        for (const [name, value] of Object.entries(summary.context)) line('context', `${name} = ${value}`)
        line('size', `${count(summary.size)} bytes, header ${count(summary.headerLength)}`)
        line(
          'plaintext',
          summary.plaintextLength === undefined ? count(undefined) : `${count(summary.plaintextLength)} bytes`,
        )
        line(
          'frames',
          summary.frames === undefined
            ? count(undefined)
            : `${count(summary.frames)} of ${count(summary.frameLength)} bytes`,
        )
      } finally {
        await source.close()
      }
    })
}
