import type { StrongroomConfig } from '../config.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import type { Proved } from '../keys/report-proof.ts'
import { replayShreds, type ShredOptions, type ShredReceipt, shred, shredExpired } from '../rotation/shred.ts'
import { confirm } from './confirm.ts'
import { countAloud } from './count-aloud.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import { CommandError, type Output, ProblemsFound } from './output.ts'
import { closeTables } from './record-tables.ts'
import { reserveReport } from './report-file.ts'
import { type ScopeOptions, scopeOf, withScopeOptions } from './scope-options.ts'
import { table } from './table.ts'
import { untilInterrupted } from './until-interrupted.ts'
import type { Command } from './vendor.ts'

interface ShredCommandOptions extends ScopeOptions {
  readonly expired?: true
  readonly replay?: true
  readonly dryRun?: true
  readonly out?: string
  readonly reason?: string
  readonly yes?: true
  readonly json?: true
}

const MAX_ROWS = 20

/** `strongroom shred`: erases a tenant, a person or a bucket by destroying its keys. */
export function addShred(program: Command, output: Output): void {
  withScopeOptions(program.command('shred'))
    .description('Erase a tenant, a person or a bucket: destroy its keys, empty its index columns, and give a receipt.')
    .option('--expired', 'instead: every key whose end has come')
    .option('--replay', 'instead: keys that the shred ledger names and an old copy of the store brought back')
    .option('--dry-run', 'say what would be destroyed, and change nothing')
    .option('--out <file>', 'write the receipt there as well; the file must not exist')
    .option('--reason <text>', 'for the record, the key log and the receipt')
    .option('--json', 'print the receipt for programs')
    .option('-y, --yes', 'do not ask for confirmation')
    .action(async (options: ShredCommandOptions, command: Command) => {
      const work = workOf(options)
      const config = await commandConfig(command)
      if (!options.dryRun) await confirm(output, work.consequence, work.word, options.yes === true)
      const onProgress = countAloud(output, 'shred', 'keys')
      // Before anything is destroyed: an erasure whose receipt cannot be written would have to be proved another way.
      const out = options.out === undefined ? undefined : await reserveReport(options.out)
      try {
        const receipt = await untilInterrupted(
          (signal) =>
            withKeys(
              config,
              (keys) =>
                work.run(config, keys, {
                  signal,
                  onProgress,
                  ...(options.dryRun && { dryRun: true }),
                  ...(options.reason !== undefined && { reason: options.reason }),
                }),
              { restored: options.replay === true },
            ),
          'run it again: it goes on where it stopped',
        )
        await out?.write(receipt)
        if (options.json) output.json(receipt)
        else print(receipt, output)
        if (work.named && receipt.keys.length === 0) {
          output.say(receipt.finality.because)
          throw new ProblemsFound()
        }
      } finally {
        await out?.close()
        await closeTables(config)
      }
    })
}

interface Work {
  /** What to type before it is done. */
  readonly word: string
  readonly consequence: string
  /** Whether it is a scope that somebody named, which is expected to have a key. */
  readonly named: boolean
  readonly run: (config: StrongroomConfig, keys: KeyManager, options: ShredOptions) => Promise<Proved<ShredReceipt>>
}

function workOf(options: ShredCommandOptions): Work {
  const scope = scopeOf(options)
  const chosen = [scope, options.expired, options.replay].filter((one) => one !== undefined)
  if (chosen.length !== 1) {
    throw new CommandError('say what to shred: a scope, or --expired, or --replay', {
      exitCode: 2,
      hint: 'strongroom shred --tenant acme --subject 7',
    })
  }
  if (scope !== undefined) {
    const word = scope.subject ?? scope.bucket ?? (scope.tenant as string)
    const name = Object.entries(scope)
      .map(([part, value]) => `${part} ${value}`)
      .join(', ')
    const consequence = `erase ${name}: every key of it is destroyed, and what they encrypted can never be read again; there is no way back`
    return { word, consequence, named: true, run: (config, keys, settings) => shred(config, keys, scope, settings) }
  }
  const consequence = 'destroy keys; what they encrypted can never be read again, and there is no way back'
  return options.expired
    ? { word: 'expired', consequence: `expired: ${consequence}`, named: false, run: shredExpired }
    : { word: 'replay', consequence: `replay the ledger: ${consequence}`, named: false, run: replayShreds }
}

function print({ scope, keys, tables, remains, finality, dryRun }: ShredReceipt, output: Output): void {
  const { green } = output.colours
  const lines = keys
    .slice(0, MAX_ROWS)
    .map(({ id, purpose, scope: own, destroyedAt }) => [id, purpose, own, destroyedAt ?? 'would be destroyed'])
  if (lines.length > 0) output.result(table(output, ['key', 'purpose', 'scope', 'destroyed'], lines))
  if (keys.length > MAX_ROWS)
    output.result(`… and ${(keys.length - MAX_ROWS).toLocaleString('en')} more: --json shows all`)
  if (tables.length > 0) {
    const rows = tables.map((one) => [one.record, one.table, one.rows, one.cleared, one.readable])
    output.result(table(output, ['record', 'table', 'rows', 'index columns emptied', 'still readable'], rows))
  }
  output.result(`${dryRun ? 'would shred' : 'shredded'} ${keys.length.toLocaleString('en')} keys of ${scope}`)
  if (dryRun) return
  for (const line of remains) output.say(`remains: ${line}`)
  output.result(finality.status === 'final' ? green(`final: ${finality.because}`) : `scheduled: ${finality.because}`)
  if (finality.status !== 'final' && finality.final !== null) output.result(`final at ${finality.final}`)
}
