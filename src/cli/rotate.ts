import type { KeyPurpose } from '../key-store.ts'
import type { Rotation } from '../keys/rotate-keys.ts'
import { countAloud } from './count-aloud.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import { CommandError, type Output } from './output.ts'
import { printRotationPlan, withDryRun } from './print-plan.ts'
import { purposeOption, type ScopeOptions, scopeOf, withScopeOptions } from './scope-options.ts'
import { table } from './table.ts'
import { untilInterrupted } from './until-interrupted.ts'
import type { Command } from './vendor.ts'

interface RotateOptions extends ScopeOptions {
  readonly purpose: KeyPurpose
  readonly all?: true
  readonly reason?: string
  readonly dryRun?: true
  readonly json?: true
}

const MAX_ROWS = 20

/** `strongroom rotate`: a new key becomes the writing key of a scope, or of all. */
export function addRotate(program: Command, output: Output): void {
  withDryRun(withScopeOptions(program.command('rotate').addOption(purposeOption().default('data'))))
    .description('Make a new key the writing key; data under the old one stays readable.')
    .option('--all', 'every scope that has an active key')
    .option('--reason <text>', 'for the record and the key log')
    .option('--json', 'print what was rotated for programs')
    .action(async (options: RotateOptions, command: Command) => {
      const { purpose, reason } = options
      const named = scopeOf(options)
      if (options.all && named !== undefined) {
        throw new CommandError('--all and a scope exclude each other', { exitCode: 2 })
      }
      if (purpose === 'root' && (options.all || named !== undefined)) {
        throw new CommandError('there is one root key for all scopes', { exitCode: 2 })
      }
      const scope = options.all ? ('all' as const) : (named ?? {})
      const config = await commandConfig(command)
      if (options.dryRun) {
        const plan = await withKeys(config, (keys) => keys.planRotation({ purpose, scope }))
        return printRotationPlan(plan, options.json === true, output)
      }
      const onProgress = countAloud(output, 'rotate', 'scopes')
      const rotations = await untilInterrupted(
        (signal) =>
          withKeys(config, (keys) =>
            keys.rotate({ purpose, scope, signal, onProgress, ...(reason !== undefined && { reason }) }),
          ),
        'the scopes that were rotated have new keys; running again rotates all of them',
      )
      if (options.json) return output.json(rotations)
      print(rotations, output)
      if (purpose === 'root') output.hint('`strongroom rewrap` moves the other keys under the new root key')
    })
}

function print(rotations: readonly Rotation[], output: Output): void {
  const rows = rotations
    .slice(0, MAX_ROWS)
    .map(({ created, replaced }) => [created.scope, created.id, replaced?.id ?? '-', replaced?.state ?? '-'])
  if (rows.length > 0) output.result(table(output, ['scope', 'writes now', 'took over from', 'which is'], rows))
  if (rotations.length > MAX_ROWS) output.result(`… and ${(rotations.length - MAX_ROWS).toLocaleString('en')} more`)
  output.result(`rotated ${rotations.length.toLocaleString('en')} ${rotations.length === 1 ? 'key' : 'keys'}`)
}
