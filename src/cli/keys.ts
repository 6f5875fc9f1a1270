import { addKeysChange } from './keys-change.ts'
import { addKeysInit } from './keys-init.ts'
import { addKeysList } from './keys-list.ts'
import { addKeysShow } from './keys-show.ts'
import { addKeysTables } from './keys-tables.ts'
import type { Output } from './output.ts'
import { addRetire } from './retire.ts'
import type { Command } from './vendor.ts'

/** `strongroom keys …`: look at keys, and take one through its life. */
export function addKeys(program: Command, output: Output): void {
  const keys = program.command('keys').description('List keys, and suspend, resume, compromise, retire or destroy one.')
  addKeysList(keys, output)
  addKeysShow(keys, output)
  addKeysChange(keys, output)
  addRetire(keys, output)
  addKeysTables(keys, output)
  addKeysInit(keys, output)
}
