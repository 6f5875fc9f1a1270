import type { KeyInfo } from '../keys/key-info.ts'
import type { KeyStep } from '../keys/key-step.ts'
import { confirm } from './confirm.ts'
import { findKey } from './key-id.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import { CommandError, type Output } from './output.ts'
import { printStepPlan, withDryRun } from './print-plan.ts'
import type { Command } from './vendor.ts'

interface ChangeOptions {
  readonly reason?: string
  readonly dryRun?: true
  readonly yes?: true
  readonly json?: true
}

interface KeyChange {
  readonly name: string
  readonly step: KeyStep
  readonly description: string
  /** What cannot be taken back, or only with an outage; absent where nothing has to be confirmed. */
  readonly consequence?: string
  /** Refuses what belongs to another command. */
  readonly refuse?: (key: KeyInfo) => void
}

const CHANGES: readonly KeyChange[] = [
  {
    name: 'suspend',
    step: 'suspend',
    description: 'Stop all use of a key until `resume`; its scope cannot encrypt meanwhile.',
    consequence: 'nothing of this key can be read until it is resumed',
  },
  {
    name: 'resume',
    step: 'resume',
    description: 'End a suspension.',
  },
  {
    name: 'compromise',
    step: 'compromise',
    description: 'Declare a key known to others; an active one is rotated first.',
    consequence: 'applications can no longer read what it encrypted, except to encrypt it again; there is no way back',
  },
  {
    name: 'cancel-retire',
    step: 'cancelRetire',
    description: 'Take a retired key back into use for decryption.',
  },
  {
    name: 'destroy',
    step: 'destroy',
    description: 'Erase a key that is in use, with all that it encrypted. A retired key: `retire --destroy`.',
    consequence: 'what it encrypted can never be read again; there is no way back',
    refuse: ({ id, state }) => {
      if (state !== 'destroy_scheduled') return
      throw new CommandError(`key ${id} is retired: whether it may be destroyed is looked at first`, {
        hint: `strongroom retire ${id} --destroy`,
      })
    },
  },
]

/** `strongroom keys suspend`, `resume`, `compromise`, `cancel-retire`, `destroy`: one step in the life of a key. */
export function addKeysChange(keys: Command, output: Output): void {
  for (const change of CHANGES) {
    const command = withDryRun(keys.command(`${change.name} <id>`))
      .description(change.description)
      .option('--reason <text>', 'for the record and the key log')
      .option('--json', 'print the key as it is now for programs')
    if (change.consequence !== undefined) command.option('-y, --yes', 'do not ask for the id again')
    command.action(async (text: string, options: ChangeOptions, self: Command) => {
      await withKeys(await commandConfig(self), async (manager) => {
        const before = await findKey(manager, text)
        change.refuse?.(before)
        if (options.dryRun) {
          return printStepPlan(await manager.planStep(change.step, before.id), options.json === true, output)
        }
        if (change.consequence !== undefined) {
          const what = `${change.name} ${before.purpose} key ${before.id} of ${before.scope}: ${change.consequence}`
          await confirm(output, what, before.id, options.yes === true)
        }
        const after = await manager[change.step](before.id, options.reason)
        if (options.json) output.json(after)
        else output.result(`${after.id} is ${after.state}`)
      })
    })
  }
}
