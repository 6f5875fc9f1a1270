import type { KeyInfo } from '../keys/key-info.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { confirm } from './confirm.ts'
import { findKey } from './key-id.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import { CommandError, type Output } from './output.ts'
import type { Command } from './vendor.ts'

interface ChangeOptions {
  readonly reason?: string
  readonly yes?: true
  readonly json?: true
}

interface KeyChange {
  readonly name: string
  readonly description: string
  readonly apply: (keys: KeyManager, id: string, reason?: string) => Promise<KeyInfo>
  /** What cannot be taken back, or only with an outage; absent where nothing has to be confirmed. */
  readonly consequence?: string
}

const CHANGES: readonly KeyChange[] = [
  {
    name: 'suspend',
    description: 'Stop all use of a key until `resume`; its scope cannot encrypt meanwhile.',
    apply: (keys, id, reason) => keys.suspend(id, reason),
    consequence: 'nothing of this key can be read until it is resumed',
  },
  {
    name: 'resume',
    description: 'End a suspension.',
    apply: (keys, id, reason) => keys.resume(id, reason),
  },
  {
    name: 'compromise',
    description: 'Declare a key known to others; an active one is rotated first.',
    apply: (keys, id, reason) => keys.compromise(id, reason),
    consequence: 'applications can no longer read what it encrypted, except to encrypt it again; there is no way back',
  },
  {
    name: 'cancel-retire',
    description: 'Take a retired key back into use for decryption.',
    apply: (keys, id, reason) => keys.cancelRetire(id, reason),
  },
  {
    name: 'destroy',
    description: 'Erase a key that is in use, with all that it encrypted. A retired key: `retire --destroy`.',
    apply: async (keys, id, reason) => {
      const { state } = await keys.get(id)
      if (state === 'destroy_scheduled') {
        throw new CommandError(`key ${id} is retired: whether it may be destroyed is looked at first`, {
          hint: `strongroom retire ${id} --destroy`,
        })
      }
      return keys.destroy(id, reason)
    },
    consequence: 'what it encrypted can never be read again; there is no way back',
  },
]

/** `strongroom keys suspend`, `resume`, `compromise`, `cancel-retire`, `destroy`: one step in the life of a key. */
export function addKeysChange(keys: Command, output: Output): void {
  for (const change of CHANGES) {
    const command = keys
      .command(`${change.name} <id>`)
      .description(change.description)
      .option('--reason <text>', 'for the record and the key log')
      .option('--json', 'print the key as it is now for programs')
    if (change.consequence !== undefined) command.option('-y, --yes', 'do not ask for the id again')
    command.action(async (text: string, options: ChangeOptions, self: Command) => {
      const after = await withKeys(await commandConfig(self), async (manager) => {
        const before = await findKey(manager, text)
        if (change.consequence !== undefined) {
          const what = `${change.name} ${before.purpose} key ${before.id} of ${before.scope}: ${change.consequence}`
          await confirm(output, what, before.id, options.yes === true)
        }
        return change.apply(manager, before.id, options.reason)
      })
      if (options.json) output.json(after)
      else output.result(`${after.id} is ${after.state}`)
    })
  }
}
