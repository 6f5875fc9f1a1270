import type { KeyInfo } from '../keys/key-info.ts'
import { findKey } from './key-id.ts'
import { commandConfig, withKeys } from './open-keys.ts'
import { type Output, printable } from './output.ts'
import type { Command } from './vendor.ts'

/** `strongroom keys show`: everything there is to know about one key. */
export function addKeysShow(keys: Command, output: Output): void {
  keys
    .command('show <id>')
    .description('Show one key; its id may be cut to six or more characters.')
    .option('--json', 'print the key for programs')
    .action(async (id: string, options: { json?: true }, command: Command) => {
      const key = await withKeys(await commandConfig(command), (manager) => findKey(manager, id))
      if (options.json) output.json(key)
      else for (const [name, value] of linesOf(key)) output.result(`${`${name}:`.padEnd(12)} ${printable(value)}`)
    })
}

function linesOf(key: KeyInfo): [string, string][] {
  return [
    ['id', key.id],
    ['purpose', key.purpose],
    ['scope', key.scope],
    ['generation', String(key.generation)],
    ['state', `${key.state} since ${key.stateAt.toISOString()}`],
    ['reason', key.reason ?? '-'],
    ['created', key.createdAt.toISOString()],
    ['expires', key.expiresAt?.toISOString() ?? '-'],
    ['revision', String(key.rev)],
    ['root key', key.parent ?? '-'],
    ...key.wraps.map(({ provider, keyId, wrappedAt }): [string, string] => [
      'wrapped by',
      `${provider} ${keyId} at ${wrappedAt.toISOString()}`,
    ]),
  ]
}
