import { commandConfig, withKeys } from './open-keys.ts'
import type { Output } from './output.ts'
import type { Command } from './vendor.ts'

/** `strongroom keys init`: the first root key of the key store that the configuration names. */
export function addKeysInit(keys: Command, output: Output): void {
  keys
    .command('init')
    .description('Make the first root key of an empty key store; does nothing when there is one.')
    .option('--json', 'print whether it was made for programs')
    .action(async (options: { json?: true }, command: Command) => {
      const made = await withKeys(await commandConfig(command), (manager) => manager.init(), { init: true })
      if (options.json) output.json({ made })
      else output.result(made ? 'made the first root key' : 'there is a root key already: nothing was done')
    })
}
