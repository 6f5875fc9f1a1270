import {
  RETIRE_OVERRIDES,
  type RetireOptions,
  type RetireOverride,
  type RetireVerdict,
  retireKey,
  retireVerdict,
} from '../rotation/retire.ts'
import type { RetireCheck } from '../rotation/retire-checks.ts'
import { confirm } from './confirm.ts'
import { findKey } from './key-id.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import { CommandError, type Output, ProblemsFound } from './output.ts'
import { closeTables } from './record-tables.ts'
import { writeReport } from './report-rotation.ts'
import { table } from './table.ts'
import { type Command, Option } from './vendor.ts'

interface RetireCommandOptions {
  readonly check?: true
  readonly dryRun?: true
  readonly destroy?: true
  readonly override?: RetireOverride[]
  readonly passwords?: string
  readonly reason?: string
  readonly out?: string
  readonly yes?: true
  readonly json?: true
}

/** `strongroom retire`: whether a key may go, why, and the step itself: first out of use, later for ever. */
export function addRetire(parent: Command, output: Output): void {
  parent
    .command('retire')
    .argument('<key>', 'its id, or the first 6 characters or more of it')
    .description(
      'Say whether a key may be retired, or once it is retired destroyed, and why; then do it. Counts everything now.',
    )
    .option('--check', 'only say it; change nothing')
    .option('--dry-run', 'the same as --check')
    .option('--destroy', 'destroy a key that is retired already')
    .addOption(
      new Option('--override <checks...>', 'answer for these yourself; wants --reason').choices(RETIRE_OVERRIDES),
    )
    .option('--passwords <column>', 'for a pepper key: where the passwords stand, as users.password_hash')
    .option('--reason <text>', 'for the record and the key log')
    .option('--out <file>', 'write the verdict there as well, with a proof; the file must not exist')
    .option('--json', 'print the verdict for programs')
    .option('-y, --yes', 'do not ask for the id again')
    .action(async (text: string, options: RetireCommandOptions, command: Command) => {
      if (options.override !== undefined && (options.reason ?? '').trim() === '') {
        throw new CommandError('--override wants a --reason, which is written into the record of the key', {
          exitCode: 2,
        })
      }
      const config = await commandConfig(command)
      try {
        await withKeys(config, async (keys) => {
          const { id } = await findKey(keys, text)
          const settings: RetireOptions = {
            ...(options.override !== undefined && { override: options.override }),
            ...(options.reason !== undefined && { reason: options.reason }),
            ...(options.passwords !== undefined && { passwords: options.passwords }),
          }
          const verdict = await retireVerdict(config, keys, id, settings)
          if (options.out !== undefined) {
            const body = { kind: 'retire', format: 1, store: config.name, ...verdict }
            await writeReport(options.out, await keys.proveReport(body))
          }
          const isLook = options.check === true || options.dryRun === true
          const acts = !isLook && verdict.allowed && (verdict.step === 'retire') === (options.destroy !== true)
          if (!acts) {
            report(verdict, output, options)
            if (!verdict.allowed) throw new ProblemsFound()
            if (!isLook) explain(verdict, output)
            return
          }
          if (options.json !== true) print(verdict, output)
          await confirm(output, consequence(verdict), id, options.yes === true)
          const { key, verdict: again } = await retireKey(config, keys, id, verdict.step, settings)
          if (options.json) output.json({ ...again, done: key })
          else output.result(`${key.id} is ${key.state}`)
        })
      } finally {
        await closeTables(config)
      }
    })
}

function report(verdict: RetireVerdict, output: Output, { json }: RetireCommandOptions): void {
  if (json) output.json(verdict)
  else print(verdict, output)
}

/** The answer was yes, and the key was left as it is: what would have been done is not what was asked for. */
function explain({ step, keyId }: RetireVerdict, output: Output): void {
  if (step === 'retire') throw new CommandError('the key is not retired yet: nothing was destroyed', { exitCode: 1 })
  output.hint(`strongroom retire ${keyId} --destroy`)
}

function consequence({ step, keyId, purpose, scope }: RetireVerdict): string {
  const key = `${purpose} key ${keyId} of ${scope}`
  return step === 'retire'
    ? `retire ${key}: nothing that it encrypted can be read from now on, unless \`keys cancel-retire\` takes it back`
    : `destroy ${key}: what it encrypted can never be read again; there is no way back`
}

const ANSWERS: Readonly<Record<RetireCheck['result'], string>> = {
  ok: 'ok',
  no: 'NO',
  later: 'later',
  overridden: 'overridden',
}

function print({ keyId, purpose, scope, state, step, allowed, checks, rows }: RetireVerdict, output: Output): void {
  const { green, red } = output.colours
  output.result(`${purpose} key ${keyId} of ${scope} is ${state}`)
  const lines = checks.map(({ check, result, message, until }) => [
    check,
    ANSWERS[result],
    until === undefined ? message : `${message}, until ${until}`,
  ])
  output.result(table(output, ['looked at', 'result', 'what was found'], lines))
  const left = rows.filter((count) => count.rows > 0)
  if (left.length > 0) {
    const counted = left.map((count) => [count.record, count.table, count.column, count.rows])
    output.result(table(output, ['record', 'table', 'column', 'rows left'], counted))
  }
  const what = step === 'retire' ? 'retired' : 'destroyed'
  output.result(allowed ? green(`yes: it may be ${what}`) : red(`no: it may not be ${what}`))
  if (left.length > 0) output.hint(`strongroom reencrypt ${[...new Set(left.map(({ record }) => record))].join(' ')}`)
  if (checks.some(({ check, result }) => check === 'wraps' && result === 'no')) output.hint('strongroom rewrap')
}
