import { KEY_STATES, type KeyPurpose, type KeyState } from '../key-store.ts'
import { decimal } from './decimal.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import type { Output } from './output.ts'
import { purposeOption, type ScopeOptions, scopeOf, withScopeOptions } from './scope-options.ts'
import { table } from './table.ts'
import { type Command, InvalidArgumentError, Option } from './vendor.ts'

interface ListOptions extends ScopeOptions {
  readonly purpose?: KeyPurpose
  readonly state?: KeyState
  readonly after?: string
  readonly limit: number
  readonly json?: true
}

const SHORT = 12

/** `strongroom keys list`: one page of keys in the order of their ids. */
export function addKeysList(keys: Command, output: Output): void {
  withScopeOptions(keys.command('list').addOption(purposeOption()))
    .description('List keys with their states and ages.')
    .addOption(new Option('--state <state>', 'keys in this state').choices([...KEY_STATES]))
    .option('--after <id>', 'continue behind this id')
    .option('--limit <count>', 'keys to list at most, 1 to 1,000', parseLimit, 100)
    .option('--json', 'print the keys for programs')
    .action(async (options: ListOptions, command: Command) => {
      const { purpose, state, after, limit } = options
      const scope = scopeOf(options)
      const query = {
        limit,
        ...(purpose && { purpose }),
        ...(state && { state }),
        ...(after && { after }),
        ...(scope && { scope }),
      }
      const found = await withKeys(await commandConfig(command), (manager) => manager.list(query))
      if (options.json) return output.json(found)
      const rows = found.map((key) => [
        key.id.slice(0, SHORT),
        key.purpose,
        key.scope,
        key.generation,
        key.state,
        key.createdAt.toISOString().slice(0, 10),
        key.expiresAt?.toISOString().slice(0, 10) ?? '-',
      ])
      output.result(table(output, ['id', 'purpose', 'scope', 'generation', 'state', 'created', 'expires'], rows))
      if (found.length === limit) output.hint(`there may be more: add --after ${found.at(-1)?.id}`)
    })
}

function parseLimit(text: string): number {
  const limit = decimal(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) throw new InvalidArgumentError('1 to 1,000')
  return limit
}
