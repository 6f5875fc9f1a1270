import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createMessages } from '../messages/messages.ts'
import { assertEmpty, databaseSums, restoreInto, type TableSum } from './backup-database.ts'
import { contextOption, messageConfig } from './message-options.ts'
import { CommandError, type Output, ProblemsFound } from './output.ts'
import { recipientsOf, recipientsOption } from './recipients-option.ts'
import { table } from './table.ts'
import { Command, Option } from './vendor.ts'

interface VerifyFlags {
  readonly restoreInto: string
  readonly compareWith?: string
  readonly recipients?: string
  readonly context: Record<string, string>
  readonly json: boolean
}

/** `strongroom backup`: proves that a sealed database dump can be restored. */
export function backupCommand(output: Output): Command {
  const verify = new Command('verify')
    .description('restore a sealed PostgreSQL dump into an empty database, and count and sum every table')
    .argument('<file>', 'a sealed dump of pg_dump, plain or custom format; - for stdin')
    .addOption(new Option('--restore-into <url>', 'an empty database').makeOptionMandatory())
    .option('--compare-with <url>', 'the database that was dumped: every table must hold the same rows')
    .addOption(contextOption('expect these pairs in the message'))
    .addOption(recipientsOption())
    .option('--json', 'for programs', false)
    .action(async (path: string, flags: VerifyFlags, command: Command) => {
      const { kms, name } = await messageConfig(command)
      await assertEmpty(flags.restoreInto)
      const messages = createMessages({ kms, ...(name !== undefined && { name }) })
      const source = path === '-' ? output.stdin : createReadStream(path, { highWaterMark: 1024 * 1024 })
      const recipients = await recipientsOf(path === '-' ? undefined : path, flags.recipients)
      const stream = messages.openNodeStream({ context: flags.context, ...recipients })
      await pipeline(source, stream, (plaintext: AsyncIterable<Buffer>) => restoreInto(flags.restoreInto, plaintext))
      const restored = await databaseSums(flags.restoreInto)
      const expected = flags.compareWith === undefined ? undefined : await databaseSums(flags.compareWith)
      report(output, flags.json, restored, expected)
    })
  return new Command('backup').description('sealed database backups').addCommand(verify)
}

function report(
  output: Output,
  json: boolean,
  restored: readonly TableSum[],
  expected: readonly TableSum[] | undefined,
): void {
  const differing = expected === undefined ? [] : differences(restored, expected)
  if (json)
    output.json({ restored: true, tables: restored, ...(expected && { same: differing.length === 0, differing }) })
  else
    output.result(
      table(
        output,
        ['table', 'rows', 'checksum'],
        restored.map(({ name, rows, checksum }) => [name, rows, checksum]),
      ),
    )
  if (restored.length === 0) throw new CommandError('the dump restored, but it holds no table')
  if (differing.length > 0) {
    output.say(`restored, but not the same as the original: ${differing.join(', ')}`)
    throw new ProblemsFound()
  }
  output.say(`restored ${restored.length} tables${expected === undefined ? '' : ', the same as the original'}`)
}

function differences(restored: readonly TableSum[], expected: readonly TableSum[]): string[] {
  const key = ({ rows, checksum }: TableSum) => `${rows} ${checksum}`
  const found = new Map(restored.map((sum) => [sum.name, key(sum)]))
  const wanted = new Map(expected.map((sum) => [sum.name, key(sum)]))
  return [...new Set([...found.keys(), ...wanted.keys()])].filter((name) => found.get(name) !== wanted.get(name)).sort()
}
