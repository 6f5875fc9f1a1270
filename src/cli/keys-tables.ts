import { keyTablesSql, makeKeyTables } from './key-tables.ts'
import { commandConfig } from './open-keys.ts'
import type { Output } from './output.ts'
import type { Command } from './vendor.ts'

/** `strongroom keys tables`: the tables of a key store in a database, printed as SQL or made. Needs no KMS. */
export function addKeysTables(keys: Command, output: Output): void {
  keys
    .command('tables')
    .description('Print the SQL that makes the tables of the key store; changes nothing without --create. Uses no KMS.')
    .option('--create', 'make the tables where they do not exist')
    .action(async (options: { create?: true }, command: Command) => {
      const { store } = await commandConfig(command)
      try {
        if (options.create !== true) return output.result(keyTablesSql(store))
        const made = await makeKeyTables(store)
        output.result(`${store.name}: ${made ? 'made the tables' : 'the tables exist already'}`)
        if (made) output.hint('`strongroom keys init` makes the first root key')
      } finally {
        await store.close?.()
      }
    })
}
